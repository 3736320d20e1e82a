import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { ActivateError } from '../../../src/core/errors';
import type { TargetPath } from '../../../src/core/path';
import {
  builtInRules,
  compileRules,
  defaultPolicy,
  parsePolicy,
  type Pattern,
  type Place,
} from '../../../src/core/policy/policy';

const FILE = 'activation.toml';

describe('parsePolicy', () => {
  test('reads all that there is', () => {
    const text = `# The policy of a machine.
schema = 1
roots = ["/opt/site/", "/etc"]

[[path]]
match = "/etc/sudoers.d/**"
place = "copy"
mode = "0440"
owner = "root"
group = 0
on-conflict = "backup"
on-drift = "keep"

[[path]]
match = '*.bak'
place = 'skip'
`;
    expect(parsePolicy(text, FILE)).toEqual({
      roots: ['/etc', '/opt/site'] as TargetPath[],
      rules: [
        {
          match: '/etc/sudoers.d/**',
          place: 'copy',
          mode: 0o440,
          owner: { name: 'root' },
          group: { id: 0 },
          onConflict: 'backup',
          onDrift: 'keep',
          origin: 'activation.toml:5: path[1]',
        },
        { match: '*.bak', place: 'skip', origin: 'activation.toml:14: path[2]' },
      ],
      wrappers: [],
      initrd: undefined,
    });
  });

  test('reads JSON of the same shape, with names that are not UTF-8', () => {
    const policy = {
      roots: ['/etc'] as TargetPath[],
      rules: [{ match: '/etc/\udcff', place: 'link' as const, origin: `${FILE}: path[1]` }],
      wrappers: [],
      initrd: undefined,
    };
    expect(parsePolicy(String.raw`{"schema": 1, "path": [{"match": "/etc/\udcff", "place": "link"}]}`, FILE)).toEqual(
      policy,
    );
    expect(parsePolicy('\ufeff\n{"schema": 1}', FILE)).toEqual(defaultPolicy);
    expect(parsePolicy('{"schema": 1}', 'policy.json')).toEqual(defaultPolicy);
  });

  test('owns /etc and has no rules where nothing is said', () => {
    expect(parsePolicy('schema = 1', FILE)).toEqual(defaultPolicy);
    expect(defaultPolicy).toEqual({ roots: ['/etc'] as TargetPath[], rules: [], wrappers: [], initrd: undefined });
  });

  test.each([
    ['mode = "755"', { place: 'copy', mode: 0o755 }],
    ['mode = "7777"', { place: 'copy', mode: 0o7777 }],
    ['owner = "+12"', { place: 'copy', owner: { id: 12 } }],
    ['group = "12"', { place: 'copy', group: { id: 12 } }],
    ['group = 4294967294', { place: 'copy', group: { id: 4_294_967_294 } }],
    ['place = "seed"\nmode = "0600"', { place: 'seed', mode: 0o600 }],
    ['place = "directory"\nmode = "0700"', { place: 'directory', mode: 0o700 }],
    ['place = "direct"', { place: 'direct' }],
    ['on-conflict = "refuse"', { onConflict: 'refuse' }],
    ['place = "skip"\non-drift = "keep"', { place: 'skip', onDrift: 'keep' }],
  ] as const)('%s', (text, expected) => {
    const { rules } = parsePolicy(`schema = 1\n[[path]]\nmatch = "/etc/x"\n${text}`, FILE);
    expect(rules).toEqual([{ match: '/etc/x', ...expected, origin: 'activation.toml:2: path[1]' }]);
  });

  test('says on which line a rule begins', () => {
    const text = `schema = 1 # [[path]]
roots = ["/etc", '/opt/"', """
/srv/
[[path]]\\"""""",
'''/mnt/
[[path]]''''']
  [[ path ]] # first
match = """
/etc/\\
[[path]]
"""
[["path"]]
match = '/b'\r
\r
\t[['path']]\r
match = "/\\"[[path]]"
`;
    expect(parsePolicy(text, FILE).rules.map(({ origin }) => origin)).toEqual([
      'activation.toml:7: path[1]',
      'activation.toml:12: path[2]',
      'activation.toml:15: path[3]',
    ]);
    const inline = 'schema = 1\npath = [\n{ match = "/a" }, # [[path]]\n]';
    expect(parsePolicy(inline, FILE).rules.map(({ origin }) => origin)).toEqual(['activation.toml: path[1]']);
  });
});

