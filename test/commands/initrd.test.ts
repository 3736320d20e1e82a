import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseAddon } from '../../src/core/boot/archive';
import { isOfClosure } from '../../src/core/boot/initrd';
import { type Activate, activateOn, runActivate } from '../support/cli';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import { makeSandbox, type Sandbox } from '../support/sandbox';

let sandbox: Sandbox;
let activate: Activate;
beforeEach(() => {
  sandbox = makeSandbox();
  activate = activateOn(sandbox);
});
afterEach(() => sandbox.remove());

/** A kernel with modules below a directory; `loop` and `squashfs` are among them. */
function kernel(modules: string, version = '6.1', mark = ''): Contents {
  const at = `${modules}/${version}`;
  return {
    [`${at}/modules.dep`]:
      'kernel/zfs.ko.xz: kernel/spl.ko\nkernel/spl.ko:\nkernel/loop.ko:\nkernel/squashfs.ko:\nkernel/erofs.ko: kernel/spl.ko\n',
    [`${at}/modules.builtin`]: 'kernel/ext4.ko\n',
    [`${at}/modules.softdep`]: 'softdep spl pre: crypto-crc\n',
    [`${at}/modules.alias`]: 'alias crypto-crc squashfs\n',
    [`${at}/kernel/zfs.ko.xz`]: `zfs${mark}`,
    [`${at}/kernel/spl.ko`]: `spl${mark}`,
    [`${at}/kernel/loop.ko`]: `loop${mark}`,
    [`${at}/kernel/squashfs.ko`]: `squashfs${mark}`,
    [`${at}/kernel/erofs.ko`]: `erofs${mark}`,
  };
}

function policy(lines: string): Contents {
  return { 'activation.toml': `schema = 1\n[initrd]\n${lines}\n` };
}

const zfs = policy('modules = ["ext4", "zfs"]');
const hosts = { 'etc/hosts': 'a\n' };

/** The files that an add-on has for its closure, by their paths below the kernel's modules, with what they hold. */
function ofClosure(archive: string): Record<string, string> {
  const members = parseAddon(readFileSync(archive)) ?? [];
  const shown: Record<string, string> = {};
  for (const member of members) {
    if (!isOfClosure(member.path) || member.kind === 'directory') continue;
    const path = member.path.replace('usr/lib/activate/kernel/usr/lib/modules/', '');
    if (/modules\.dep|\.service$|before-mount$/u.test(path)) continue;
    shown[path] = member.kind === 'file' ? Buffer.from(member.bytes).toString() : `-> ${member.linkText}`;
  }
  return shown;
}

function taken(version = '6.1', mark = ''): Record<string, string> {
  return {
    'usr/lib/activate/kernel/lib': '-> usr/lib',
    [`${version}/kernel/spl.ko`]: `spl${mark}`,
    [`${version}/kernel/squashfs.ko`]: `squashfs${mark}`,
    [`${version}/kernel/zfs.ko.xz`]: `zfs${mark}`,
    [`${version}/modules.softdep`]: 'softdep spl pre: squashfs\n',
  };
}

async function generated(name: string, contents: Contents, ...args: readonly string[]): Promise<string> {
  writeClosure(sandbox, name, contents);
  const { status, stderr } = await activate('generate', `closures/${name}`, '--output', `bundles/${name}`, ...args);
  expect([status, stderr]).toEqual([0, '']);
  return sandbox.on(`/bundles/${name}/boot/addon.cpio`);
}

/** How a command is refused: its exit status and what it says. */
async function refused(...args: readonly string[]): Promise<[number, string]> {
  const { status, stderr } = await activate(...args);
  return [status, stderr.replaceAll(sandbox.root, '')];
}

/** What a command that succeeds warns of. */
async function warningsOf(...argv: readonly string[]): Promise<string[]> {
  const warnings: string[] = [];
  const log = { debug: nothing, info: nothing, warn: (text: string) => void warnings.push(text), error: nothing };
  const { status, stderr } = await runActivate(['--root', sandbox.root, ...argv], {
    workingDirectory: sandbox.root,
    log,
  });
  expect([status, stderr]).toEqual([0, '']);
  return warnings;
}

function nothing(): void {}

