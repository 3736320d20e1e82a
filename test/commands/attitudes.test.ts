import { describe, expect, test } from 'bun:test';
import { chmodSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const ADVICE = [
  '--on-conflict backup  takes these over; the originals come back when the paths are given up',
  "--on-conflict keep    leaves the machine's in place",
];

/** A machine with a motd and a directory of its own, and a closure that has others. */
function withConflict(task: (sandbox: Sandbox, closure: string) => Promise<void>, rules = ''): Promise<void> {
  return withSandbox(async (sandbox) => {
    writeContents(sandbox.root, { 'etc/motd': { file: 'own\n', mode: 0o640, uid: 7 }, 'etc/x/own': 'own\n' });
    const policy = rules === '' ? {} : { 'activation.toml': `schema = 1\n${rules}` };
    const closure = writeClosure(sandbox, 'a', { ...policy, 'etc/motd': 'ours\n', 'etc/new': 'new\n' });
    await task(sandbox, closure);
  });
}

function motd(sandbox: Sandbox): string {
  const path = sandbox.on('/etc/motd');
  return lstatSync(path).isSymbolicLink() ? 'ours' : readFileSync(path, 'utf8');
}

describe('a conflict', () => {
  test('is refused, with every path and what to do about it', async () => {
    await withConflict(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/x': { link: 'elsewhere' } });
      const activate = activateOn(sandbox);
      await activate('resume');
      const before = takeSnapshot(sandbox.root);
      expect(await activate('switch', closure)).toEqual({
        status: 3,
        stdout: '',
        stderr: [
          'activate: 2 conflicts; nothing was changed:',
          "  /etc/motd: a file of the machine's is there",
          "  /etc/x: a directory of the machine's is there",
          ...ADVICE,
          '',
        ].join('\n'),
      });
      const json = await activate('switch', closure, '--json');
      expect({ ...json, stdout: JSON.parse(json.stdout) as unknown }).toEqual({
        status: 3,
        stdout: {
          schema: 1,
          state: 'refused',
          conflicts: [
            {
              path: '/etc/motd',
              reason: 'unmanaged',
              found: { kind: 'file', mode: '0640', uid: 7, gid: 0, sizeBytes: 4 },
              message: "a file of the machine's is there",
            },
            {
              path: '/etc/x',
              reason: 'unmanaged',
              found: { kind: 'directory', mode: '0755', uid: 0, gid: 0 },
              message: "a directory of the machine's is there",
            },
          ],
          elapsedMs: expect.any(Number) as number,
        },
        stderr: '',
      });
      for (const verb of ['test', 'boot']) expect((await activate(verb, closure)).status).toBe(3);
      expect((await activate('switch', closure, '--dry-run')).status).toBe(3);
      expect(takeSnapshot(sandbox.root)).toEqual(before);
    });
  });

  test('is none where content, mode and owner are the same', async () => {
    await withConflict(async (sandbox, closure) => {
      writeFileSync(sandbox.on('/etc/motd'), 'ours\n');
      expect((await activateOn(sandbox)('switch', closure)).status).toBe(3);
      rmSync(sandbox.on('/etc/motd'));
      writeContents(sandbox.root, { 'etc/motd': 'ours\n' });
      const before = takeSnapshot(sandbox.on('/etc'));
      await insistOn(sandbox)('switch', closure);
      expect(motd(sandbox)).toBe('ours');
      await insistOn(sandbox)('rollback', '0');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
    });
  });

  test('with backup is taken over, and the original comes back', async () => {
    await withConflict(async (sandbox, closure) => {
      const before = takeSnapshot(sandbox.on('/etc'));
      const said = await insistOn(sandbox)('switch', closure, '--on-conflict', 'backup');
      expect(said).toStartWith("1 original of the machine's kept, to come back on rollback.\nGeneration 1 is live: ");
      expect(motd(sandbox)).toBe('ours');
      expect(await insistOn(sandbox)('status')).toContain(
        "0 drifted, 0 kept as the machine's, 1 original to come back",
      );
      await insistOn(sandbox)('rollback');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
    });
  });

  test('with keep is left, and kept at the next switch until somebody says otherwise', async () => {
    await withConflict(async (sandbox, closure) => {
      const activate = activateOn(sandbox);
      const kept = "/etc/motd: the machine's own stays\n";
      expect(await activate('switch', closure, '--on-conflict', 'keep')).toMatchObject({ status: 0, stderr: kept });
      writeContents(closure, { 'etc/newer': 'x\n' });
      expect(await activate('switch', closure)).toMatchObject({ status: 0, stderr: kept });
      // What is said about drift says nothing about conflicts.
      for (const onDrift of ['backup', 'keep', 'refuse'])
        expect(await activate('switch', closure, '--on-drift', onDrift)).toMatchObject({ status: 0, stderr: kept });
      expect((await activate('status')).stdout).toContain(
        "paths    4 managed, 0 drifted, 1 kept as the machine's, 0 originals to come back\n  kept: /etc/motd\n",
      );
      expect(await activate('diff')).toEqual({ status: 0, stdout: '', stderr: `kept: ${kept}` });
      expect(motd(sandbox)).toBe('own\n');
      expect(await activate('switch', closure, '--on-conflict', 'refuse')).toMatchObject({ status: 3 });
      expect(await activate('switch', closure, '--on-conflict', 'backup')).toMatchObject({ status: 0, stderr: '' });
      expect(motd(sandbox)).toBe('ours');
    });
  });

  test('that was kept is the machine’s when everything is given back', async () => {
    await withConflict(async (sandbox, closure) => {
      const before = takeSnapshot(sandbox.on('/etc'));
      await insistOn(sandbox)('switch', closure, '--on-conflict', 'keep');
      await insistOn(sandbox)('rollback', '0');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
    });
  });

  test('is for the policy to decide, which wins over the command line', async () => {
    await withConflict(async (sandbox, closure) => {
      await insistOn(sandbox)('switch', closure, '--on-conflict', 'refuse');
      expect(motd(sandbox)).toBe('ours');
    }, '[[path]]\nmatch = "/etc/motd"\non-conflict = "backup"\n');
    await withConflict(async (sandbox, closure) => {
      await insistOn(sandbox)('switch', closure, '--on-conflict', 'backup');
      expect(motd(sandbox)).toBe('own\n');
      await insistOn(sandbox)('switch', closure, '--on-conflict', 'backup');
      expect(motd(sandbox)).toBe('own\n');
    }, '[[path]]\nmatch = "motd"\non-conflict = "keep"\n');
  });

  test('about an immutable file says so', async () => {
    await withConflict(async (sandbox, closure) => {
      const path = sandbox.on('/etc/motd');
      const chattr = Bun.spawnSync(['chattr', '+i', path]);
      expect(chattr.exitCode).toBe(0);
      try {
        const { status, stderr } = await activateOn(sandbox)('switch', closure, '--on-conflict', 'backup');
        expect({ status, stderr }).toEqual({
          status: 3,
          stderr:
            'activate: 1 conflict; nothing was changed:\n  /etc/motd: it is or lies in an immutable place\nBlocked paths: unmount, `chattr -i -a`, or remount read-write first.\n',
        });
      } finally {
        Bun.spawnSync(['chattr', '-i', path]);
      }
    });
  });
});

