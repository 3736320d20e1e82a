import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import type { View } from '../../../src/core/report/change/change';
import { displayWidth } from '../../../src/core/report/text/display';
import { paintFor } from '../../../src/core/report/text/paint';
import { comparePaths } from '../../../src/core/path';
import { changeToJson, countLines, renderNameStatus, renderStat, statusOf } from '../../../src/core/report/summary';
import { absent, change, directory, file, hidden, link, side } from '../../support/changes';
import { useRepository, withGit } from '../../support/git';

const plain = paintFor('never');
const fifo: View = { kind: 'special', what: 'fifo' };

function lines(count: number, word = 'a'): string {
  return `${word}\n`.repeat(count);
}

describe('statusOf', () => {
  test.each<[string, View, View, string]>([
    ['a file comes', absent, file(''), 'A'],
    ['a link goes', link('x'), absent, 'D'],
    ['content differs', file('a'), file('b'), 'M'],
    ['only the mode differs', file('a'), file('a', 0o600), 'M'],
    ['a directory of another owner', directory(0o755), directory(0o755, 1), 'M'],
    ['only notes', file('a'), file('a'), 'M'],
    ['a file becomes a link', file('a'), link('a'), 'T'],
    ['a directory becomes a file', directory(0o755), file('a'), 'T'],
    ['a fifo becomes a socket', fifo, { kind: 'special', what: 'socket' }, 'T'],
  ])('%s', (_, before, after, status) => {
    expect(statusOf(change('/etc/a', before, after))).toBe(status as 'A');
  });
});

test('name and status are a line for each change, names quoted where they must be', () => {
  const changes = [
    change('/etc/a b', absent, file('')),
    change('/etc/c\n', file(''), absent),
    change('/etc/d', directory(0o700), link('e')),
  ];
  expect(renderNameStatus(changes)).toBe('A\t/etc/a b\nD\t"/etc/c\\n"\nT\t/etc/d\n');
  expect(renderNameStatus([])).toBe('');
});

describe('countLines', () => {
  test.each<[string, View, View, { added: number; removed: number } | undefined]>([
    ['a text comes', absent, file(lines(3)), { added: 3, removed: 0 }],
    ['a last line without newline counts', absent, file('a\nb'), { added: 2, removed: 0 }],
    ['a newline is lost', file('a\nb\n'), file('a\nb'), { added: 1, removed: 1 }],
    ['nothing but the mode', file('a'), file('a', 0o600), { added: 0, removed: 0 }],
    ['a link elsewhere', link('a'), link('b'), { added: 1, removed: 1 }],
    ['a file becomes a link', file(lines(3)), link('a'), { added: 1, removed: 3 }],
    ['a directory comes', absent, directory(0o755), { added: 0, removed: 0 }],
    ['binary', file('a\0'), file('b'), undefined],
    ['binary becomes a link', file('a\0'), link('b'), undefined],
    ['binary with another mode', file('a\0'), file('a\0', 0o600), { added: 0, removed: 0 }],
    ['withheld', hidden('withheld', 1), hidden('withheld', 2), undefined],
    ['withheld, the same', hidden('withheld', 1, 'd'), hidden('withheld', 1, 'd'), { added: 0, removed: 0 }],
    ['unreadable', hidden('unreadable', 1), absent, undefined],
  ])('%s', (_, before, after, expected) => {
    expect(countLines(change('/etc/a', before, after))).toEqual(expected);
  });
});

const hosts = change('/etc/hosts', file('a\nb\nc\n'), file('a\nx\nc\nd\n'));