describe('the add-on of a bundle', () => {
  test('has no more than 16 KiB where the closure asks for nothing, and nothing of the closure', async () => {
    const archive = await generated('a', { ...hosts, ...kernel('usr/lib/modules') });
    expect(readFileSync(archive).length).toBeLessThanOrEqual(16 * 1024);
    expect((parseAddon(readFileSync(archive)) ?? []).filter(({ path }) => isOfClosure(path))).toEqual([]);
  });

  test('is the same bytes for the same closure', async () => {
    const text = 'modules = ["zfs"]\nbefore-mount = [["true"]]';
    const a = await generated('a', { ...hosts, ...kernel('usr/lib/modules'), ...policy(text) });
    await Bun.sleep(5);
    const b = await generated('b', { ...policy(text), ...kernel('usr/lib/modules'), ...hosts });
    expect(Buffer.compare(readFileSync(a), readFileSync(b))).toBe(0);
  });

  test.each([
    'usr/lib/modules',
    'lib/modules',
    'kernel/lib/modules',
    'kernel-modules/lib/modules',
    'profile/lib/modules',
  ])('has modules of the closure, with what they need, from %s', async (modules) => {
    expect(ofClosure(await generated('a', { ...hosts, ...zfs, ...kernel(modules) }))).toEqual(taken());
  });

  test('follows links of the closure', async () => {
    const contents = {
      ...kernel('real/modules'),
      lib: { link: 'usr/lib' },
      'usr/lib/modules': { link: '../../real/modules' },
    };
    expect(ofClosure(await generated('a', { ...hosts, ...zfs, ...contents }))).toEqual(taken());
  });

  test('takes a module from a directory that the policy names before that of the kernel', async () => {
    const text = 'modules = ["zfs"]\nmodule-directories = ["extra"]';
    const contents = { ...kernel('usr/lib/modules'), ...kernel('extra/lib/modules', '6.1', '!') };
    expect(ofClosure(await generated('a', { ...hosts, ...policy(text), ...contents }))).toEqual(taken('6.1', '!'));
  });

  test('has what each kernel needs', async () => {
    const contents = { ...kernel('usr/lib/modules', '6.1'), ...kernel('usr/lib/modules', '6.12', '!') };
    expect(ofClosure(await generated('a', { ...hosts, ...zfs, ...contents }))).toEqual({
      ...taken('6.1'),
      ...taken('6.12', '!'),
    });
  });

  test.each(['squashfs', 'erofs'])('has what shows an image: %s', async (kind) => {
    const archive = await generated('a', { ...hosts, ...kernel('usr/lib/modules') }, '--image', kind);
    const paths = Object.keys(ofClosure(archive));
    expect(paths).toEqual(expect.arrayContaining(['6.1/kernel/loop.ko', `6.1/kernel/${kind}.ko`]));
    expect(paths.some((path) => path.includes('zfs'))).toBe(false);
  });

  test('leaves a kernel out that lacks a module, and says so', async () => {
    const contents = { ...kernel('usr/lib/modules', '6.1'), 'usr/lib/modules/5.10/modules.dep': 'kernel/spl.ko:\n' };
    writeClosure(sandbox, 'a', { ...hosts, ...zfs, ...contents });
    const warnings = await warningsOf('generate', 'closures/a', '--output', 'bundle');
    expect(warnings).toEqual(['the kernel 5.10 has no module ext4, zfs: it does not boot with this add-on']);
    expect(ofClosure(sandbox.on('/bundle/boot/addon.cpio'))).toEqual(taken());
  });
});

const IDLE = 'Generation 1 is live already; nothing to do.\n';

const asking = {
  ...hosts,
  ...policy('modules = ["zfs"]\nbefore-mount = [["true"]]'),
  ...kernel('usr/lib/modules'),
};

function generation(number: number): string {
  return sandbox.on(`/var/lib/activate/generations/${number}`);
}

function record(number: number): { initrd?: { digest: string } } {
  return JSON.parse(readFileSync(`${generation(number)}/generation.json`, 'utf8')) as { initrd?: { digest: string } };
}