/** Somebody edited what generation 1 placed. */
function withDrift(task: (sandbox: Sandbox, closure: string) => Promise<void>, rules = ''): Promise<void> {
  return withSandbox(async (sandbox) => {
    const policy = `schema = 1\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n${rules}`;
    const files = { 'etc/motd': 'ours\n', 'etc/copy': 'ours\n', 'etc/gone': 'x\n', 'etc/other': 'x\n' };
    const closure = writeClosure(sandbox, 'a', { 'activation.toml': policy, ...files });
    await insistOn(sandbox)('switch', closure);
    rmSync(sandbox.on('/etc/motd'));
    rmSync(sandbox.on('/etc/gone'));
    writeContents(sandbox.root, { 'etc/motd': 'edited\n' });
    writeFileSync(sandbox.on('/etc/copy'), 'edited\n');
    chmodSync(sandbox.on('/etc/copy'), 0o600);
    await task(sandbox, closure);
  });
}

/** What the backups hold, in the order of their numbers. */
function backups(sandbox: Sandbox): string[] {
  const directory = sandbox.on('/var/lib/activate/backups');
  return readdirSync(directory)
    .toSorted((a, b) => Number(a) - Number(b))
    .map((number) => readFileSync(`${directory}/${number}/content`, 'utf8'));
}

