import { describe, expect, test } from 'bun:test';
import { existsSync, lstatSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

/** What is at a path of the machine: kind, mode, owner, and text. */
function at(sandbox: Sandbox, path: string): string | undefined {
  const status = lstatSync(sandbox.on(path), { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  if (status.isSymbolicLink()) return `link ${readlinkSync(sandbox.on(path))}`;
  const ownership = `${(status.mode & 0o7777).toString(8).padStart(4, '0')} ${status.uid}:${status.gid}`;
  return status.isDirectory()
    ? `directory ${ownership}`
    : `file ${ownership} ${readFileSync(sandbox.on(path), 'utf8')}`;
}

/** What a program that runs in the sandbox reads at a path that is a link of ours. */
function shown(sandbox: Sandbox, path: string): string {
  const overlay = readlinkSync(sandbox.on('/run/filesystem-overlay'));
  return readFileSync(sandbox.on(overlay + path), 'utf8');
}

function etc(sandbox: Sandbox): Seen[] {
  return takeSnapshot(sandbox.on('/etc'));
}

const overlay = (path: string): string => `link /run/filesystem-overlay${path}`;

const policy = `schema = 1
[[path]]
match = "/etc/copied"
place = "copy"
[[path]]
match = "/etc/styled"
mode = "0640"
owner = 12
group = "users"
[[path]]
match = "/etc/seeded"
place = "seed"
[[path]]
match = "/etc/skipped"
place = "skip"
[[path]]
match = "/etc/named"
place = "directory"
mode = "0750"
[[path]]
match = "/etc/whole/"
place = "link"
[[path]]
match = "/etc/through"
place = "link"
`;

const everything: Contents = {
  'activation.toml': policy,
  'etc/group': 'users:x:100:\n',
  'etc/file': 'file\n',
  'etc/secret': { file: 'secret\n', mode: 0o600 },
  'etc/copied': { file: 'copied\n', mode: 0o755 },
  'etc/styled': 'styled\n',
  'etc/seeded': 'seeded\n',
  'etc/skipped/x': 'skipped\n',
  'etc/named/x': 'x\n',
  'etc/whole/x': 'x\n',
  'etc/whole/y/z': 'z\n',
  'etc/direct': { link: '../usr/share/x' },
  'etc/through': { link: 'file' },
  'etc/private': { directory: 0o700 },
  'etc/theirs': { directory: 0o755, uid: 12 },
  'etc/theirs/x': 'x\n',
  'etc/sudoers': { file: 'root ALL\n', mode: 0o440 },
  'usr/x': 'not in a root\n',
};

describe('switch', () => {
  test('places each path as the policy says', async () => {
    await withSandbox(async (sandbox) => {
      await insistOn(sandbox)('switch', writeClosure(sandbox, 'a', everything));
      const paths = Object.keys(everything).map((name) => name.replace(/^etc/u, '/etc'));
      expect(Object.fromEntries(paths.map((path) => [path, at(sandbox, path)]))).toEqual({
        'activation.toml': undefined,
        '/etc/group': 'file 0644 0:0 users:x:100:\n',
        '/etc/file': overlay('/etc/file'),
        '/etc/secret': overlay('/etc/secret'),
        '/etc/copied': 'file 0755 0:0 copied\n',
        '/etc/styled': 'file 0640 12:100 styled\n',
        '/etc/seeded': 'file 0644 0:0 seeded\n',
        '/etc/skipped/x': undefined,
        '/etc/named/x': overlay('/etc/named/x'),
        '/etc/whole/x': undefined,
        '/etc/whole/y/z': undefined,
        '/etc/direct': 'link ../usr/share/x',
        '/etc/through': overlay('/etc/through'),
        '/etc/private': 'directory 0700 0:0',
        '/etc/theirs': 'directory 0755 12:0',
        '/etc/theirs/x': 'file 0644 0:0 x\n',
        '/etc/sudoers': 'file 0440 0:0 root ALL\n',
        'usr/x': undefined,
      });
      expect(at(sandbox, '/etc/whole')).toBe(overlay('/etc/whole'));
      expect(at(sandbox, '/etc/named')).toBe('directory 0750 0:0');
      expect([shown(sandbox, '/etc/file'), shown(sandbox, '/etc/whole/y/z')]).toEqual(['file\n', 'z\n']);
    });
  });

  test('says what it did, and the second time that there is nothing to do', async () => {
    await withSandbox(async (sandbox) => {
      const activate = activateOn(sandbox);
      writeClosure(sandbox, 'a', { 'etc/x': 'x\n', 'etc/y': 'y\n' });
      expect(await activate('switch', 'closures/a')).toEqual({
        status: 0,
        stdout: expect.stringMatching(
          /^Generation 1 is live: 2 paths changed in [\d.]+ m?s, the swap [\d.]+ m?s\.\n$/u,
        ) as string,
        stderr: '',
      });
      const before = takeSnapshot(sandbox.root, { inodes: true });
      expect(await activate('switch', 'closures/a')).toEqual({
        status: 0,
        stdout: 'Generation 1 is live already; nothing to do.\n',
        stderr: '',
      });
      expect(takeSnapshot(sandbox.root, { inodes: true })).toEqual(before);
    });
  });

  test('does not see what becomes of the closure later', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/x': 'x\n' });
      await insistOn(sandbox)('switch', closure);
      writeFileSync(`${closure}/etc/x`, 'changed\n');
      expect(shown(sandbox, '/etc/x')).toBe('x\n');
      expect(await insistOn(sandbox)('diff')).toBe('');
      expect(await insistOn(sandbox)('switch', closure)).toStartWith('Generation 2 is live: 1 path changed');
      expect(shown(sandbox, '/etc/x')).toBe('changed\n');
    });
  });

  test('to a generation goes back to what it showed', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', writeClosure(sandbox, 'a', everything));
      const before = etc(sandbox);
      await activate('switch', writeClosure(sandbox, 'b', { 'etc/file': 'b\n', 'etc/named': { link: 'x' } }));
      expect(await activate('switch', '1')).toStartWith('Generation 1 is live: ');
      // Seeds stay as they were made.
      expect(compareSnapshots(before, etc(sandbox), { times: true })).toEqual([]);
    });
  });

  test('takes a directory that is named like a number for a closure when it is written as a path', async () => {
    await withSandbox(async (sandbox) => {
      writeContents(sandbox.on('/7'), { 'etc/x': 'x\n' });
      expect((await activateOn(sandbox)('switch', '7')).status).toBe(2);
      expect((await activateOn(sandbox)('switch', './7')).status).toBe(0);
    });
  });

  test('to 0 gives everything back', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      writeContents(sandbox.root, { 'etc/file': { file: 'own\n', mode: 0o600, uid: 1 }, 'etc/named': 'own\n' });
      const before = etc(sandbox);
      await activate('switch', writeClosure(sandbox, 'a', everything), '--on-conflict', 'backup');
      expect(await activate('switch', '0')).toStartWith('Generation 0 (nothing managed) is live: ');
      const left = compareSnapshots(before, etc(sandbox), { times: true });
      expect(left).toEqual(['/group: appeared (file)', '/seeded: appeared (file)']);
      expect(existsSync(sandbox.on('/run/filesystem-overlay'))).toBe(false);
    });
  });
});