/** What a policy is refused with: the message, then what to do. */
function complaintAbout(text: string, file = FILE): string[] {
  try {
    parsePolicy(text, file);
  } catch (error) {
    if (!(error instanceof ActivateError)) throw error;
    expect([error.code, error.path]).toEqual(['POLICY', file]);
    return [error.message, error.hint ?? ''];
  }
  return [];
}

describe('a policy is refused', () => {
  const ruleKeys = 'The keys here are match, place, mode, owner, group, on-conflict and on-drift.';

  test.each([
    ['', 'it has no schema', 'Begin it with schema = 1.'],
    ['schema = 2\nnew = 1', 'written for a newer activate (schema 2; this one knows 1)', 'Use a newer activate.'],
    ['schema = 0', 'schema: 0 is not allowed', 'Allowed is 1.'],
    ['schema = "1"', 'schema: "1" is not allowed', 'Allowed is 1.'],
    [
      'schema = 1\nroot = 1',
      'root: there is no such key',
      'Did you mean roots? The keys here are schema, roots, path, wrapper and initrd.',
    ],
    [
      'schema = 1\n"a b" = 1',
      '"a b": there is no such key',
      'The keys here are schema, roots, path, wrapper and initrd.',
    ],
    [
      'schema = 1\n[constructor]',
      'constructor: there is no such key',
      'The keys here are schema, roots, path, wrapper and initrd.',
    ],
    [
      'schema = 1\n[path]',
      'path: a table is not allowed',
      'Allowed is a list of tables, each under [[path]] with two brackets.',
    ],
    [
      'schema = 1\npath = [1]',
      'path[1]: 1 is no table',
      'Allowed is a table with match, place, mode, owner, group, on-conflict and on-drift.',
    ],
    ['schema = 1\nroots = "/etc"', 'roots: "/etc" is not allowed', 'Allowed is a list of paths, e.g. ["/etc"].'],
    ['schema = 1\nroots = ["/etc", 1]', 'roots: a list is not allowed', 'Allowed is a list of paths, e.g. ["/etc"].'],
    ['schema = 2020-01-01', 'schema: a date is not allowed', 'Allowed is 1.'],
  ])('%j', (text, message, hint) => {
    expect(complaintAbout(text)).toEqual([message, hint]);
  });

  const owners = 'Allowed is a name, or a number from 0 to 4294967294.';
  const modes = 'Allowed is three or four octal digits in quotes, e.g. "0440".';

  test.each([
    ['plac = "link"', 'plac', 'there is no such key', `Did you mean place? ${ruleKeys}`],
    ['on_conflict = "keep"', 'on_conflict', 'there is no such key', `Did you mean on-conflict? ${ruleKeys}`],
    ['colour = "red"', 'colour', 'there is no such key', ruleKeys],
    [
      'place = "merge"',
      'place',
      '"merge" is not allowed',
      'Allowed is "link", "direct", "copy", "seed", "directory" or "skip".',
    ],
    ['on-drift = "melt"', 'on-drift', '"melt" is not allowed', 'Allowed is "backup", "refuse", "keep" or "merge".'],
    ['on-conflict = true', 'on-conflict', 'true is not allowed', 'Allowed is "refuse", "backup" or "keep".'],
    ['mode = 440', 'mode', '440 is not allowed', modes],
    ['mode = "17777"', 'mode', '"17777" is not allowed', modes],
    ['mode = "44"', 'mode', '"44" is not allowed', modes],
    ['mode = "0o44"', 'mode', '"0o44" is not allowed', modes],
    ['mode = "0840"', 'mode', '"0840" is not allowed', modes],
    ['owner = ""', 'owner', '"" is not allowed', owners],
    ['owner = -1', 'owner', '-1 is not allowed', owners],
    ['owner = 1.5', 'owner', '1.5 is not allowed', owners],
    ['group = 4294967295', 'group', '4294967295 is not allowed', owners],
    ['group = "a:b"', 'group', '"a:b" is not allowed', owners],
    ['group = ["a"]', 'group', 'a list is not allowed', owners],
    [`group = "${':'.repeat(200)}"`, 'group', `"${':'.repeat(79)}… is not allowed`, owners],
    [
      'place = "link"\nmode = "0644"',
      'mode',
      'it makes no sense with place = "link"',
      'It needs place = "copy", "seed" or "directory".',
    ],
    [
      'place = "direct"\ngroup = 0',
      'group',
      'it makes no sense with place = "direct"',
      'It needs place = "copy", "seed" or "directory".',
    ],
    [
      'place = "skip"\nowner = 0',
      'owner',
      'it makes no sense with place = "skip"',
      'It needs place = "copy", "seed" or "directory".',
    ],
  ])('for a rule with %s', (text, key, problem, hint) => {
    const policy = `schema = 1\n\n[[path]]\nmatch = "/etc/x"\n[[path]]\nmatch = "/etc/y"\n${text}`;
    expect(complaintAbout(policy)).toEqual([`path[2].${key} (the table at line 5): ${problem}`, hint]);
  });

  test.each([
    ['', 'it is empty', 'Write a path, e.g. "/etc/hosts", or "/**" for all.'],
    ['!/etc/x', 'patterns are not negated here', 'Put a rule for the exception first: the first match wins.'],
    ['etc/x', 'it has a slash, but does not begin with one', 'Write "/etc/x", or a name alone.'],
    ['**/x', 'it has a slash, but does not begin with one', 'Write "/**/x", or a name alone.'],
    ['/', 'it matches nothing', 'Leave out doubled slashes, "." and "..".'],
    ['/etc//x', 'it matches nothing', 'Leave out doubled slashes, "." and "..".'],
    ['/etc/../x', 'it matches nothing', 'Leave out doubled slashes, "." and "..".'],
    ['/etc/**/', undefined, ''],
    ['/etc/x\\', 'it ends in a backslash', 'Write two for a backslash in a name.'],
    ['/etc\\/x', 'a slash cannot be escaped', 'Write the slash without a backslash.'],
    ['/etc/[a', 'a "[" has no "]"', 'Write "\\[" for a bracket in a name.'],
    ['/etc/[[:nope:]]', 'there is no class [:nope:]', /^The classes are alnum, .*, xdigit\.$/u],
    [`/${'?'.repeat(4096)}`, 'it is longer than any path', 'Write at most 4096 characters.'],
  ])('for the pattern %j', (match, problem, hint) => {
    const [message, advice] = complaintAbout(JSON.stringify({ schema: 1, path: [{ match }] }));
    if (problem === undefined) expect(message).toBeUndefined();
    else expect([message, advice]).toEqual([expect.stringContaining(`: ${problem}`), expect.stringMatching(hint)]);
  });

  test('for a rule without a pattern', () => {
    expect(complaintAbout('schema = 1\n[[path]]\nplace = "link"')).toEqual([
      'path[1].match (the table at line 2): it is missing',
      'Write e.g. match = "/etc/hosts".',
    ]);
  });

  test.each([
    ['schema = 1\nroots = [', FILE, 'it is not TOML: line 2, column 9: '],
    ['schema = 1 = 2', FILE, 'it is not TOML: line 1, column 12: '],
    ['schema = 1\nschema = 1', FILE, 'it is not TOML: line 2, column 1: '],
    ['{"schema": 1,\n "path": [,]}', FILE, 'it is not JSON: line 2, column 11: expected a value or "]"'],
    ['{"schema": 1,}', FILE, 'it is not JSON: line 1, column 14: expected a key in double quotes'],
    ['{schema: 1}', FILE, 'it is not JSON: line 1, column 2: expected a key in double quotes or "}"'],
    ['{"schema" = 1}', FILE, 'it is not JSON: line 1, column 11: expected a colon'],
    ['{"schema": 01}', FILE, 'it is not JSON: line 1, column 13: expected a comma or "}"'],
    ['{"schema": [1}', FILE, 'it is not JSON: line 1, column 14: expected a comma or "]"'],
    ['{"schema": 1', FILE, 'it is not JSON: line 1, column 13: expected a comma or "}"'],
    ['{} {}', FILE, 'it is not JSON: line 1, column 4: expected the end of the file'],
    ['schema = 1', 'policy.json', 'it is not JSON: line 1, column 1: expected a value'],
    ['[]', 'policy.json', 'a list is no table'],
  ])('for its syntax: %j in %s', (text, file, message) => {
    expect(complaintAbout(text, file)).toEqual([expect.stringContaining(message), expect.any(String)]);
  });

  test.each([
    '/',
    '/proc',
    '/sys/fs',
    '/dev',
    '/run',
    '/run/lock',
    '/nix',
    '/nix/store/x',
    '/gnu/store',
    '/var',
    '/var/lib',
  ])('for the root %s', (root) => {
    expect(complaintAbout(`schema = 1\nroots = ["/etc", "${root}"]`)[0]).toStartWith(`roots: ${root} is never a root`);
  });

  test.each([
    [['etc'], 'roots: "etc" is no root', 'Write an absolute path without "..".'],
    [['/etc/../x'], 'roots: "/etc/../x" is no root', 'Write an absolute path without "..".'],
    [['/var/lib/activate/x'], 'roots: /var/lib/activate/x is never a root', undefined],
    [['/var/./'], 'roots: /var is never a root: /var/lib/activate is in it', undefined],
    [['/etc', '/etc/foo'], 'roots: /etc/foo and /etc lie in one another', 'Name the outer one alone.'],
    [['/etc/foo', '/etc'], 'roots: /etc and /etc/foo lie in one another', 'Name the outer one alone.'],
    [['/etc', '/opt', '/etc/'], 'roots: /etc is named twice', 'Name it once.'],
    [[], 'roots: the list is empty', 'Write e.g. roots = ["/etc"].'],
  ])(
    'for the roots %j',
    (
      roots,
      message,
      hint = 'No root is, or lies in or above, one of /proc, /sys, /dev, /run, /nix, /gnu, /var/lib/activate, /.activate.',
    ) => {
      expect(complaintAbout(JSON.stringify({ schema: 1, roots }))).toEqual([message, hint]);
    },
  );

  test('for more brackets than anybody needs', () => {
    const open = '['.repeat(100_000);
    expect(complaintAbout(`schema = ${open}`)[0]).toStartWith('it is not TOML: line 1, column ');
    expect(complaintAbout(`{"schema": ${open}${']'.repeat(100_000)}}`)[0]).toBe('schema: a list is not allowed');
  });

  test('and any other text is a policy', () => {
    const signs = `= [[path]] [ ] { } , " ' """ ''' \\\\ # . : - * [a`.split(' ');
    const words = 'roots path match place mode on-drift "schema" "path" "match" "/etc/x" "copy" "0644" __proto__'.split(
      ' ',
    );
    const others = ['1', 'true', 'null', 'nan', '2020-01-01', 'schema = 1\n', '\n', '\n', ' ', '\udcff', '\0'];
    const word = fc.constantFrom(...signs, ...words, ...others);
    const junk = fc.array(fc.oneof(word, fc.string({ maxLength: 3 }), fc.json({ maxDepth: 2 })));
    const start = fc.constantFrom('', 'schema = 1\n', 'schema = 1\n[[path]]\nmatch = "x"\n', '{"schema": 1, ');
    fc.assert(
      fc.property(start, junk, fc.constantFrom(FILE, 'policy.json'), (begin, pieces, file) => {
        expect(complaintAbout(begin + pieces.join(''), file).length).toBeOneOf([0, 2]);
      }),
      { numRuns: 3000 },
    );
  });
});

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
