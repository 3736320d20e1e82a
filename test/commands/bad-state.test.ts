import { describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Log } from '../../src/context';
import { tryLock } from '../../src/system/locking';
import { closeRoot, openRoot } from '../../src/system/tree/rooted';
import { activateOn, insistOn, runActivate } from '../support/cli';
import { writeClosure } from '../support/closures';
import { path } from '../support/entries';
import { refusalOf } from '../support/refusals';
import { removeTree, type Sandbox, withSandbox } from '../support/sandbox';
import { seal } from '../support/seal';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const STATE = '/var/lib/activate';

/** A machine on which generation 2 is live, and 1 was before. */
async function twoGenerations(sandbox: Sandbox): Promise<void> {
  const activate = insistOn(sandbox);
  await activate('switch', writeClosure(sandbox, 'one', { 'etc/motd': 'one\n', 'etc/old': 'x\n' }));
  await activate('switch', writeClosure(sandbox, 'two', { 'etc/motd': 'two\n' }));
}

function withTwoGenerations(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  return withSandbox(async (sandbox) => {
    await twoGenerations(sandbox);
    await task(sandbox);
  });
}

describe('a generation', () => {
  test('that is not there', async () => {
    await withTwoGenerations(async (sandbox) => {
      for (const argv of [
        ['diff', '7'],
        ['switch', '7'],
        ['test', '7'],
        ['boot', '7'],
        ['rollback', '7'],
      ]) {
        expect(await refusalOf(sandbox, 2, argv)).toEqual({
          path: sandbox.on(`${STATE}/generations/7`),
          message: 'there is no generation 7',
          hint: 'See `activate list`.',
        });
      }
    });
  });

  test('whose content is gone is not shown', async () => {
    await withTwoGenerations(async (sandbox) => {
      removeTree(sandbox.on(`${STATE}/generations/1/tree`));
      for (const argv of [['diff', '1'], ['switch', '1'], ['boot', '1'], ['rollback'], ['rollback', '--dry-run']]) {
        expect(await refusalOf(sandbox, 3, argv)).toEqual({
          path: sandbox.on(`${STATE}/generations/1/tree`),
          message: 'generation 1 cannot be shown: its content is gone',
          hint: 'Switch to its closure again, or to another generation (`activate list`).',
        });
      }
    });
  });

  test('that is live and whose content is gone is said to be, and can be left or made again', async () => {
    await withTwoGenerations(async (sandbox) => {
      const activate = activateOn(sandbox);
      removeTree(sandbox.on(`${STATE}/generations/2/tree`));
      const status = await activate('status');
      expect(status).toMatchObject({ status: 0, stderr: '' });
      expect(status.stdout).toContain(
        'What generation 2 shows is gone: switch to its closure again, or `activate rollback`.\n',
      );
      expect(await activate('switch', 'closures/two')).toMatchObject({ status: 0 });
      expect(readFileSync(sandbox.on(`${STATE}/generations/3/tree/etc/motd`), 'utf8')).toBe('two\n');
      expect((await activate('status')).stdout).not.toContain('gone');
      expect(await activate('rollback', '1')).toMatchObject({ status: 0 });
    });
  });

  test('before the live one there may be none', async () => {
    await withSandbox(async (sandbox) => {
      const activate = activateOn(sandbox);
      await activate('resume');
      const before = takeSnapshot(sandbox.root);
      expect(await activate('rollback')).toEqual({
        status: 2,
        stdout: '',
        stderr: 'activate: there is no generation to go back from: nothing is managed\nSee `activate list`.\n',
      });
      expect(takeSnapshot(sandbox.root)).toEqual(before);
    });
  });
});

