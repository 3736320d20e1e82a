import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeClosure, writeContents } from '../support/closures';
import { makeSandbox, makeTemporaryDirectory, removeTree, type Sandbox, withSandbox } from '../support/sandbox';
import { takeSnapshot } from '../support/snapshot';

// What only the program itself shows: streams, colours, and another user. Needs `npm run build`.
let directory = '';
let sandbox: Sandbox;

beforeAll(() => {
  directory = makeTemporaryDirectory();
  // The project may lie where others than root may not look.
  copyFileSync(join(import.meta.dir, '../../dist/activate'), join(directory, 'activate'));
  chmodSync(join(directory, 'activate'), 0o755);
  sandbox = makeSandbox();
  writeClosure(sandbox, 'big', { 'etc/big': 'a line\n'.repeat(200_000), 'etc/small': 'x\n' });
});

afterAll(() => {
  removeTree(directory);
  sandbox.remove();
});

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function shell(script: string, environment: Readonly<Record<string, string>> = {}): Ran {
  const PATH = `${directory}:${process.env['PATH']}`;
  const env = { PATH, ROOT: sandbox.root, TERM: 'xterm', ...environment };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `cd "$ROOT"; ${script}`], { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

/** Runs `activate` as a user who owns nothing. */
function asNobody(root: string, ...argv: readonly string[]): Ran {
  const program = join(directory, 'activate');
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const { status, stdout, stderr } = spawnSync('setpriv', [...user, program, '--root', root, ...argv], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('output', () => {
  test('may be read as far as somebody likes', () => {
    expect(shell('set -o pipefail; activate --root . diff closures/big | head -1')).toEqual({
      status: 0,
      stdout: 'diff --git a/etc/big b/etc/big\n',
      stderr: '',
    });
    expect(shell('activate --root . diff closures/big | true; echo "${PIPESTATUS[@]}"').stdout).toBe('0 0\n');
    expect(shell('activate --root . diff closures/big | wc -c').stdout.trim()).toMatch(/^1600\d{3}$/u);
  });

  test('that does not fit is an error, and one line', () => {
    expect(shell('activate --root . diff closures/big > /dev/full')).toEqual({
      status: 74,
      stdout: '',
      stderr: 'activate: cannot write the output: ENOSPC: no space left on device, write\n',
    });
  });

  test('that nobody takes stops nothing', () => {
    expect(shell('activate --root . switch nothing 2> /dev/full')).toEqual({ status: 65, stdout: '', stderr: '' });
    expect(shell('activate --root . switch nothing 2>&-').status).toBe(65);
    expect(shell('set -o pipefail; activate --root . switch nothing 2>&1 | true').status).toBe(65);
    expect(shell('activate --root . list >&-').status).toBe(0);
  });

  test('has colours on a terminal, unless somebody objects', () => {
    const onTerminal = (environment: Readonly<Record<string, string>>): string =>
      shell('script -qec "activate --root . diff --stat closures/big" /dev/null < /dev/null', environment).stdout;
    expect(onTerminal({})).toContain('\u001b[32m+');
    expect(onTerminal({ NO_COLOR: '1' })).not.toContain('\u001b');
    expect(onTerminal({ TERM: 'dumb' })).not.toContain('\u001b');
    expect(shell('activate --root . diff --stat closures/big').stdout).not.toContain('\u001b');
  });

  test('keeps to the width of the terminal', () => {
    for (const columns of [80, 40]) {
      const script = `stty cols ${columns}; activate --root . diff --stat closures/big`;
      const { stdout } = shell(`script -qec "${script}" /dev/null < /dev/null`, { NO_COLOR: '1' });
      const lines = stdout.replaceAll('\r', '').trimEnd().split('\n').slice(0, -1);
      expect(lines).toHaveLength(2);
      expect(lines.filter((line) => line.length >= columns)).toEqual([]);
    }
  });

  test('of messages goes to stderr', () => {
    const { status, stdout, stderr } = shell('activate --root . switch nothing');
    expect({ status, stdout }).toEqual({ status: 65, stdout: '' });
    expect(stderr).toEndWith(
      '/nothing: there is no such closure\nName a built system, or a directory with etc in it.\n',
    );
  });
});

/** A closure in which a user may not read one thing, and a machine on which it is live. */
function withSecret(task: (own: Sandbox, closure: string) => void): Promise<void> {
  return withSandbox((own) => {
    writeContents(own.root, { 'etc/secret': { file: 'own\n', mode: 0o600 } });
    const closure = writeClosure(own, 'a', { 'etc/secret': { file: 'ours\n', mode: 0o600 }, 'etc/motd': 'x\n' });
    task(own, closure);
  });
}

describe('a user who is not root', () => {
  test('sees what would change, as far as files can be read', async () => {
    await withSecret((own, closure) => {
      const { status, stdout, stderr } = asNobody(
        own.root,
        'diff',
        '--name-status',
        '--on-conflict',
        'backup',
        closure,
      );
      expect({ status, stdout }).toEqual({ status: 0, stdout: 'A\t/etc/motd\nM\t/etc/secret\n' });
      expect(stderr).toBe('not read: /etc/secret: cannot read the file: permission denied\n');
    });
  });

  test.each([['etc/sub'], ['etc'], ['']])('is told which part of a closure cannot be read: /%s', async (closed) => {
    await withSandbox((own) => {
      const closure = writeClosure(own, 'a', { 'etc/sub/x': 'x\n' });
      chmodSync(join(closure, closed), 0o700);
      const before = takeSnapshot(own.root);
      for (const argv of [
        ['diff', closure],
        ['generate', closure, '--output', 'bundle'],
      ]) {
        const { status, stdout, stderr } = asNobody(own.root, ...argv);
        expect({ status, stdout }).toEqual({ status: 77, stdout: '' });
        expect(stderr).toStartWith(`activate: ${join(closure, closed)}`);
        expect(stderr).toMatch(/: cannot .*: permission denied\nRun as root\.\n$/u);
      }
      expect(takeSnapshot(own.root)).toEqual(before);
    });
  });

  test('cannot generate from a file that cannot be read', async () => {
    await withSecret((own, closure) => {
      mkdirSync(own.on('/out'));
      chmodSync(own.on('/out'), 0o777);
      const before = takeSnapshot(own.root);
      expect(asNobody(own.root, 'generate', closure, '--output', 'out/bundle')).toEqual({
        status: 77,
        stdout: '',
        stderr: 'activate: /etc/secret: cannot read the file: permission denied\nRun this as a user who may read it.\n',
      });
      expect(takeSnapshot(own.root)).toEqual(before);
    });
  });

  test('can generate without being root', async () => {
    await withSandbox((own) => {
      const closure = writeClosure(own, 'a', { 'etc/x': 'x\n', 'etc/y': { link: 'x' } });
      mkdirSync(own.on('/out'));
      chmodSync(own.on('/out'), 0o777);
      expect(asNobody(own.root, 'generate', closure, '--output', 'out/bundle')).toMatchObject({
        status: 0,
        stderr: '',
      });
    });
  });

  test('sees the state, and no drift where the record is not for everyone', async () => {
    await withSecret((own, closure) => {
      const switched = spawnSync(join(directory, 'activate'), [
        '--root',
        own.root,
        'switch',
        closure,
        '--on-conflict',
        'backup',
      ]);
      expect(switched.status).toBe(0);
      expect(asNobody(own.root, 'status').stdout).toContain(' 0 drifted, ');
      expect(asNobody(own.root, 'list').status).toBe(0);
      expect(asNobody(own.root, 'diff', '--exit-code')).toEqual({ status: 0, stdout: '', stderr: '' });
      writeFileSync(own.on('/var/lib/activate/transition.json'), '{', { mode: 0o600 });
      expect(asNobody(own.root, 'status').stdout).toContain(
        'A transition is under way, or was interrupted: root can tell.\n',
      );
    });
  });

  test.each(['switch closures/a', 'boot closures/a', 'rollback', 'resume', 'gc --keep 1'])(
    'changes nothing: %s',
    async (line) => {
      await withSecret((own) => {
        const before = takeSnapshot(own.root);
        const { status, stdout, stderr } = asNobody(own.root, ...line.split(' '));
        expect({ status, stdout }).toEqual({ status: 77, stdout: '' });
        expect(stderr).toMatch(/^activate: .*: permission denied\nRun as root\.\n$/u);
        expect(takeSnapshot(own.root)).toEqual(before);
      });
    },
  );
});
