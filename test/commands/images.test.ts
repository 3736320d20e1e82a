import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { type Activate, activateOn, runActivate } from '../support/cli';
import { type Contents, writeClosure } from '../support/closures';
import { makeSandbox, type Sandbox } from '../support/sandbox';

let sandbox: Sandbox;
let activate: Activate;
beforeEach(() => {
  sandbox = makeSandbox();
  activate = activateOn(sandbox);
});
afterEach(() => sandbox.remove());

const kinds = ['squashfs', 'erofs'] as const;
const contents: Contents = { 'etc/hosts': 'hosts\n', 'etc/secret': { file: 's', mode: 0o600 } };

/** A NixOS-shaped closure in the sandbox's store, and what its store files are. */
function writeStore(links: Readonly<Record<string, string>>, files: Contents): string {
  mkdirSync(sandbox.on('/nix/store'), { recursive: true });
  const shown = Object.fromEntries(Object.entries(links).map(([name, link]) => [`etc/${name}`, { link }]));
  for (const [name, content] of Object.entries(files)) writeContentsIn(name, content);
  const closure = writeClosure(sandbox, 'nixos', shown);
  spawnSync('mv', [closure, sandbox.on('/nix/store/closure')]);
  return sandbox.on('/nix/store/closure');
}

function writeContentsIn(name: string, content: Contents[string]): void {
  const made = writeClosure(sandbox, 'made', { [name]: content });
  spawnSync('cp', ['-a', `${made}/.`, sandbox.on('/nix/store/')]);
  spawnSync('rm', ['-rf', made, sandbox.on('/nix/store/etc')]);
}

interface Bundle {
  readonly overlay: { readonly kind: string; readonly sizeBytes: number; readonly digest: string };
  readonly paths: number;
}

function bundleAt(directory: string): Bundle {
  return JSON.parse(readFileSync(sandbox.on(`${directory}/bundle.json`), 'utf8')) as Bundle;
}

describe.each(kinds)('generate --image %s', (kind) => {
  test('writes a bundle with an image, and says what it is', async () => {
    writeClosure(sandbox, 'a', contents);
    const ran = await activate('generate', 'closures/a', '--output', 'deep/bundle', '--image', kind, '--json');
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    expect(readdirSync(sandbox.on('/deep/bundle')).toSorted()).toEqual(
      ['boot', 'bundle.json', `image.${kind}`, 'manifest.json', 'systemd', 'tmpfiles.d', 'withheld.json'].toSorted(),
    );
    const image = sandbox.on(`/deep/bundle/image.${kind}`);
    const digest = new Bun.CryptoHasher('sha256').update(readFileSync(image)).digest('hex');
    const carrier = { kind, sizeBytes: statSync(image).size, digest };
    expect(bundleAt('/deep/bundle')).toMatchObject({ overlay: carrier, paths: 3 });
    expect(JSON.parse(ran.stdout)).toEqual({
      schema: 1,
      output: sandbox.on('/deep/bundle'),
      paths: 3,
      overlay: '/run/activate/image',
      carrier,
    });
  });

  test('hides an image with what not everybody may read', async () => {
    writeClosure(sandbox, 'open', { 'etc/hosts': 'hosts\n' });
    writeClosure(sandbox, 'secret', contents);
    for (const name of ['open', 'secret'])
      expect(await activate('generate', `closures/${name}`, '--output', name, '--image', kind)).toMatchObject({
        status: 0,
      });
    const modes = ['open', 'secret'].map((name) => statSync(sandbox.on(`/${name}/image.${kind}`)).mode & 0o777);
    expect(modes).toEqual([0o644, 0o600]);
  });

  test('needs the program that makes such images, and says its package', async () => {
    writeClosure(sandbox, 'a', contents);
    const path = process.env['PATH'];
    process.env['PATH'] = sandbox.on('/nothing');
    try {
      const ran = await activate('generate', 'closures/a', '--output', 'bundle', '--image', kind);
      expect(ran.status).toBe(3);
      expect(ran.stderr).toMatch(/(?:mksquashfs|mkfs\.erofs) is not installed\n.*(?:squashfs-tools|erofs-utils)/u);
    } finally {
      process.env['PATH'] = path;
    }
    expect(existsSync(sandbox.on('/bundle'))).toBe(false);
  });

  test('leaves nothing behind when it is interrupted', async () => {
    writeClosure(sandbox, 'a', contents);
    const interruption = new AbortController();
    interruption.abort('SIGINT');
    const ran = await runActivate(
      ['--root', sandbox.root, 'generate', 'closures/a', '--output', 'deep/bundle', '--image', kind],
      { workingDirectory: sandbox.root, signal: interruption.signal },
    );
    expect(ran).toMatchObject({ status: 4, stdout: '' });
    expect(ran.stderr).toContain('interrupted by SIGINT');
    expect(existsSync(sandbox.on('/deep'))).toBe(false);
  });

  test('puts what store links lead to in their place, however they lead there', async () => {
    const closure = writeStore(
      {
        file: '/nix/store/file',
        chain: '/nix/store/chain',
        through: '/nix/store/through/one',
        directory: '/nix/store/directory',
        outside: '/nix/store/outside',
        machine: '/usr/share/zoneinfo/UTC',
        itself: '/nix/store/closure/etc/file',
        dangling: '/nix/store/gone',
      },
      {
        file: 'file\n',
        chain: { link: 'file' },
        through: { link: '/nix/store/directory' },
        'directory/one': 'one\n',
        'directory/self': { link: '/nix/store/directory/one' },
        'directory/relative': { link: 'deep/../one' },
        'directory/other': { link: '../file' },
        'directory/deep/null': { link: '/dev/null' },
        'directory/deep/up': { link: '..' },
        outside: { link: '/proc/mounts' },
      },
    );
    const ran = await activate('generate', closure, '--output', 'bundle', '--image', kind);
    expect(ran.status).toBe(0);
    const { entries } = JSON.parse(readFileSync(sandbox.on('/bundle/manifest.json'), 'utf8')) as {
      entries: { path: string; kind: string; linkText?: string; sizeBytes?: number }[];
    };
    expect(entries.map((each) => [each.path, each.kind, each.linkText ?? each.sizeBytes])).toEqual([
      ['/etc', 'directory', undefined],
      ['/etc/chain', 'file', 5],
      ['/etc/dangling', 'symlink', '/nix/store/gone'],
      ['/etc/directory', 'whole-directory', undefined],
      ['/etc/file', 'file', 5],
      ['/etc/itself', 'symlink', 'file'],
      ['/etc/machine', 'symlink', '/usr/share/zoneinfo/UTC'],
      ['/etc/outside', 'symlink', '/proc/mounts'],
      ['/etc/through', 'file', 4],
    ]);
    const listed = kind === 'squashfs' ? listSquashfs(sandbox.on('/bundle/image.squashfs')) : undefined;
    if (listed !== undefined)
      expect(listed.filter((line) => line.includes('/etc/directory'))).toEqual([
        'drwxr-xr-x squashfs-root/etc/directory',
        'drwxr-xr-x squashfs-root/etc/directory/deep',
        'lrwxrwxrwx squashfs-root/etc/directory/deep/null -> /dev/null',
        'lrwxrwxrwx squashfs-root/etc/directory/deep/up -> ..',
        '-rw-r--r-- squashfs-root/etc/directory/one',
        '-rw-r--r-- squashfs-root/etc/directory/other',
        'lrwxrwxrwx squashfs-root/etc/directory/relative -> deep/../one',
        'lrwxrwxrwx squashfs-root/etc/directory/self -> one',
      ]);
  });

  test('refuses store links that lead back to themselves, and leaves nothing behind', async () => {
    const closure = writeStore(
      { a: '/nix/store/a' },
      { 'a/b': { link: '/nix/store/b' }, 'b/a': { link: '/nix/store/a' } },
    );
    const ran = await activate('generate', closure, '--output', 'bundle', '--image', kind);
    expect(ran.status).toBe(65);
    expect(ran.stderr).toContain('/etc/a/b/a: the link leads back to itself (its text is /nix/store/a)');
    expect(existsSync(sandbox.on('/bundle'))).toBe(false);
  });
});