describe('a record', () => {
  const newer = /^written by a newer activate \(schema 2; this one knows 1\)$/u;
  const damaged = /^the record is damaged: /u;

  test.each<[string, string, RegExp]>([
    ['generation.json', '{"schema": 2}', newer],
    ['generation.json', '{"schema": 2, "number": 2, "more": []}', newer],
    ['generation.json', '{"schema": 1, "number": 2}', damaged],
    ['generation.json', '', damaged],
    ['generation.json', '[]', damaged],
    ['generation.json', 'null', damaged],
    ['generation.json', '{"schema": "1"}', damaged],
    ['manifest.json', '{"schema": 2, "entries": {}}', newer],
    ['manifest.json', '{\n "schema": 2\n}', damaged],
    ['manifest.json', '{"schema":2,"roots":["/etc"],"entries":[\n]}\n', newer],
    ['manifest.json', '{"schema":1,"format":"tree","roots":["/etc"],"entries":[\n', damaged],
    ['manifest.json', '', damaged],
    ['manifest.json', 'null', damaged],
    ['ledger.json', '{"schema": 2}', newer],
    ['ledger.json', '{"schema": 1, "kept": {}}', damaged],
    ['ledger.json', '', damaged],
    ['ledger.json', '3', damaged],
  ])('%s that holds %s', async (name, text, message) => {
    await withTwoGenerations(async (sandbox) => {
      const file = sandbox.on(`${STATE}/generations/2/${name}`);
      writeFileSync(file, text);
      const hint = message === newer ? /^Use the activate that wrote it, or a newer one\.$/u : /^Restore it /u;
      for (const argv of [['status'], ['diff'], ['switch', '1'], ['rollback'], ['switch', 'closures/one']]) {
        expect(await refusalOf(sandbox, 65, argv)).toEqual({
          path: file,
          message: expect.stringMatching(message) as string,
          hint: expect.stringMatching(hint) as string,
        });
      }
    });
  });

  test.each<[string, RegExp]>([
    ['{"schema": 2}', newer],
    ['', damaged],
    ['{', damaged],
    ['[]', damaged],
    ['{"schema": 1}', damaged],
    ['{"schema":1,"from":1,"to":2,"phase":"late","roles":[],"staged":true,"firstBackup":1,"identities":{}}', damaged],
  ])('transition.json that holds %s', async (text, message) => {
    await withTwoGenerations(async (sandbox) => {
      const file = sandbox.on(`${STATE}/transition.json`);
      writeFileSync(file, text, { mode: 0o600 });
      for (const argv of [['status'], ['switch', '1'], ['rollback'], ['resume']]) {
        expect(await refusalOf(sandbox, 65, argv)).toEqual({
          path: file,
          message: expect.stringMatching(message) as string,
          hint: expect.stringMatching(/\.$/u) as string,
        });
      }
    });
  });

  test('without its manifest', async () => {
    await withTwoGenerations(async (sandbox) => {
      const file = sandbox.on(`${STATE}/generations/2/manifest.json`);
      rmSync(file);
      const { path, message } = await refusalOf(sandbox, 65, ['rollback']);
      expect({ path, message }).toEqual({ path: file, message: 'the record of the generation lacks its manifest' });
    });
  });

  test.each(['generation.json', 'manifest.json', 'ledger.json'])(
    'of another generation that is damaged is in nobody’s way: %s',
    async (name) => {
      await withTwoGenerations(async (sandbox) => {
        writeFileSync(sandbox.on(`${STATE}/generations/1/${name}`), '');
        const activate = activateOn(sandbox);
        expect((await activate('status')).status).toBe(0);
        expect((await activate('switch', writeClosure(sandbox, 'three', { 'etc/motd': 'three\n' }))).status).toBe(0);
        expect((await activate('rollback')).status).toBe(0);
        expect((await activate('rollback', '0')).status).toBe(0);
      });
    },
  );
});

describe('a role', () => {
  const hint = 'Make it a link to generations/N, or remove it where nothing is managed.';

  test.each<[string, string]>([
    ['nowhere', 'this is not a link to a generation'],
    ['generations/01', 'this is not a link to a generation'],
    ['../generations/1', 'this is not a link to a generation'],
    ['generations/9', 'it leads to generation 9, which is not there'],
  ])('live that is a link to %s', async (text, message) => {
    await withTwoGenerations(async (sandbox) => {
      const path = sandbox.on(`${STATE}/live`);
      rmSync(path);
      symlinkSync(text, path);
      for (const argv of [['status'], ['diff', '1'], ['switch', '1'], ['rollback']])
        expect(await refusalOf(sandbox, 65, argv)).toEqual({ path, message, hint });
    });
  });

  test('live that is a directory', async () => {
    await withTwoGenerations(async (sandbox) => {
      const path = sandbox.on(`${STATE}/live`);
      rmSync(path);
      mkdirSync(path);
      const refusal = await refusalOf(sandbox, 65, ['list']);
      expect(refusal).toEqual({ path, message: 'this is not a link to a generation', hint });
    });
  });

  test('default that leads nowhere is said to, and is put right by a switch', async () => {
    await withTwoGenerations(async (sandbox) => {
      const path = sandbox.on(`${STATE}/default`);
      rmSync(path);
      symlinkSync('generations/9', path);
      expect(await refusalOf(sandbox, 65, ['diff'])).toEqual({
        path,
        message: 'it leads to generation 9, which is not there',
        hint,
      });
      expect((await activateOn(sandbox)('status')).stdout).toContain(
        'The next boot passes over generation 9, the default: it is not there, or its record is damaged.\n',
      );
      expect((await activateOn(sandbox)('switch', '2')).status).toBe(0);
      expect((await activateOn(sandbox)('status')).stdout).toContain('default  the same\n');
    });
  });
});

