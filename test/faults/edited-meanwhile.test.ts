import { expect, test } from 'bun:test';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';

const binary = resolve(import.meta.dir, '../../dist/activate');
const policy = 'schema = 1\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n';
const CALLS = 'renameat2,statx,openat2,readlinkat';

test('what somebody writes while a switch that is then killed is under way is not lost', async () => {
  await withSandbox(async (sandbox) => {
    for (const name of ['first', 'second']) {
      run(sandbox, 'switch', writeClosure(sandbox, name, { 'etc/copy': `${name}\n`, 'activation.toml': policy }));
    }
    const log = sandbox.on('/log');
    run(sandbox, 'rollback');
    const { status } = spawnSync('strace', [
      '-o',
      log,
      '-e',
      `trace=${CALLS}`,
      binary,
      ...argv(sandbox, 'switch', '2'),
    ]);
    expect(status).toBe(0);
    run(sandbox, 'rollback');
    await killAfterExchange(sandbox, log);
    run(sandbox, 'resume');
    const kept = ['/etc', '/var/lib/activate/backups'].flatMap((directory) => textsBelow(sandbox.on(directory)));
    expect(kept).toContain('edited\n');
  });
});

/** Holds a switch before the exchange of the one copy, edits that, and kills the switch at the first look at anything afterwards. */
async function killAfterExchange(sandbox: Sandbox, log: string): Promise<void> {
  const names = readFileSync(log, 'utf8').split('\n');
  const exchange = names.findIndex((line) => line.includes('RENAME_EXCHANGE'));
  const nth = (name: string): number =>
    names.slice(0, exchange).filter((line) => line.startsWith(`${name}(`)).length + 1;
  const looks = CALLS.split(',').slice(1);
  const faults = looks.map((name) => `inject=${name}:signal=KILL:when=${nth(name)}`);
  const hold = `inject=renameat2:delay_enter=500ms:when=${nth('renameat2')}`;
  const options = [hold, ...faults].flatMap((fault) => ['-e', fault]);
  const child = spawn('strace', ['-o', log, ...options, binary, ...argv(sandbox, 'switch', '2')], { stdio: 'ignore' });
  const { promise, resolve: end } = Promise.withResolvers<NodeJS.Signals | null>();
  child.on('close', (_, signal) => end(signal));
  while (child.exitCode === null && !hasSwapBegun(sandbox)) await Bun.sleep(5);
  writeFileSync(sandbox.on('/etc/copy'), 'edited\n');
  expect(await promise).toBe('SIGKILL');
}

function hasSwapBegun(sandbox: Sandbox): boolean {
  try {
    return readFileSync(sandbox.on('/var/lib/activate/transition.json'), 'utf8').includes('"phase":"swap"');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function run(sandbox: Sandbox, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(binary, argv(sandbox, ...args), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}: status ${status}: ${stderr}`);
}

function argv({ root }: Sandbox, ...args: readonly string[]): string[] {
  return ['--root', root, ...args];
}

function textsBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  return files.map((item) => readFileSync(join(item.parentPath, item.name), 'utf8'));
}
