import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  chooseModules,
  dependencyLines,
  type Module,
  moduleNameOf,
  type ModuleTree,
  parseAliases,
  parseBuiltin,
  parseDependencies,
  parseUseful,
  usefulLines,
} from '../../../src/core/boot/modules';

/** What depmod says of some modules. */
function tree(dependencies: string, soft = '', aliases = '', builtin = ''): ModuleTree {
  const known = parseAliases(aliases);
  return {
    modules: new Map(parseDependencies(dependencies).map((module) => [module.name, module])),
    builtin: parseBuiltin(builtin),
    useful: parseUseful(soft),
    modulesOf: (alias) => known.get(alias) ?? [],
  };
}

function namesOf(modules: readonly Module[]): string[] {
  return modules.map(({ name }) => name);
}

describe('the name of a module', () => {
  test.each<[string, string | undefined]>([
    ['kernel/fs/xfs/xfs.ko', 'xfs'],
    ['extra/dm-crypt.ko.xz', 'dm_crypt'],
    ['zfs.ko.zst', 'zfs'],
    ['a_b-c.ko.gz', 'a_b_c'],
    ['modules.dep', undefined],
    ['zfs.ko.bz2', undefined],
    ['.ko', undefined],
  ])('%s: %p', (path, name) => {
    expect(moduleNameOf(path)).toBe(name);
  });
});

describe('what depmod writes', () => {
  test('is read; lines that lead elsewhere or make no sense are passed over', () => {
    expect(
      parseDependencies(
        '# c\nkernel/a-b.ko: kernel/c.ko.xz kernel/d.ko\nkernel/c.ko.xz:\n\n../e.ko:\n/f.ko:\nkernel//g.ko:\nx\n',
      ),
    ).toEqual([
      { name: 'a_b', path: 'kernel/a-b.ko', needs: ['c', 'd'] },
      { name: 'c', path: 'kernel/c.ko.xz', needs: [] },
    ]);
    expect(parseBuiltin('kernel/fs/ext4/ext4.ko\nkernel/crypto/crc32c-intel.ko\n')).toEqual(
      new Set(['ext4', 'crc32c_intel']),
    );
    expect(
      parseAliases('# c\nalias crypto-crc32c crc32c-intel\nalias crypto-crc32c b\nalias pci:v*d a\n')
        .entries()
        .toArray(),
    ).toEqual([['crypto_crc32c', ['crc32c_intel', 'b']]]);
  });

  test.each<[string, string[], string[]]>([
    ['softdep a pre: b c post: d', ['b', 'c'], ['d']],
    ['softdep a post: d pre: b', ['b'], ['d']],
    ['softdep a pre: b\nsoftdep a pre: c\nsoftdep a post: d', ['b', 'c'], ['d']],
    ['softdep a b', [], []],
  ])('says what is useful: %j', (text, before, after) => {
    expect(parseUseful(text).get('a')).toEqual({ before, after });
  });
});

describe('the modules that are taken', () => {
  const dependencies =
    'k/xfs.ko: k/lib-crc.ko\nk/lib-crc.ko:\nk/intel.ko:\nk/late.ko: k/base.ko\nk/base.ko:\nk/other.ko:\n';
  const soft = 'softdep lib-crc pre: crypto-crc nowhere ext4\nsoftdep xfs post: late';

  test('are what was asked for, what it needs, and what is useful for any of these', () => {
    const chosen = chooseModules(
      ['xfs', 'ext4', 'zfs'],
      tree(dependencies, soft, 'alias crypto-crc intel', 'k/ext4.ko'),
    );
    expect({ ...chosen, modules: namesOf(chosen.modules) }).toEqual({
      modules: ['base', 'intel', 'late', 'lib_crc', 'xfs'],
      useful: new Map([
        ['xfs', { before: [], after: ['late'] }],
        ['lib_crc', { before: ['intel'], after: [] }],
      ]),
      loads: ['xfs'],
      missing: ['zfs'],
    });
    expect([...dependencyLines(chosen).values()]).toEqual([
      'k/base.ko:',
      'k/intel.ko:',
      'k/late.ko: k/base.ko',
      'k/lib-crc.ko:',
      'k/xfs.ko: k/lib-crc.ko',
    ]);
    expect(usefulLines(chosen)).toEqual(['softdep lib_crc pre: intel', 'softdep xfs post: late']);
  });

  test('are there where they need one another in a circle', () => {
    const chosen = chooseModules(['a'], tree('a.ko: b.ko\nb.ko: a.ko\n', 'softdep b pre: a'));
    expect(namesOf(chosen.modules)).toEqual(['a', 'b']);
    expect([...dependencyLines(chosen).values()]).toEqual(['a.ko: b.ko', 'b.ko: a.ko']);
  });

  test('have all that they need after them, each once, what is needed most last', () => {
    const needs = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(needs, fc.nat(), (lists, asked) => {
        // A module needs only those of lower numbers, as there is an order in which all of them can be loaded.
        const text = lists.map(
          (list, at) =>
            `m${at}.ko:${list
              .filter(() => at > 0)
              .map((each) => ` m${each % at}.ko`)
              .join('')}\n`,
        );
        const name = `m${asked % lists.length}`;
        const lines = dependencyLines(chooseModules([name], tree(text.join(''))));
        for (const [module, line] of lines) {
          const [first, ...rest] = line.split(/:? /u).map((path) => path.replace(/\.ko:?$/u, ''));
          expect([first, new Set(rest).size]).toEqual([module, rest.length]);
          const loaded = rest.toReversed();
          for (const [at, each] of loaded.entries())
            for (const needed of lines.get(each)?.split(/:? /u).slice(1) ?? [])
              expect(loaded.slice(0, at)).toContain(needed.replace(/\.ko$/u, ''));
        }
      }),
    );
  });
});
