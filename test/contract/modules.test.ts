import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { parseAddon, renderAddon } from '../../src/core/boot/archive';
import { moduleMembers } from '../../src/core/boot/initrd';
import { chooseModules, parseAliases, parseBuiltin, parseDependencies, parseUseful } from '../../src/core/boot/modules';
import { activateOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { debianKernel } from '../support/debian-kernel';
import { withSandbox } from '../support/sandbox';

const { directory, version } = debianKernel();
const own = join(directory, 'lib/modules', version);

function textOf(name: string): string {
  return readFileSync(join(own, name), 'utf8');
}

const modules = parseDependencies(textOf('modules.dep')).map(({ name, path, needs }) => ({
  name,
  path,
  needs,
  bytes: new Uint8Array(),
}));
const aliases = parseAliases(textOf('modules.alias'));
const tree = {
  modules: new Map(modules.map((module) => [module.name, module])),
  builtin: parseBuiltin(textOf('modules.builtin')),
  useful: parseUseful(textOf('modules.softdep')),
  modulesOf: (alias: string) => aliases.get(alias) ?? [],
};

/** Unpacks the modules that are needed for some, as an initrd has them. */
function withAddon(names: readonly string[], task: (kernel: string) => void): void {
  const initrd = mkdtempSync(join(tmpdir(), 'addon-'));
  try {
    const members = moduleMembers([{ version, chosen: chooseModules(names, tree) }]);
    const args = ['--extract', '--make-directories', '--quiet'];
    expect(spawnSync('cpio', args, { cwd: initrd, input: renderAddon(members) }).status).toBe(0);
    task(join(initrd, 'usr/lib/activate/kernel'));
  } finally {
    rmSync(initrd, { recursive: true });
  }
}

/** The modules that modprobe would load, in that order, and what it says besides. */
function loadedBy(base: string, name: string): string[] {
  const args = ['--dirname', base, '--set-version', version, '--show-depends', name];
  const { stdout, stderr } = spawnSync('modprobe', args, { encoding: 'utf8' });
  const lines = `${stdout}${stderr}`.trim().split('\n');
  return lines.filter((line) => !line.startsWith('builtin ')).map((line) => line.replace(`${base}/`, '').trim());
}

describe('what modprobe finds in an add-on', () => {
  test.each(['xfs', 'btrfs', 'erofs', 'squashfs', 'nfsd', 'dm-thin-pool', 'zram'])(
    'is all that %s needs, in the same order',
    (name) => {
      withAddon([name.replaceAll('-', '_')], (kernel) => {
        expect(loadedBy(kernel, name)).toEqual(loadedBy(directory, name));
      });
    },
  );

  test('is there for any of the modules of a kernel', () => {
    fc.assert(
      fc.property(fc.subarray([...tree.modules.keys()], { minLength: 1, maxLength: 5 }), (names) => {
        withAddon(names, (kernel) => {
          for (const name of names) {
            const paths = loadedBy(kernel, name);
            expect(paths.at(-1)?.endsWith(`/${tree.modules.get(name)?.path}`)).toBe(true);
            expect(paths.toSorted()).toEqual(expect.arrayContaining(withoutUseful(name)));
          }
        });
      }),
      { numRuns: 20 },
    );
  });

  test('is nothing else', () => {
    withAddon(['xfs'], (kernel) => {
      expect(loadedBy(kernel, 'btrfs')).toEqual([
        `modprobe: FATAL: Module btrfs not found in directory lib/modules/${version}`,
      ]);
    });
  });
});

/** What a module needs, as depmod wrote it down. */
function withoutUseful(name: string): string[] {
  const line = textOf('modules.dep')
    .split('\n')
    .find((each) => each.startsWith(`${tree.modules.get(name)?.path}:`));
  return (line ?? '')
    .split(/:? /u)
    .filter((path) => path.endsWith('.ko'))
    .map((path) => `insmod lib/modules/${version}/${path}`);
}

/** How a package of modules may compress them. */
const compressed = { '': ['true'], '.xz': ['xz', '--check=crc32'], '.zst': ['zstd', '--quiet', '--rm'] } as const;

describe('a directory of modules where nobody has run depmod', () => {
  test.each(Object.keys(compressed) as (keyof typeof compressed)[])(
    'is asked for what modules need: xfs.ko%s',
    async (suffix) => {
      await withSandbox(async (sandbox) => {
        const text = 'schema = 1\n[initrd]\nmodules = ["xfs"]\nmodule-directories = ["package"]\n';
        const closure = writeClosure(sandbox, 'a', { 'etc/hosts': '', 'activation.toml': text });
        const extra = join(closure, 'package/lib/modules', version, 'extra/xfs.ko');
        mkdirSync(dirname(extra), { recursive: true });
        cpSync(join(own, 'kernel/fs/xfs/xfs.ko'), extra);
        expect(spawnSync(compressed[suffix][0], [...compressed[suffix].slice(1), extra]).status).toBe(0);
        mkdirSync(join(closure, 'usr/lib'), { recursive: true });
        cpSync(join(directory, 'lib/modules'), join(closure, 'usr/lib/modules'), { recursive: true });
        const { status, stderr } = await activateOn(sandbox)('generate', 'closures/a', '--output', 'bundle');
        expect([status, stderr]).toEqual([0, '']);
        const members = parseAddon(readFileSync(sandbox.on('/bundle/boot/addon.cpio'))) ?? [];
        const paths = members.map(({ path }) => path).filter((path) => /\.ko/u.test(path));
        expect(paths.map((path) => path.slice(path.indexOf(version) + version.length + 1))).toEqual([
          `extra/xfs.ko${suffix}`,
          'kernel/arch/x86/crypto/crc32c-intel.ko',
          'kernel/lib/libcrc32c.ko',
        ]);
      });
    },
  );
});
