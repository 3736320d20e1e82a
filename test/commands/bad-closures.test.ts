import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { activateOn } from '../support/cli';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import { refusalOf } from '../support/refusals';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const REMEDY = 'Name a built system, or a directory with etc in it.';
const verbs = [['diff'], ['switch'], ['test'], ['boot'], ['generate', '--output', 'bundle']] as const;

/** What every command that takes a closure says to a closure; they all say the same. */
async function refusalOfAll(sandbox: Sandbox, closure: string): Promise<string> {
  const said = new Set<string>();
  for (const [verb, ...flags] of verbs) {
    const { path, message, hint } = await refusalOf(sandbox, 65, [verb, closure, ...flags]);
    said.add(`${path}: ${message}\n${hint}`.replaceAll(sandbox.root, ''));
  }
  return [...said].join('\n---\n');
}

describe('a closure', () => {
  test('that is not there', async () => {
    await withSandbox(async (sandbox) => {
      expect(await refusalOfAll(sandbox, 'closures/none')).toBe(`/closures/none: there is no such closure\n${REMEDY}`);
    });
  });

  test('without etc', async () => {
    await withSandbox(async (sandbox) => {
      mkdirSync(sandbox.on('/closures/a/usr'), { recursive: true });
      expect(await refusalOfAll(sandbox, 'closures/a')).toStartWith('/closures/a: the closure has no etc\nName the ');
    });
  });

  test('that is a file', async () => {
    await withSandbox(async (sandbox) => {
      writeFileSync(sandbox.on('/file'), '');
      expect(await refusalOfAll(sandbox, 'file')).toBe(
        `/file: a closure is a directory, or an image of squashfs or erofs\n${REMEDY}`,
      );
    });
  });

  test('whose etc is a file', async () => {
    await withSandbox(async (sandbox) => {
      mkdirSync(sandbox.on('/closures/a'), { recursive: true });
      writeFileSync(sandbox.on('/closures/a/etc'), '');
      expect(await refusalOfAll(sandbox, 'closures/a')).toBe(
        `/closures/a/etc: a closure is a directory, or an image of squashfs or erofs\n${REMEDY}`,
      );
    });
  });

  test('that a dangling link leads to', async () => {
    await withSandbox(async (sandbox) => {
      symlinkSync('nowhere', sandbox.on('/closure'));
      expect(await refusalOfAll(sandbox, 'closure')).toStartWith('/closure: there is no such closure');
    });
  });

  test('that a loop leads to', async () => {
    await withSandbox(async (sandbox) => {
      symlinkSync('closure', sandbox.on('/closure'));
      expect(await refusalOfAll(sandbox, 'closure')).toStartWith('/closure: there is no such closure');
    });
  });

  test('whose etc leads out of it', async () => {
    await withSandbox(async (sandbox) => {
      mkdirSync(sandbox.on('/closures/a'), { recursive: true });
      symlinkSync('/etc', sandbox.on('/closures/a/etc'));
      expect(await refusalOfAll(sandbox, 'closures/a')).toBe(
        '/closures/a/etc: etc leads out of the closure, to /etc\nReplace the link by the directory that it shows.',
      );
    });
  });
});

describe('a closure with', () => {
  test.each<[string, Contents, string]>([
    ['a link to itself', { 'etc/a': { link: 'a' } }, '/etc/a: the link leads back to itself (its text is a)'],
    ['an absolute link to itself', { 'etc/a': { link: '/etc/a' } }, '/etc/a: the link leads back to itself'],
    ['two links to each other', { 'etc/a': { link: 'b' }, 'etc/b': { link: 'a' } }, '/etc/a: the link leads back'],
    [
      'a loop through directories',
      { 'etc/a/x': { link: '../b/y' }, 'etc/b': { link: 'a' }, 'etc/a/y': { link: '/etc/b/./x' } },
      '/etc/a/x: the link leads back to itself (its text is ../b/y)',
    ],
    ['a link into itself', { 'etc/a': { link: 'a/b' } }, '/etc/a: the link leads back to itself'],
    [
      'a link that shows what the machine shows',
      { 'etc/a': { link: '/run/filesystem-overlay/etc/a' } },
      '/etc/a: the link leads back to itself',
    ],
    ['a newline in a name', { 'etc/a\nb': '' }, '/etc/a\nb: systemd-tmpfiles cannot be told of a name with a newline'],
    ['a newline in a link', { 'etc/a\nb': { link: 'x' } }, '/etc/a\nb: systemd-tmpfiles cannot be told'],
    ['a newline in a directory', { 'etc/a\nb/c': '' }, '/etc/a\nb: systemd-tmpfiles cannot be told'],
    ['a carriage return', { 'etc/a\rb': '' }, '/etc/a\rb: systemd-tmpfiles cannot be told of a name with a carriage'],
    ['a reserved name', { 'etc/.activate.1': '' }, '/etc/.activate.1: names that begin with .activate. are kept for'],
    ['a reserved link', { 'etc/b/.activate.': { link: 'x' } }, '/etc/b/.activate.: names that begin with .activate.'],
    ['a reserved directory', { 'etc/.activate.x/y': '' }, '/etc/.activate.x: names that begin with .activate.'],
    [
      'a link text that is too long once it is escaped',
      { [`etc/${'d'.repeat(200)}`]: { link: '\udcff'.repeat(4090) }, 'etc/b': '' },
      'fine',
    ],
    [
      'a user that systemd-tmpfiles refuses',
      { 'etc/a': { directory: 0o755, uid: 65535 } },
      '/etc/a: systemd-tmpfiles refuses 65535 as a user or group',
    ],
  ])('%s', async (_, contents, expected) => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', contents);
      if (expected === 'fine') {
        expect(await activateOn(sandbox)('switch', closure)).toMatchObject({ status: 0, stderr: '' });
        return;
      }
      const said = await refusalOfAll(sandbox, closure);
      expect(said).toStartWith(expected);
      expect(said).toMatch(/\n(?:Mend|Rename) .*\/closures\/a/u);
    });
  });

  test.each<[string, string, string]>([
    ['a character device', 'mknod a c 1 3', 'a character device'],
    ['a block device', 'mknod a b 7 0', 'a block device'],
    ['a fifo', 'mkfifo a', 'a fifo'],
    ['a socket', 'python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'a\')"', 'a socket'],
  ])('%s', async (_, script, what) => {
    await withSandbox(async (sandbox) => {
      const cwd = join(writeClosure(sandbox, 'a', {}), 'etc');
      const { status, stderr } = spawnSync('sh', ['-ec', script], { cwd, encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(await refusalOfAll(sandbox, 'closures/a')).toBe(
        `/etc/a: a closure holds files, links and directories, and this is ${what}\nRemove it from /closures/a, or read the closure again.`,
      );
    });
  });

  test('a path that is too long', async () => {
    await withSandbox(async (sandbox) => {
      await withSandbox(async (elsewhere) => {
        const closure = writeClosure(elsewhere, 'a', {});
        const script = `cd etc; for _ in $(seq 17); do mkdir ${'d'.repeat(250)}; cd ${'d'.repeat(250)}; done; touch x`;
        expect(spawnSync('bash', ['-ec', script], { cwd: closure }).status).toBe(0);
        const { message, hint, path } = await refusalOf(sandbox, 65, ['switch', closure]);
        expect(path).toMatch(/^(?:\/etc)?\/d{250}/u);
        expect(message).toMatch(/^the path is too long: it takes \d+ bytes, where 4000 are possible$/u);
        expect(hint).toBe(`Rename it in ${closure}.`);
      });
    });
  });
});