function listSquashfs(image: string): string[] {
  const { stdout } = spawnSync('unsquashfs', ['-lln', image], { encoding: 'utf8' });
  return stdout.split('\n').map((line) => line.replace(/^(\S+) .* (squashfs-root.*)$/u, '$1 $2'));
}

test('an image of a full disk is no image, and the output directory is as it was', async () => {
  writeClosure(sandbox, 'a', { 'etc/large': 'x'.repeat(1000), ...random(64) });
  mkdirSync(sandbox.on('/full'));
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'none', sandbox.on('/full')]).status).toBe(0);
  try {
    for (const kind of kinds) {
      const ran = await activate('generate', 'closures/a', '--output', 'full', '--image', kind);
      expect(ran.status).toBe(74);
      expect(ran.stderr).toContain('No space left on device');
      expect(readdirSync(sandbox.on('/full'))).toEqual([]);
    }
  } finally {
    spawnSync('umount', [sandbox.on('/full')]);
  }
});

/** Files of 64 KiB and more that nothing makes much smaller. */
function random(count: number): Contents {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`etc/${index}`, randomText()]));
}

function randomText(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(64 * 1024)), (byte) => byte.toString(36)).join('');
}

test('--keep-links is about images', async () => {
  writeClosure(sandbox, 'a', contents);
  const ran = await activate('generate', 'closures/a', '--output', 'bundle', '--keep-links');
  expect(ran.status).toBe(2);
  expect(ran.stderr).toContain('--keep-links is about images');
});

test('a bundle without an image says what carries its overlay as well', async () => {
  writeClosure(sandbox, 'a', contents);
  const store = writeStore({ file: '/nix/store/file' }, { file: 'file\n' });
  expect(await activate('generate', 'closures/a', '--output', 'tree')).toMatchObject({ status: 0 });
  expect(await activate('generate', store, '--output', 'store')).toMatchObject({ status: 0 });
  expect(bundleAt('/tree').overlay).toEqual({ kind: 'tree' } as never);
  expect(bundleAt('/store').overlay).toEqual({ kind: 'store', path: '/nix/store/closure' } as never);
});

test('a location that no unit can name is refused before anything is written', async () => {
  writeClosure(sandbox, 'a', contents);
  symlinkSync('nowhere', sandbox.on('/link'));
  const ran = await activate(
    'generate',
    'closures/a',
    '--output',
    'bundle',
    '--image',
    'squashfs',
    '--location',
    '/a\tb',
  );
  expect(ran).toMatchObject({ status: 2, stdout: '' });
  expect(existsSync(sandbox.on('/bundle'))).toBe(false);
});