test('what has the longest name that there is comes back into a directory', async () => {
  await withSandbox(async (sandbox) => {
    const activate = insistOn(sandbox);
    const name = 'x'.repeat(255);
    writeContents(sandbox.on('/etc/a'), { [name]: 'one\n' });
    const before = etc(sandbox);
    await activate('switch', writeClosure(sandbox, '1', { 'etc/a': { directory: 0o755 } }));
    const whole = 'schema = 1\n[[path]]\nmatch = "/etc/a/"\nplace = "link"\n';
    const two = { 'activation.toml': whole, 'etc/a/b': '' };
    await activate('switch', writeClosure(sandbox, '2', two), '--on-conflict', 'backup');
    await activate('rollback');
    expect(compareSnapshots(before, etc(sandbox), { times: false })).toEqual([]);
  });
});

describe('a seed', () => {
  test('where the machine has a directory is not made, and what a generation had taken over in it comes back', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      writeContents(sandbox.on('/etc'), { 'b/a': 'one\n' });
      const before = etc(sandbox);
      await activate('switch', writeClosure(sandbox, '1', { 'etc/b/a': 'one\n' }));
      const seed = 'schema = 1\n[[path]]\nmatch = "b"\nplace = "seed"\n';
      const two = writeClosure(sandbox, '2', { 'activation.toml': seed, 'etc/b': { link: '/nowhere' } });
      await activate('switch', two);
      expect(compareSnapshots(before, etc(sandbox), { times: false })).toEqual([]);
      await activate('rollback', '0');
      expect(compareSnapshots(before, etc(sandbox), { times: false })).toEqual([]);
    });
  });

  test('is made once, and is never touched again', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      writeContents(sandbox.root, { 'etc/passwd': { file: 'own\n', mode: 0o640 } });
      const one = writeClosure(sandbox, 'a', { 'etc/passwd': 'a\n', 'etc/shadow': { file: 'a\n', mode: 0o600 } });
      const two = writeClosure(sandbox, 'b', { 'etc/passwd': 'b\n', 'etc/shadow': 'b\n' });
      expect(await activate('switch', one)).toStartWith('Generation 1 is live: 1 path changed');
      expect(at(sandbox, '/etc/shadow')).toBe('file 0600 0:0 a\n');
      expect(await activate('switch', two)).toStartWith('Generation 2 is live: 0 paths changed');
      await activate('rollback', '0');
      expect(at(sandbox, '/etc/passwd')).toBe('file 0640 0:0 own\n');
      expect(at(sandbox, '/etc/shadow')).toBe('file 0600 0:0 a\n');
    });
  });

  test('that is gone is made again', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/passwd': 'a\n' });
      await insistOn(sandbox)('switch', closure);
      rmSync(sandbox.on('/etc/passwd'));
      expect(await insistOn(sandbox)('status')).toContain('1 drifted');
      await insistOn(sandbox)('switch', closure);
      expect(at(sandbox, '/etc/passwd')).toBe('file 0644 0:0 a\n');
    });
  });
});

