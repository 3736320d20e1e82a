import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { renderAddon } from '../../src/core/boot/archive';
import { moduleMembers } from '../../src/core/boot/initrd';
import { chooseModules, parseAliases, parseBuiltin, parseDependencies, parseUseful } from '../../src/core/boot/modules';
import { debianKernel } from '../support/debian-kernel';

const { directory, version } = debianKernel();
const own = join(directory, 'lib/modules', version);

function textOf(name: string): string {
  return readFileSync(join(own, name), 'utf8');
}

const modules = parseDependencies(textOf('modules.dep')).map((module) => ({
  ...module,
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