describe('a NixOS closure with', () => {
  const store = '/nix/store/0c-etc';
  const text = { 'nix/store/0b-x': 'x\n', [`${store.slice(1)}/etc/x`]: { link: '/nix/store/0b-x' } };

  test.each<[string, Contents, string]>([
    [
      'a mode that is none',
      { 'x.mode': '0999\n' },
      '/etc/x.mode: the mode is neither octal nor direct-symlink: "0999"\nWrite three or four octal digits',
    ],
    [
      'a user that is not there',
      { 'x.mode': '0440', 'x.uid': 'ghost' },
      '/etc/x.uid: there is no user or group "ghost"\n',
    ],
    [
      'a group that is not there',
      { 'x.mode': '0440', 'x.gid': 'ghost' },
      '/etc/x.gid: there is no user or group "ghost"\n',
    ],
    ['an owner that is none', { 'x.mode': '0440', 'x.uid': '-1' }, '/etc/x.uid: there is no user or group "-1"\n'],
    [
      'a copy of nothing',
      { y: { link: '/nix/store/0d-y' }, 'y.mode': '0440' },
      '/etc/y: it is to be copied, and /nix/store/0d-y is no regular file\nMend the link in ',
    ],
  ])('%s', async (_, sidecars, expected) => {
    await withSandbox(async (sandbox) => {
      const etc = Object.entries(sidecars).map(([name, content]) => [`${store.slice(1)}/etc/${name}`, content]);
      writeContents(sandbox.root, { ...text, ...(Object.fromEntries(etc) as Contents) });
      expect(await refusalOfAll(sandbox, sandbox.on(store))).toStartWith(expected);
    });
  });
});

test('the machine itself is a closure only while nothing of it is managed', async () => {
  await withSandbox(async (sandbox) => {
    writeFileSync(sandbox.on('/etc/motd'), 'own\n');
    const activate = activateOn(sandbox);
    expect((await activate('switch', '.')).status).toBe(0);
    const { path, message } = await refusalOf(sandbox, 65, ['switch', '.']);
    expect(`${path}: ${message}`).toBe(
      '/etc/motd: the link leads back to itself (its text is /run/filesystem-overlay/etc/motd)',
    );
  });
});

test('a refused switch on a machine where none ran before leaves nothing but the lock', async () => {
  await withSandbox(async (sandbox) => {
    const before = takeSnapshot(sandbox.root);
    expect((await activateOn(sandbox)('switch', 'none')).status).toBe(65);
    expect(compareSnapshots(before, takeSnapshot(sandbox.root), { times: true })).toEqual([
      '/run/activate: appeared (directory)',
      '/run/activate/lock: appeared (file)',
    ]);
  });
});

test('generate refuses a directory that holds something, and leaves it as it was', async () => {
  await withSandbox(async (sandbox) => {
    writeClosure(sandbox, 'a', { 'etc/x': 'x\n' });
    mkdirSync(sandbox.on('/bundle'));
    writeFileSync(sandbox.on('/bundle/mine'), 'mine');
    expect(await refusalOf(sandbox, 2, ['generate', 'closures/a', '--output', 'bundle'])).toEqual({
      path: sandbox.on('/bundle'),
      message: 'there is something in the output directory already',
      hint: 'Name an empty or a new directory.',
    });
  });
});