describe('the add-on of a generation', () => {
  test.each(['bundles/a', 'closures/a'])('is that of the bundle where %s is switched to', async (argument) => {
    const bundle = await generated('a', asking);
    expect((await activate('switch', argument)).stdout).toStartWith('Generation 1 is live: ');
    expect(Buffer.compare(readFileSync(`${generation(1)}/boot/addon.cpio`), readFileSync(bundle))).toBe(0);
    expect(record(1).initrd).toMatchObject({ modules: ['zfs'], beforeMount: [['true']] });
    expect((await activate('switch', argument === 'bundles/a' ? 'closures/a' : 'bundles/a')).stdout).toBe(IDLE);
  });

  test('has the modules of the machine where the closure has no kernel', async () => {
    writeContents(sandbox.root, { lib: { link: 'usr/lib' }, ...kernel('usr/lib/modules') });
    writeContents(sandbox.root, { 'usr/lib/modules/removed': { directory: 0o755 } });
    writeClosure(sandbox, 'a', { ...hosts, ...zfs });
    expect((await activate('switch', 'closures/a')).status).toBe(0);
    expect(ofClosure(`${generation(1)}/boot/addon.cpio`)).toEqual(taken());
  });

  test('has modules of the store, wherever in it they are, and none that are elsewhere', async () => {
    const system = 'nix/store/aaa-system';
    const linked = 'nix/store/bbb-modules/lib/modules/6.1/kernel/spl.ko';
    writeContents(sandbox.root, {
      [`${system}/etc/hosts`]: { link: '/nix/store/ccc-hosts' },
      'nix/store/ccc-hosts': 'a\n',
      ...kernel('nix/store/bbb-modules/lib/modules'),
      [`${system}/kernel-modules`]: { link: '/nix/store/bbb-modules' },
      [`${system}/activation.toml`]: 'schema = 1\n[initrd]\nmodules = ["zfs"]\n',
      'nix/store/ddd-spl.ko': 'spl',
      'etc/secret': 'spl',
    });
    const lead = (to: string): void => {
      rmSync(sandbox.on(linked));
      writeContents(sandbox.root, { [linked]: { link: to } });
    };
    lead('/nix/store/ddd-spl.ko');
    expect((await activate('switch', system)).stdout).toStartWith('Generation 1 is live');
    expect(ofClosure(`${generation(1)}/boot/addon.cpio`)).toEqual(taken());
    lead('/etc/secret');
    expect(await refused('switch', system)).toEqual([
      65,
      `activate: /${linked}: modules.dep names a module that is not there\nInstall the kernel again, or run depmod for it.\n`,
    ]);
  });

  test('belongs to another generation as soon as the closure asks for something else, or has other modules', async () => {
    const closure = writeClosure(sandbox, 'a', asking);
    const again = async (changed: Contents): Promise<string> => {
      writeContents(closure, changed);
      return (await activate('switch', 'closures/a')).stdout.replace(/(?<= is live):.*\n/su, '');
    };
    expect(await again({})).toBe('Generation 1 is live');
    expect(await again({})).toBe(IDLE);
    expect(await again(policy('modules = ["spl", "zfs"]'))).toBe('Generation 2 is live');
    expect(await again(kernel('usr/lib/modules', '6.1', '!'))).toBe('Generation 3 is live');
    expect(await again({ 'activation.toml': 'schema = 1\n' })).toBe('Generation 4 is live');
    expect(record(4).initrd).toBeUndefined();
  });
});

function differs(number: number): string {
  return `the initrds have something else than [initrd] of generation ${number} asks for: \`activate install --rebuild\` before you reboot`;
}

/** A machine with what makes initrds, and the program at its place. */
function addMaker(path: string): void {
  const files = [path, 'usr/bin/activate', 'usr/lib/systemd/systemd', 'usr/lib/systemd/libsystemd-shared-252.so'];
  writeContents(sandbox.root, Object.fromEntries(files.map((each) => [each, { file: '', mode: 0o755 }])));
}

describe('what is installed in initrds', () => {
  test.each(['dracut', 'initramfs-tools', 'addon'])(
    'by %s is what the default generation asks for, and a switch says where it is not',
    async (maker) => {
      addMaker(maker === 'dracut' ? 'usr/bin/dracut' : 'usr/sbin/update-initramfs');
      writeContents(sandbox.root, { 'usr/share/initramfs-tools/hook-functions': '' });
      writeClosure(sandbox, 'plain', { ...hosts, ...kernel('usr/lib/modules') });
      writeClosure(sandbox, 'asking', asking);
      await activate('switch', 'closures/plain');
      expect((await activate('install', '--initrd', maker)).stderr).toBe('');
      expect(await warningsOf('switch', 'closures/plain')).toEqual([]);
      expect(await warningsOf('test', 'closures/asking')).not.toContain(differs(2));
      expect(await warningsOf('switch', 'closures/asking')).toEqual([differs(2)]);
      expect((await activate('install', '--initrd', maker)).stderr).toBe('');
      expect(await warningsOf('switch', 'closures/asking')).toEqual([]);
      const archive = maker === 'addon' ? sandbox.on('/usr/lib/activate/addon.cpio') : undefined;
      const bytes = readFileSync(`${generation(2)}/boot/addon.cpio`);
      if (archive !== undefined) expect(Buffer.compare(readFileSync(archive), bytes)).toBe(0);
      else
        for (const member of (parseAddon(bytes) ?? []).filter(({ path }) => isOfClosure(path)))
          if (member.kind === 'file') expect(readFileSync(sandbox.on(member.path)).equals(member.bytes)).toBe(true);
      expect(await warningsOf('switch', 'closures/plain')).toEqual([differs(3)]);
      await activate('install', '--initrd', maker);
      expect(existsSync(sandbox.on('/usr/lib/activate/kernel'))).toBe(false);
      expect(await warningsOf('switch', 'closures/plain')).toEqual([]);
    },
  );

  test('cannot be done by a hook that comes later, and a switch says so', async () => {
    addMaker('usr/bin/x');
    await activate('install', '--init-wrapper');
    writeClosure(sandbox, 'asking', asking);
    expect(await warningsOf('switch', 'closures/asking')).toEqual([
      'what [initrd] asks for is done by a boot hook in an initrd, and init comes later: `activate install --initrd …`',
    ]);
  });
});