describe('a directory', () => {
  test('that is there keeps its mode and owner unless the policy names it', async () => {
    await withSandbox(async (sandbox) => {
      writeContents(sandbox.root, { 'etc/plain': { directory: 0o711, uid: 3 }, 'etc/named': { directory: 0o711 } });
      const before = etc(sandbox);
      const closure = writeClosure(sandbox, 'a', {
        'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/named"\nplace = "directory"\nowner = 5\n',
        'etc/plain': { directory: 0o755 },
        'etc/named': { directory: 0o750 },
      });
      await insistOn(sandbox)('switch', closure);
      expect(at(sandbox, '/etc/plain')).toBe('directory 0711 3:0');
      expect(at(sandbox, '/etc/named')).toBe('directory 0750 5:0');
      await insistOn(sandbox)('rollback');
      expect(compareSnapshots(before, etc(sandbox), { times: true })).toEqual([]);
    });
  });

  test('of the machine that a file took the place of is as it was when it is one again', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      writeContents(sandbox.root, { 'etc/x': { directory: 0o711 } });
      await activate('switch', writeClosure(sandbox, 'a', { 'etc/x': { directory: 0o700 }, 'etc/x/f': 'f\n' }));
      const before = etc(sandbox);
      await activate('switch', writeClosure(sandbox, 'b', { 'etc/x': 'a file\n' }));
      await activate('switch', '1');
      expect(compareSnapshots(before, etc(sandbox), { times: true })).toEqual([]);
      await activate('rollback', '0');
      expect(at(sandbox, '/etc/x')).toBe('directory 0711 0:0');
    });
  });

  test('is given up when it is empty, and stays while somebody uses it', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', writeClosure(sandbox, 'a', { 'etc/used/x': 'x\n', 'etc/unused/x': 'x\n' }));
      writeFileSync(sandbox.on('/etc/used/mine'), 'mine\n');
      await activate('rollback', '0');
      expect(etc(sandbox).map(({ path }) => path)).toEqual(['/', '/used', '/used/mine']);
    });
  });
});

describe('roots', () => {
  test('beyond /etc are shown as well', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      writeContents(sandbox.root, { 'opt/x/own': 'own\n', 'opt/y': 'own\n' });
      const before = takeSnapshot(sandbox.on('/opt'));
      const closure = writeClosure(sandbox, 'a', {
        'activation.toml': 'schema = 1\nroots = ["/etc", "/opt/x", "/srv/none"]\n',
        'etc/x': 'x\n',
        'opt/x/a/b': 'b\n',
        'opt/y': 'not in a root\n',
      });
      expect(await activate('diff', '--name-status', closure)).toBe('A\t/etc/x\nA\t/opt/x/a\nA\t/opt/x/a/b\n');
      await activate('switch', closure);
      expect(at(sandbox, '/opt/x/a/b')).toBe(overlay('/opt/x/a/b'));
      expect(shown(sandbox, '/opt/x/a/b')).toBe('b\n');
      expect(at(sandbox, '/opt/y')).toBe('file 0644 0:0 own\n');
      await activate('rollback', '0');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/opt')), { times: true })).toEqual([]);
    });
  });

  test('do not cover /etc unless they say so', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'activation.toml': 'schema = 1\nroots = ["/opt"]\n',
        'etc/x': 'x\n',
        'opt/x': 'x\n',
      });
      await insistOn(sandbox)('switch', closure);
      expect(etc(sandbox).map(({ path }) => path)).toEqual(['/']);
      expect(statSync(sandbox.on('/opt')).isDirectory()).toBe(true);
    });
  });
});

test('generate writes a bundle that systemd-tmpfiles can use, and the same one each time', async () => {
  await withSandbox(async (sandbox) => {
    const activate = activateOn(sandbox);
    writeClosure(sandbox, 'a', everything);
    const before = etc(sandbox);
    expect(await activate('generate', 'closures/a', '--output', 'one', '--location', '/srv/a')).toEqual({
      status: 0,
      stdout: `${sandbox.on('/one')}: 16 paths, shown through /srv/a/overlay\n`,
      stderr: '',
    });
    await activate('generate', 'closures/a', '--output', 'two', '--location', '/srv/a');
    const [one, two] = ['/one', '/two'].map((name) => takeSnapshot(sandbox.on(name)));
    expect(compareSnapshots(one ?? [], two ?? [], { times: false })).toEqual([]);
    expect(etc(sandbox)).toEqual(before);
    expect(readFileSync(sandbox.on('/one/tmpfiles.d/activate.conf'), 'utf8')).toContain(
      'L+ /run/filesystem-overlay - - - - /srv/a/overlay\n',
    );
    expect(readFileSync(sandbox.on('/one/overlay/etc/file'), 'utf8')).toBe('file\n');
  });
});