test('after the records are lost, a switch takes over what is left of them', async () => {
  await withSandbox(async (sandbox) => {
    writeFileSync(sandbox.on('/etc/hosts'), 'own\n');
    await twoGenerations(sandbox);
    const etc = takeSnapshot(sandbox.on('/etc'));
    removeTree(sandbox.on(STATE));
    const said = await insistOn(sandbox)('switch', 'closures/two');
    expect(said).toStartWith('Generation 1 is live: ');
    expect(compareSnapshots(etc, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
  });
});

test('another activation is waited for by whoever starts this one', async () => {
  await withTwoGenerations(async (sandbox) => {
    const root = openRoot(sandbox.root);
    const lock = tryLock(root, path('/run/activate/lock'));
    try {
      for (const argv of [['switch', '1'], ['boot', '1'], ['rollback'], ['resume'], ['gc', '--keep', '1']]) {
        const { status, stdout, stderr } = await activateOn(sandbox)(...argv);
        expect([status, stdout]).toEqual([75, '']);
        expect(stderr).toStartWith(
          `activate: /run/activate/lock: another activation is running: process ${process.pid}, `,
        );
        expect(stderr).toEndWith('\nWait for it to finish, or use --wait SECONDS.\n');
      }
      for (const argv of [['status'], ['diff', '1'], ['list']])
        expect((await activateOn(sandbox)(...argv)).status).toBe(0);
    } finally {
      if (lock.state === 'held') lock.lock.release();
      closeRoot(root);
    }
  });
});

const ignore = (): void => undefined;

/** Keeps the warnings. */
function logTo(): Log & { readonly said: string[] } {
  const said: string[] = [];
  return { said, debug: ignore, info: ignore, warn: (message) => void said.push(message), error: ignore };
}

test('what is left of a generation that was dropped goes, and a new one of its number stays', async () => {
  await withTwoGenerations(async (sandbox) => {
    mkdirSync(sandbox.on(`${STATE}/generations/.dropping-2`));
    const before = takeSnapshot(sandbox.on(`${STATE}/generations/2`));
    await insistOn(sandbox)('resume');
    const after = takeSnapshot(sandbox.on(`${STATE}/generations`)).map(({ path }) => path);
    expect(after.filter((path) => path.startsWith('/.'))).toEqual([]);
    expect(compareSnapshots(before, takeSnapshot(sandbox.on(`${STATE}/generations/2`)), { times: true })).toEqual([]);
  });
});

test('what was interrupted comes first', async () => {
  await withTwoGenerations(async (sandbox) => {
    const journal = {
      schema: 1,
      from: 2,
      to: 3,
      phase: 'create',
      roles: [],
      staged: true,
      firstBackup: 1,
      identities: {},
      phases: { create: [], swap: [], remove: [], discard: [], backups: [], spent: [] },
    };
    writeFileSync(sandbox.on(`${STATE}/transition.json`), seal(journal), { mode: 0o600 });
    const activate = activateOn(sandbox);
    expect(await activate('gc', '--keep', '1')).toEqual({
      status: 3,
      stdout: '',
      stderr:
        'activate: the transition from generation 2 to 3 was interrupted\nFinish or undo it first: `activate resume`.\n',
    });
    expect((await activate('status')).stdout).toContain(
      'The transition from generation 2 to 3 is under way or was interrupted: `activate resume`.\n',
    );
    const log = logTo();
    for (const argv of [['diff'], ['list'], ['verify'], ['backups']])
      await runActivate(['--root', sandbox.root, ...argv], { log });
    expect(log.said).toEqual(
      Array.from({ length: 4 }, () => 'a transition is under way or was interrupted: see `activate status`'),
    );
    expect(await activate('resume')).toEqual({
      status: 0,
      stdout: 'The transition from generation 2 to 3 was undone; generation 2 is live.\n',
      stderr: '',
    });
    expect(await activate('resume')).toMatchObject({ stdout: 'Nothing was interrupted; nothing to do.\n' });
    writeFileSync(sandbox.on(`${STATE}/transition.json`), seal(journal), { mode: 0o600 });
    const second = logTo();
    const switched = await runActivate(['--root', sandbox.root, 'switch', '1'], { log: second });
    expect(switched).toMatchObject({ status: 0, stderr: '' });
    expect(second.said).toEqual([
      'the transition from generation 2 to 3 had been interrupted; it was undone, and generation 2 was live before this command began',
    ]);
  });
});