describe('an add-on is refused', () => {
  const elsewhere = 'Name a directory that has it in module-directories (lib/modules/VERSION in it), or leave it out.';

  test('where a module is nowhere', async () => {
    writeClosure(sandbox, 'a', { ...hosts, ...policy('modules = ["spl", "zsf"]'), ...kernel('usr/lib/modules') });
    expect(await refused('generate', 'closures/a', '--output', 'bundle')).toEqual([
      65,
      'activate: /closures/a/activation.toml: initrd: there is no module zsf for the kernel 6.1; looked in /closures/a/usr/lib/modules/6.1\n' +
        `${elsewhere}\n`,
    ]);
  });

  test.each([
    [
      'generate',
      'the closure does not have a kernel to take the module zfs from',
      'A bundle is the same wherever it is made: add usr/lib/modules/VERSION with its modules.dep to the closure.',
    ],
    [
      'switch',
      'neither the closure nor the machine has a kernel to take the module zfs from',
      'Install a kernel and run depmod, or name a directory with lib/modules/VERSION in it in module-directories.',
    ],
  ])('by %s where there is no kernel', async (verb, message, hint) => {
    writeClosure(sandbox, 'a', { ...hosts, ...policy('modules = ["zfs"]'), 'usr/lib/modules/6.1/kernel/zfs.ko': '' });
    const args = verb === 'generate' ? ['--output', 'bundle'] : [];
    expect(await refused(verb, 'closures/a', ...args)).toEqual([
      65,
      `activate: /closures/a/activation.toml: initrd: ${message}\n${hint}\n`,
    ]);
  });

  test('where a module is named and not there', async () => {
    const closure = writeClosure(sandbox, 'a', { ...hosts, ...zfs, ...kernel('usr/lib/modules') });
    rmSync(`${closure}/usr/lib/modules/6.1/kernel/spl.ko`);
    expect(await refused('generate', 'closures/a', '--output', 'bundle')).toEqual([
      65,
      'activate: /closures/a/usr/lib/modules/6.1/kernel/spl.ko: modules.dep names a module that is not there\n' +
        'Install the kernel again, or run depmod for it.\n',
    ]);
  });

  test.each([
    [
      'extra',
      'this directory of modules is not there, in the closure',
      'Mend it in /closures/a/activation.toml: initrd: an absolute path is one of the machine\'s, "lib/extra-modules" one of the closure\'s.',
    ],
    [
      '/extra',
      'this directory of modules is not there, in the machine',
      'Mend it in /closures/a/activation.toml: initrd: an absolute path is one of the machine\'s, "lib/extra-modules" one of the closure\'s.',
    ],
    [
      '/etc',
      'this directory of modules is not in the closure',
      'A bundle is the same wherever it is made: name a directory of the closure in /closures/a/activation.toml: initrd.',
    ],
    [
      'usr/lib',
      'there are no modules in this directory',
      'Name one with lib/modules/VERSION in it, in /closures/a/activation.toml: initrd.',
    ],
  ])('where %j is no directory of modules', async (path, message, hint) => {
    const text = `modules = ["zfs"]\nmodule-directories = ["${path}"]`;
    writeClosure(sandbox, 'a', { ...hosts, ...policy(text), ...kernel('usr/lib/modules') });
    expect(await refused('generate', 'closures/a', '--output', 'bundle')).toEqual([
      65,
      `activate: ${path}: ${message}\n${hint}\n`,
    ]);
  });

  test('where that of a bundle is damaged', async () => {
    const archive = await generated('a', { ...hosts, ...zfs, ...kernel('usr/lib/modules') });
    const bytes = readFileSync(archive);
    writeFileSync(archive, Buffer.concat([bytes.subarray(0, -600), Buffer.from('x'), bytes.subarray(-599)]));
    expect(await refused('switch', 'bundles/a')).toEqual([
      65,
      'activate: /bundles/a/boot/addon.cpio: the bundle is damaged: this is not what was written\n' +
        'Copy it again, or build it again with `activate generate`.\n',
    ]);
  });
});