describe('drift', () => {
  test('is counted, and shown by diff', async () => {
    await withDrift(async (sandbox) => {
      const activate = insistOn(sandbox);
      expect(await activate('status')).toEndWith(
        [
          "paths    5 managed, 3 drifted, 0 kept as the machine's, 0 originals to come back",
          '  first what changed since it was written, then what the default would change',
          '  (A added, M modified, D deleted, T of another kind):',
          '  M M  /etc/copy',
          '  D A  /etc/gone',
          '  T T  /etc/motd',
          '`activate diff 1` shows what putting it right would change; `activate switch 1` does it.',
          '',
        ].join('\n'),
      );
      expect(JSON.parse(await activate('status', '--json'))).toMatchObject({
        drifted: ['/etc/copy', '/etc/gone', '/etc/motd'],
        kept: [],
      });
      expect(await activate('diff', '--name-status', '1')).toBe('M\t/etc/copy\nA\t/etc/gone\nM\t/etc/motd\n');
    });
  });

  test('is put right, and what was edited is kept as numbered backups', async () => {
    await withDrift(async (sandbox, closure) => {
      expect(await insistOn(sandbox)('switch', closure)).toMatch(
        /^\/etc\/copy had been changed; the change is backup 1\.\n\/etc\/motd had been changed; the change is backup 2\.\nGeneration 1 is live: 3 paths changed in /u,
      );
      expect(motd(sandbox)).toBe('ours');
      expect(backups(sandbox)).toEqual(['edited\n', 'edited\n']);
      expect(await insistOn(sandbox)('status')).toContain('0 drifted');
    });
  });

  test('is refused where that was asked for', async () => {
    await withDrift(async (sandbox) => {
      const { status, stderr } = await activateOn(sandbox)('rollback', '0', '--on-drift', 'refuse');
      expect({ status, stderr }).toEqual({
        status: 3,
        stderr: [
          'activate: 2 conflicts; nothing was changed:',
          '  /etc/copy: it was changed since it was placed: a file is there now',
          '  /etc/motd: it was changed since it was placed: a file is there now',
          '--on-drift backup     puts ours back, and keeps the changes as backups',
          '--on-drift keep       leaves the changes in place',
          '--on-drift merge      merges changes of text, where they do not meet ours',
          '',
        ].join('\n'),
      });
    });
  });

  test('with keep stays, and is kept at the next switch until somebody says otherwise', async () => {
    await withDrift(async (sandbox, closure) => {
      const activate = activateOn(sandbox);
      expect(await activate('switch', closure, '--on-drift', 'keep')).toMatchObject({ status: 0 });
      const status = (await activate('status')).stdout;
      expect(status).toContain("0 drifted, 3 kept as the machine's");
      expect(await activate('switch', closure)).toMatchObject({
        status: 0,
        stdout: 'Generation 1 is live already; nothing to do.\n',
      });
      expect(await activate('switch', closure, '--on-conflict', 'backup')).toMatchObject({ status: 0 });
      writeContents(closure, { 'etc/more': 'x\n' });
      expect(await activate('switch', closure)).toMatchObject({ status: 0 });
      expect([motd(sandbox), readFileSync(sandbox.on('/etc/copy'), 'utf8')]).toEqual(['edited\n', 'edited\n']);
      expect(await activate('switch', closure, '--on-drift', 'backup')).toMatchObject({ status: 0 });
      expect([motd(sandbox), readFileSync(sandbox.on('/etc/copy'), 'utf8')]).toEqual(['ours', 'ours\n']);
    });
  });

  test('that was kept is left to the machine when the path is given up', async () => {
    await withDrift(async (sandbox, closure) => {
      await insistOn(sandbox)('switch', closure, '--on-drift', 'keep');
      await insistOn(sandbox)('rollback', '0');
      expect([motd(sandbox), readFileSync(sandbox.on('/etc/copy'), 'utf8')]).toEqual(['edited\n', 'edited\n']);
      expect(readdirSync(sandbox.on('/etc')).toSorted()).toEqual(['copy', 'motd']);
    });
  });

  test('is for the policy to decide', async () => {
    await withDrift(async (sandbox, closure) => {
      expect(await insistOn(sandbox)('status')).toContain('3 drifted');
      await insistOn(sandbox)('switch', closure, '--on-drift', 'refuse');
      expect(motd(sandbox)).toBe('edited\n');
      expect(readFileSync(sandbox.on('/etc/copy'), 'utf8')).toBe('ours\n');
    }, '[[path]]\nmatch = "motd"\non-drift = "keep"\n[[path]]\nmatch = "/etc/*"\non-drift = "backup"\n');
  });

  test('that equals what comes is none', async () => {
    await withDrift(async (sandbox, closure) => {
      writeFileSync(`${closure}/etc/copy`, 'edited\n');
      chmodSync(`${closure}/etc/copy`, 0o600);
      expect(await insistOn(sandbox)('switch', closure)).not.toContain('/etc/copy');
    });
  });
});
