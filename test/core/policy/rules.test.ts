import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import type { TargetPath } from '../../../src/core/path';
import { builtInRules, compileRules, type Pattern, type Place } from '../../../src/core/policy/policy';

/** The patterns of the rules that are found, in the order of the paths; a path that ends in a slash is a directory. */
function found(rules: readonly Pattern[], paths: readonly string[]): (string | undefined)[] {
  const ruleFor = compileRules(rules);
  return paths.map((path) => {
    const isDirectory = path.endsWith('/');
    return ruleFor((isDirectory ? path.slice(0, -1) : path) as TargetPath, isDirectory ? 'directory' : 'other')?.match;
  });
}

describe('compileRules', () => {
  test('the first match wins', () => {
    const rules = ['/etc/a/b', '*.c', '/etc/a', '/etc/*/b', 'b', '/etc/a/c', '/etc/**'].map((match) => ({ match }));
    expect(
      found(rules, [
        '/etc/a/b',
        '/etc/a/b.c',
        '/etc/a/x',
        '/etc/a/c',
        '/etc/x/b',
        '/etc/b',
        '/opt/b',
        '/etc/x',
        '/opt/x',
      ]),
    ).toEqual(['/etc/a/b', '*.c', '/etc/a', '/etc/a', '/etc/*/b', 'b', 'b', '/etc/**', undefined]);
  });

  const paths = ['/etc/d', '/etc/d/', '/etc/d/f', '/etc/d/e/', '/etc/d/e/f'];

  test.each<[Place | undefined, string, boolean[]]>([
    [undefined, '/etc/d', [true, false, true, false, true]],
    ['link', '/etc/d', [true, false, true, false, true]],
    ['direct', '/etc/d', [true, false, true, false, true]],
    ['copy', '/etc/d', [true, false, true, false, true]],
    ['seed', '/etc/d', [true, false, true, false, true]],
    ['skip', '/etc/d', [true, true, true, true, true]],
    ['directory', '/etc/d', [false, true, false, false, false]],
    [undefined, '/etc/d/', [false, false, true, false, true]],
    ['link', '/etc/d/', [false, true, true, false, true]],
    ['copy', '/etc/d/', [false, false, true, false, true]],
    ['skip', '/etc/d/', [false, true, true, true, true]],
    ['directory', '/etc/d/', [false, true, false, false, false]],
    ['directory', '/etc/d/**', [false, false, false, true, false]],
    ['link', '/etc/d/**', [false, false, true, false, true]],
    ['link', '/etc/d/**/', [false, false, false, true, true]],
    ['skip', 'e', [false, false, false, true, true]],
  ])('place %s with %s', (place, match, expected) => {
    expect(
      found([place === undefined ? { match } : { match, place }], paths).map((rule) => rule !== undefined),
    ).toEqual(expected);
  });

  test('a rule that is not for a directory leaves it to the next', () => {
    const rules = [
      { match: '/etc/d' },
      { match: '/etc/*', place: 'directory' },
      { match: 'd', place: 'skip' },
    ] as const;
    expect(found(rules, paths)).toEqual(['/etc/d', '/etc/*', '/etc/d', 'd', '/etc/d']);
  });

  test('a pattern that is none matches nothing', () => {
    expect(found([{ match: '[' }, { match: '!x' }, { match: '' }, { match: '*' }], ['/etc/x'])).toEqual(['*']);
  });

  test('any characters are matched, one at a time', () => {
    const name = '/etc/\u2028\udcff\u{10080}\n';
    expect(found([{ match: '/etc/????' }], [name, `${name}x`])).toEqual(['/etc/????', undefined]);
    expect(found([{ match: '/etc/*\udcff*' }], [name, '/etc/\udcfe'])).toEqual(['/etc/*\udcff*', undefined]);
    expect(found([{ match: '*\udc80' }], ['/etc/\udc80', '/etc/\u{10080}'])).toEqual(['*\udc80', undefined]);
    expect(found([{ match: '/etc/[\udc80-\udcff]' }], ['/etc/\udcff', '/etc/\u{10080}'])).toEqual([
      '/etc/[\udc80-\udcff]',
      undefined,
    ]);
  });

  test('no pattern takes long', () => {
    const names = ['a'.repeat(255), 'a/'.repeat(120), 'ab/'.repeat(120)];
    const patterns = [
      '*a'.repeat(30),
      '**/'.repeat(30),
      '*a*/'.repeat(20),
      '**/*a*/'.repeat(20),
      '?*'.repeat(60),
      '[a-z]*a'.repeat(20),
    ];
    const rules = patterns.map((pattern) => ({ match: `/etc/${pattern}!` }));
    expect(
      found(
        rules,
        names.map((name) => `/etc/${name}x`),
      ),
    ).toEqual(names.map(() => undefined));
  });

  test('a pattern without wildcards is for one path and what is below', () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', '-', ' ', '{', '(', '|', '+', '$', '"', 'ä', '\udcff'),
      minLength: 1,
      maxLength: 2,
    });
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
    fc.assert(
      fc.property(path, path, (match, other) => {
        const isIn = other === match || other.startsWith(`${match}/`);
        expect(found([{ match }], [match, `${match}/x`, other])).toEqual([match, match, isIn ? match : undefined]);
        expect(found([{ match, place: 'directory' }], [`${match}/`, `${other}/`])).toEqual([
          match,
          other === match ? match : undefined,
        ]);
      }),
      { numRuns: 1000 },
    );
  });

  test('escaping makes any name a pattern', () => {
    const name = fc.string({ unit: 'binary', minLength: 1 }).filter((each) => !/^\.{1,2}$|[\0/]/u.test(each));
    fc.assert(
      fc.property(name, name, (wanted, other) => {
        const match = `/etc/${wanted.replaceAll(/[*?[\\]/gu, String.raw`\$&`)}`;
        expect(found([{ match }], [`/etc/${wanted}`, `/etc/${other}`])).toEqual([
          match,
          other === wanted ? match : undefined,
        ]);
      }),
    );
  });
});

describe('the built-in rules', () => {
  const ruleFor = compileRules(builtInRules);

  test.each<[Place | undefined, string]>([
    ['skip', '.pwd.lock'],
    ['seed', 'passwd passwd- group group- shadow shadow- gshadow gshadow- subuid subuid- subgid subgid-'],
    ['seed', 'machine-id hostname adjtime resolv.conf mtab fstab ssh/ssh_host_rsa_key ssh/ssh_host_ed25519_key.pub'],
    ['copy', 'sudoers sudoers.d/wheel sudoers.d/deep/wheel'],
    [undefined, 'hosts passwd.d ssh/sshd_config ssh/ssh_known_hosts sub/passwd passwd-x xpasswd sudoers.d'],
  ])('%s for %s', (place, names) => {
    for (const name of names.split(' '))
      expect([name, ruleFor(`/etc/${name}` as TargetPath, 'other')?.place]).toEqual([name, place]);
  });

  test('are for /etc alone, and say so', () => {
    expect(ruleFor('/opt/etc/passwd' as TargetPath, 'other')).toBeUndefined();
    expect(builtInRules.map(({ origin }) => origin)).toEqual(builtInRules.map(() => 'built-in'));
  });
});