/** Changes that `git diff --stat` has a line for, by name. */
const tables = {
  'one line': [change('/etc/hosts', absent, file('a\n'))],
  'more and less': [change('/etc/a', file(lines(2)), absent), hosts],
  'only less': [change('/etc/a', file(lines(2)), absent)],
  'mode alone': [change('/etc/a', file('a\n'), file('a\n', 0o755))],
  'nothing in it': [change('/etc/a', absent, file('')), change('/etc/b', file(''), absent)],
  'lines and bytes': [change('/etc/bin', file('\0'), file('\0'.repeat(1234))), hosts],
  'many bytes, few lines': [change('/etc/a', absent, file('\0'.repeat(123_456)))],
  'more lines than columns': [
    change('/etc/a', absent, file(lines(1000))),
    change('/etc/b', file(lines(999)), file(lines(1, 'b'))),
    change('/etc/c', file(lines(1)), file(lines(1, 'b'))),
    change('/etc/d', absent, file(lines(1))),
    change('/etc/e', file(lines(300)), file(lines(200, 'b'))),
  ],
  'a long name': [change(`/etc/${'directory/'.repeat(9)}name`, absent, file(lines(30))), hosts],
  'a long last name': [change(`/etc/${'name'.repeat(30)}`, absent, file(lines(3)))],
  'a name that only just fits': [change(`/etc/${'name'.repeat(16)}`, absent, file(lines(3)))],
  'long names and many lines': [
    change(`/etc/${'a/'.repeat(30)}`.slice(0, -1), absent, file(lines(12_345))),
    change(`/etc/${'b'.repeat(45)}`, absent, file(lines(77))),
  ],
  'wide names': [
    change('/etc/a', absent, file(lines(3))),
    change('/etc/größe', absent, file('a\n')),
    change('/etc/日本語', absent, file('a\n')),
  ],
  'names in quotes': [change('/etc/a\tb"', absent, file(lines(3))), change('/etc/c', absent, file(lines(3)))],
  'a link instead of a file': [change('/etc/a', file(lines(3)), link('b')), change('/etc/c', link('d'), link('e'))],
};

withGit('the summary is what git prints', () => {
  const repository = useRepository();
  const cases = Object.entries(tables).flatMap(([name, changes]) =>
    [200, 80, 60, 40].map((columns) => [name, columns, changes] as const),
  );
  test.each(cases)('%s, in %d columns', (_, columns, changes) => {
    const trees = [repository.record(side('before', changes)), repository.record(side('after', changes))];
    const expected = repository.git('diff', `--stat=${columns}`, '--no-renames', '--no-color', ...trees);
    const sorted = changes.toSorted((a, b) => comparePaths(a.path, b.path));
    expect(renderStat(sorted, columns, plain)).toBe(
      expected.replace(/ files? changed/u, (text) => text.replace('file', 'path')),
    );
  });
});

describe('the summary', () => {
  test('of nothing is nothing', () => {
    expect(renderStat([], 80, plain)).toBe('');
  });

  test('says what it cannot count', () => {
    const changes = [
      change('/etc/fifo', absent, fifo),
      hosts,
      change('/etc/logo', file('\0'), file('\0\0\0')),
      change('/etc/shadow', hidden('withheld', 812), hidden('withheld', 840)),
      change('/etc/ssl', directory(0o755), directory(0o700)),
      change('/etc/tmp', directory(0o755), link('/tmp')),
      change('/etc/x', hidden('unreadable', 7), absent),
    ];
    expect(renderStat(changes, 80, plain)).toBe(` etc/fifo   |   0
 etc/hosts  |   3 ++-
 etc/logo   | Bin 1 -> 3 bytes
 etc/shadow |   - withheld
 etc/ssl/   |   0
 etc/tmp    |   1 +
 etc/x      |   - unreadable
 7 paths changed, 3 insertions(+), 1 deletion(-)
`);
  });

  test('has its colours', () => {
    expect(renderStat([hosts], 80, paintFor('always'))).toBe(
      ' etc/hosts | 3 \x1b[32m++\x1b[39m\x1b[31m-\x1b[39m\n 1 path changed, 2 insertions(+), 1 deletion(-)\n',
    );
    expect(renderStat([change('/etc/a', absent, file('a\n'))], 80, paintFor('always'))).toBe(
      ' etc/a | 1 \x1b[32m+\x1b[39m\n 1 path changed, 1 insertion(+)\n',
    );
  });

  test('leaves sizes out where they do not fit', () => {
    const bytes = '\0'.repeat(1_234_567);
    const changes = [
      change(`/etc/${'name'.repeat(9)}`, file('\0'.repeat(123_456)), file(bytes)),
      change('/etc/a', absent, file('\0')),
    ];
    expect(renderStat(changes, 40, plain)).toBe(` ...amename | Bin
 etc/a      | Bin 0 -> 1 bytes
 2 paths changed, 0 insertions(+), 0 deletions(-)
`);
  });

  const name = fc.string({
    unit: fc.constantFrom('a', 'b/c', 'ä', '日', '\t', 'e\u0301', '😀', '\udcff'),
    minLength: 1,
    maxLength: 40,
  });
  const view = fc.oneof(
    fc.constantFrom(absent, link('x'), directory(0o755), hidden('withheld', 1e9), hidden('unreadable', 12)),
    fc.nat(500).map((count) => file(lines(count))),
    fc.nat(2_000_000).map((count) => file('\0'.repeat(count))),
  );
  const changes = fc.array(
    fc.tuple(name, view, view).map(([path, before, after]) => change(`/etc/${path}`, before, after)),
    { minLength: 1, maxLength: 8 },
  );

  test('fits, and its bars stand below each other', () => {
    fc.assert(
      fc.property(changes, fc.integer({ min: 26, max: 120 }), (given, columns) => {
        const rows = renderStat(given, columns, plain).split('\n').slice(0, -2);
        for (const row of rows) expect(displayWidth(row)).toBeLessThan(columns);
        expect(new Set(rows.map((row) => displayWidth(row.slice(0, row.lastIndexOf(' | '))))).size).toBe(1);
      }),
    );
  });
});

