import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { ActivateError } from '../../../src/core/errors';
import type { TargetPath } from '../../../src/core/path';
import { defaultPolicy, parsePolicy } from '../../../src/core/policy/policy';

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
