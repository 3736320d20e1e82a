import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import fc from 'fast-check';
import { anyClosure, anyTree } from '../support/model/closure';
import { anyAct } from '../support/model/acts';
import { beginHistory, live } from '../support/model/history';
import { readFiles } from '../support/model/machine';
import { newModel } from '../support/model/state';
import { removeTree, type Sandbox } from '../support/sandbox';
import { type Tree, writeTree } from '../support/trees';

const RUNS = Number(process.env['RUNS'] ?? 500);
const SEED = Number(process.env['SEED'] ?? 20_261_121);

const anyHistory = fc.record({
  machine: anyTree,
  closures: fc.array(anyClosure, { minLength: 2, maxLength: 3 }),
  acts: fc.array(anyAct, { minLength: 5, maxLength: 14, size: 'max' }),
});

const NAME = 'after every step of any history the machine is what a small model says';

test(
  NAME,
  async () => {
    const tally: Record<string, number> = {};
    await fc.assert(
      fc.asyncProperty(anyHistory, async ({ machine, closures, acts }) => {
        await onSandbox(machine, async (sandbox) => {
          const model = newModel(readFiles(sandbox.on('/etc'), '/etc'));
          const history = beginHistory(sandbox, closures, model, tally);
          for (const act of acts) expect({ act, wrong: await live(history, act) }).toEqual({ act, wrong: [] });
        });
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: false, interruptAfterTimeLimit: 1_500_000, ...pathOf() },
    );
    console.log(`seed ${SEED}: ${RUNS} histories: ${JSON.stringify(tally)}`);
  },
  1_800_000,
);

test('the same where the state directory is a filesystem of its own', async () => {
  const command = [process.execPath, 'test', import.meta.path, '--timeout', '3600000', '-t', NAME];
  const child = Bun.spawn(['unshare', '--mount', '--propagation', 'private', '--', ...command], {
    env: { ...process.env, SPLIT: '1', RUNS: String(Math.ceil(RUNS / 5)), SEED: String(SEED) },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [status, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  console.log(stdout);
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
}, 1_800_000);

/** Where a failure was found, as its message says: only that one is tried again. */
function pathOf(): { path?: string } {
  const path = process.env['SEED_PATH'];
  return path === undefined ? {} : { path };
}

/** In memory, where it can be: thousands of switches are synced. */
async function onSandbox(machine: Tree, task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : '/var/tmp';
  const root = mkdtempSync(`${parent}/activate-model-`);
  try {
    for (const directory of ['etc', 'run', 'var/lib']) mkdirSync(`${root}/${directory}`, { recursive: true });
    if (process.env['SPLIT'] !== undefined) mount(`${root}/var/lib`);
    writeTree(`${root}/etc`, machine);
    await task({ root, on: (path) => root + path, remove: () => undefined });
  } finally {
    if (process.env['SPLIT'] !== undefined) Bun.spawnSync(['umount', '--lazy', `${root}/var/lib`]);
    removeTree(root);
  }
}

/** Makes a directory a mount point: nothing can be renamed into it or out of it. */
function mount(directory: string): void {
  const { exitCode, stderr } = Bun.spawnSync(['mount', '-t', 'tmpfs', 'tmpfs', directory]);
  if (exitCode !== 0) throw new Error(String(stderr));
}