describe('changeToJson', () => {
  test('has modes in octal, and the patch', () => {
    expect(changeToJson(change('/etc/a', file('a\n', 0o4755, [1, 2]), link('b'), ['a note']))).toEqual({
      path: '/etc/a',
      status: 'T',
      before: { kind: 'file', mode: '4755', uid: 1, gid: 2, sizeBytes: 2, content: 'read' },
      after: { kind: 'symlink', linkText: 'b' },
      notes: ['a note'],
      patch: `# /etc/a: a note
# /etc/a: owner 1:2
diff --git a/etc/a b/etc/a
deleted file mode 104755
--- a/etc/a
+++ /dev/null
@@ -1 +0,0 @@
-a
diff --git a/etc/a b/etc/a
new file mode 120000
--- /dev/null
+++ b/etc/a
@@ -0,0 +1 @@
+b
\\ No newline at end of file
`,
    });
  });

  test('has no patch of directories, special files and binary files', () => {
    const owned = { uid: 0, gid: 42 };
    expect(changeToJson(change('/etc/a', fifo, directory(0o1777, 0, 42)))).toEqual({
      path: '/etc/a',
      status: 'T',
      before: { kind: 'special', what: 'fifo' },
      after: { kind: 'directory', mode: '1777', ...owned },
      notes: [],
    });
    expect(changeToJson(change('/etc/a', absent, file('\0')))).toEqual({
      path: '/etc/a',
      status: 'A',
      before: { kind: 'absent' },
      after: { kind: 'file', mode: '0644', uid: 0, gid: 0, sizeBytes: 1, content: 'read' },
      notes: [],
    });
  });

  test('tells neither withheld content nor its digest', () => {
    const document = changeToJson(change('/etc/shadow', file('secret\n'), hidden('withheld', 840, 'abcdef')));
    expect(document).toEqual({
      path: '/etc/shadow',
      status: 'M',
      before: { kind: 'file', mode: '0644', uid: 0, gid: 0, sizeBytes: 7, content: 'read' },
      after: { kind: 'file', mode: '0600', uid: 0, gid: 0, sizeBytes: 840, content: 'withheld' },
      notes: [],
    });
    expect(JSON.stringify(document)).not.toMatch(/abcdef|secret/u);
  });

  test('JSON carries bytes that are not UTF-8', () => {
    const document = changeToJson(change('/etc/\udcff', absent, file('\udcfe\n')));
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    expect(document.patch).toContain('+\udcfe\n');
  });
});
