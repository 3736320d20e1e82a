import { beforeAll, describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { encodeName } from '../../../../src/core/bytes';
import type { PathChange, View } from '../../../../src/core/report/change/change';
import { escapeLine } from '../../../../src/core/report/text/display';
import { paintFor } from '../../../../src/core/report/text/paint';
import { renderPatch } from '../../../../src/core/report/change/patch';
import { countLines } from '../../../../src/core/report/summary';
import { absent, change, directory, file, hidden, link, side } from '../../../support/changes';
import { type Applier, useRepository, withGit } from '../../../support/git';
import { trickyNames } from '../../../support/names';

const plain = paintFor('never');
const numbers = Array.from({ length: 40 }, (_, index) => `${index}\n`);

/** The numbers up to 40, a line each, with some lines replaced. */
function numbered(replaced: Readonly<Record<number, string>>): View {
  return file(numbers.map((line, index) => replaced[index] ?? line).join(''));
}

/** A line for each letter. */
function lines(letters: string): string {
  return letters.replaceAll(/./gu, '$&\n');
}

/** Changes that git can express, by path. */
const changes: Readonly<Record<string, readonly [View, View]>> = {
  'a line replaced': [file('a\nb\nc\n'), file('a\nx\nc\n')],
  created: [absent, file('a\nb\n')],
  'created executable': [absent, file('#!/bin/sh\n', 0o755)],
  'created of one line': [absent, file('a\n')],
  'created-empty': [absent, file('')],
  deleted: [file('a\nb\n'), absent],
  'deleted-empty': [file(''), absent],
  'filled from nothing': [file(''), file('a\n')],
  'mode-alone': [file('a\n'), file('a\n', 0o755)],
  'mode and content': [file('a\n', 0o755), file('b\n')],
  'newline lost': [file('a\nb\n'), file('a\nb')],
  'newline won': [file('a\nb'), file('a\nb\n')],
  'no newline on either side': [file('a\nb'), file('a\nc')],
  'no newline in the context': [file('a\nb\nc'), file('x\nb\nc')],
  'no newline, then more': [file('a'), file('a\nb')],
  'only newlines': [file('\n\n\n'), file('\n\n\n\n')],
  'six lines between': [numbered({}), numbered({ 10: 'x\n', 17: 'y\n' })],
  'seven lines between': [numbered({}), numbered({ 10: 'x\n', 18: 'y\n' })],
  'first and last line': [numbered({}), numbered({ 0: '', 39: '' })],
  'lines before': [numbered({}), numbered({ 0: 'x\ny\n0\n' })],
  'lines that repeat, added': [file(lines('cxbbcba')), file(lines('xbbcbcba'))],
  'lines that repeat, removed': [file(lines('bxbaxx')), file(lines('xbxaxxx'))],
  heading: [
    numbered({ 2: 'http {\r\n', 5: '_a \t\n' }),
    numbered({ 2: 'http {\r\n', 4: '', 5: '_a \t\n', 20: '', 35: 'x\n' }),
  ],
  'heading cut short': [numbered({ 2: `${'a'.repeat(79)}äb\n` }), numbered({ 2: `${'a'.repeat(79)}äb\n`, 20: '' })],
  'heading that is not UTF-8': [numbered({ 2: 'ab \udcff c\n' }), numbered({ 2: 'ab \udcff c\n', 20: '' })],
  'lines that look like a patch': [
    file('--- a\n+++ b\n@@ -1 +1 @@\n# x\n'),
    file('-- a\n++ b\n@@ -1 +1 @@\n# x\n\\ No\n'),
  ],
  'carriage returns': [file('a\r\nb\r\nc\r'), file('a\r\nb\nc\r')],
  'bytes that are not UTF-8': [file('gr\udcfcn\nc\udce2\udc82\n'), file('gr\udcfcn\nc\u20ac\udced\udcb2\udc80\n')],
  'spaces and  tabs\tin a name': [file('a\n'), file('b\n')],
  'spaces in a name': [file('a\n'), absent],
  'quotes "in" a name': [absent, file('b\n')],
  'back\\slash': [file('a\n'), file('b\n')],
  'a\x01\x07\b\v\f\x1b\x7f': [file('a\n'), file('b\n')],
  'größe-€-😀': [file('a\n'), file('b\n')],
  '-': [file('a\n'), file('b\n')],
  'a/b/c': [file('a\n'), file('b\n')],
  'NUL too late to be seen': [file(`${'a\n'.repeat(4000)}\0`), file(`${'a\n'.repeat(4000)}\0b`)],
  'link created': [absent, link('../usr/lib/os-release')],
  'link changed': [link('../usr/share/zoneinfo/UTC'), link('../usr/share/zoneinfo/Europe/Berlin')],
  'link deleted': [link('x'), absent],
  'file to link': [file('a\nb\n'), link('a')],
  'link to file': [link('a'), file('a', 0o755)],
};

/** These git shows, but cannot apply without the content. */
const binaries: Readonly<Record<string, readonly [View, View]>> = {
  'binary created': [absent, file('a\0')],
  'binary deleted': [file('a\0'), absent],
  'binary changed "here"': [file('a\n'), file('a\0\n')],
  'NUL just seen': [file(`${'a'.repeat(7999)}\0`), file(`${'b'.repeat(7999)}\0`)],
};

const applicable = named(changes);
const all = [...applicable, ...named(binaries)];

function named(pairs: Readonly<Record<string, readonly [View, View]>>): PathChange[] {
  return Object.entries(pairs).map(([name, [before, after]]) => change(`/etc/${name}`, before, after));
}

function patchOf(given: readonly PathChange[]): string {
  return given.map((each) => renderPatch(each, plain)).join('');
}

withGit('beside git', () => {
  const repository = useRepository();
  let trees: readonly string[] = [];
  beforeAll(() => {
    trees = [repository.record(side('before', all)), repository.record(side('after', all))];
  });

  test.each(all.map((each) => [each.path, each] as const))('the patch is what git prints: %s', (path, given) => {
    const options = ['--no-color', '--no-ext-diff', '--no-renames', ...trees, '--', path.slice(1)];
    const expected = repository
      .git('--literal-pathspecs', 'diff', ...options)
      .replace(/^index .* 120000\n/mu, 'old mode 120000\nnew mode 120000\n')
      .replaceAll(/^index .*\n/gmu, '');
    expect(renderPatch(given, plain)).toBe(expected);
  });

  test.each<[Applier]>([['git apply'], ['patch -p1']])('%s makes of the files before those after', (program) => {
    const [before, after] = [side('before', applicable), side('after', applicable)];
    expect(repository.apply(program, before, patchOf(applicable))).toEqual(after);
    const noted = applicable.map(({ path, before, after }) =>
      change(path, before, after, ['a note', 'diff --git a/x b/x', '\n--- a']),
    );
    expect(repository.apply(program, before, patchOf(noted))).toEqual(after);
  });

  test.each<[Applier]>([['git apply'], ['patch -p1']])('%s skips what git has no words for', (program) => {
    const before = {
      'etc/a': file('a\nb\n'),
      'etc/c': file('c\n', 0o755),
      'etc/secret': file('s\n', 0o600),
      'etc/fixed': file('f\n'),
    };
    const skipped = [
      change('/etc/new', absent, directory(0o700, 0, 42)),
      change('/etc/new/secret', absent, hidden('withheld', 9), ['a note']),
      change('/etc/secret', hidden('withheld', 2), absent),
      change('/etc/fixed', hidden('unreadable', 2), hidden('unreadable', 3)),
      change('/etc/fifo', absent, { kind: 'special', what: 'fifo' }),
      change('/etc/old', directory(0o755), absent),
      change('/etc/fixed', file('f\n'), file('f\n', 0o644, [1, 2])),
      change('/etc', directory(0o755), directory(0o711)),
    ];
    const taken = [
      change('/etc/a', file('a\nb\n'), file('a\nc\n', 0o755, [0, 42]), ['kept as backup 3']),
      change('/etc/b', absent, file('b\n', 0o755, [7, 42])),
      change('/etc/c', file('c\n', 0o755, [7, 42]), absent),
    ];
    const patch = patchOf([...skipped, ...taken, ...skipped]);
    const { 'etc/c': _, ...rest } = before;
    const after = { ...rest, 'etc/a': file('a\nc\n', 0o755), 'etc/b': file('b\n', 0o755) };
    expect(repository.apply(program, before, patch)).toEqual(after);
  });

  test('git reads each name as it was', async () => {
    const names = [...trickyNames, 'a\nb', 'a\rb', '\u202ea', 'a\u200bb\u2028', '\u3164', ' '];
    const patch = patchOf(names.map((name) => change(`/etc/${name}`, absent, file('a\n'))));
    const path = `${repository.git('rev-parse', '--absolute-git-dir').trim()}/names.patch`;
    await Bun.write(path, encodeName(patch));
    const rows = repository.git('apply', '--numstat', '-z', path).split('\0').slice(0, -1);
    expect(rows).toEqual(names.map((name) => `1\t0\tetc/${name}`));
  });

  test('any text becomes any other, by both programs, in no more lines than git needs', () => {
    const pairs = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 150 });
    fc.assert(
      fc.property(pairs, (texts) => {
        const given = texts.map(([before, after], index) => change(`/etc/${index}`, file(before), file(after)));
        const patch = patchOf(given);
        if (patch === '') return;
        const [before, after] = [side('before', given), side('after', given)];
        expect(repository.apply('git apply', before, patch)).toEqual(after);
        expect(repository.apply('patch -p1', before, patch)).toEqual(after);
        const trees = [repository.record(before), repository.record(after)];
        const rows = repository
          .git('diff', '--numstat', '--no-renames', ...trees)
          .split('\n')
          .slice(0, -1);
        const counts = new Map(given.map((each) => [each.path.slice(1), countLines(each)]));
        for (const [added, removed, path] of rows.map((row) => row.split('\t'))) {
          expect(counts.get(path ?? '')?.added).toBeLessThanOrEqual(Number(added));
          expect(counts.get(path ?? '')?.removed).toBeLessThanOrEqual(Number(removed));
        }
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  test.each([
    ['of two lines in any order', 20_000, 2],
    ['of lines that are all different', 60_000, 1e9],
    ['of empty lines', 300_000, 1],
  ])(
    'a large text %s comes to an end, and applies',
    (_, count, kinds) => {
      const after = file(`${manyLines(count + 7, kinds, 2)}end`);
      const given = [change('/etc/large', file(manyLines(count, kinds, 1)), after)];
      expect(repository.apply('git apply', side('before', given), patchOf(given))).toEqual(side('after', given));
    },
    60_000,
  );
});

/** Lines that often repeat, with whatever a patch could stumble over. */
const line = fc.constantFrom(
  'a',
  'b',
  '',
  ' ',
  '{',
  '}',
  '\t',
  '-- a',
  '++ b',
  '@@ -1 +1 @@',
  '\\ No newline',
  'ä\udcff',
  'c\r',
  '#',
  'diff --git a/x b/x',
);
const text = fc
  .tuple(fc.array(line, { maxLength: 25 }), fc.boolean())
  .map(([lines, isEnded]) => lines.join('\n') + (isEnded && lines.length > 0 ? '\n' : ''));

/** The same for the same seed. */
function manyLines(count: number, kinds: number, seed: number): string {
  let state = seed;
  const lines = Array.from({ length: count }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return `${state % kinds}\n`;
  });
  return lines.join('');
}

describe('what git has no words for', () => {
  test.each<[string, PathChange, string]>([
    ['nothing', change('/etc/a', file('a'), file('a')), ''],
    ['nothing, of a link', change('/etc/a', link('a'), link('a')), ''],
    ['a note alone', change('/etc/a', file('a'), file('a'), ['the edit\tstays\n']), '# /etc/a: the edit\tstays^J\n'],
    [
      'twelve bits of mode, and owners',
      change('/etc/su do', file('a\n', 0o644), file('b\n', 0o4750, [0, 27]), ['kept as backup 3']),
      `# /etc/su do: kept as backup 3
# /etc/su do: owner 0:0 -> 0:27
diff --git a/etc/su do b/etc/su do
old mode 100644
new mode 104750
--- a/etc/su do\t
+++ b/etc/su do\t
@@ -1 +1 @@
-a
+b
`,
    ],
    ['an owner alone', change('/etc/a', file('a'), file('a', 0o644, [1, 0])), '# /etc/a: owner 0:0 -> 1:0\n'],
    [
      'a file of another owner comes',
      change('/etc/a', absent, file('', 0o640, [0, 42])),
      '# /etc/a: owner 0:42\ndiff --git a/etc/a b/etc/a\nnew file mode 100640\n',
    ],
    ['a directory comes', change('/etc/x', absent, directory(0o755)), '# /etc/x/: new directory mode 0755 owner 0:0\n'],
    [
      'a directory goes',
      change('/etc/x', directory(0o1777, 1, 2), absent),
      '# /etc/x/: deleted directory mode 1777 owner 1:2\n',
    ],
    [
      'a directory of another owner and mode',
      change('/etc/x', directory(0o755), directory(0o2750, 0, 42)),
      '# /etc/x/: mode 0755 -> 2750\n# /etc/x/: owner 0:0 -> 0:42\n',
    ],
    [
      'a directory becomes a link',
      change('/etc/x', directory(0o755), link('y'), ['with all that is in it']),
      `# /etc/x: with all that is in it
# /etc/x/: deleted directory mode 0755 owner 0:0
diff --git a/etc/x b/etc/x
new file mode 120000
--- /dev/null
+++ b/etc/x
@@ -0,0 +1 @@
+y
\\ No newline at end of file
`,
    ],
    [
      'one special file becomes another',
      change('/etc/x', { kind: 'special', what: 'fifo' }, { kind: 'special', what: 'socket' }),
      '# /etc/x: deleted fifo\n# /etc/x: new socket\n',
    ],
    [
      'a special file becomes a file',
      change('/etc/x', { kind: 'special', what: 'block device' }, file('')),
      '# /etc/x: deleted block device\ndiff --git a/etc/x b/etc/x\nnew file mode 100644\n',
    ],
    [
      'content withheld',
      change('/etc/shadow', hidden('withheld', 812), hidden('withheld', 840)),
      '# /etc/shadow: content withheld: not everyone may read it (--show-secrets shows it); 812 -> 840 bytes\n',
    ],
    [
      'content withheld, of a file that comes',
      change('/etc/shadow', absent, hidden('withheld', 840)),
      `# /etc/shadow: new file mode 0600 owner 0:0
# /etc/shadow: content withheld: not everyone may read it (--show-secrets shows it); 840 bytes
`,
    ],
    [
      'content withheld on one side',
      change('/etc/shadow', file('secret\n', 0o644, [0, 42]), hidden('withheld', 7)),
      `# /etc/shadow: mode 0644 -> 0600
# /etc/shadow: owner 0:42 -> 0:0
# /etc/shadow: content withheld: not everyone may read it (--show-secrets shows it); 7 bytes
`,
    ],
    [
      'content withheld, but known to be the same',
      change('/etc/shadow', hidden('withheld', 7, 'abc'), { ...hidden('withheld', 7, 'abc'), mode: 0o640 } as View),
      'diff --git a/etc/shadow b/etc/shadow\nold mode 100600\nnew mode 100640\n',
    ],
    [
      'content that this user may not read',
      change('/etc/shadow', hidden('unreadable', 812), hidden('withheld', 840)),
      '# /etc/shadow: content not shown: no permission to read it; 812 -> 840 bytes\n',
    ],
    [
      'content withheld, and a link instead',
      change('/etc/x', hidden('withheld', 7), link('y')),
      `# /etc/x: deleted file mode 0600 owner 0:0
# /etc/x: content withheld: not everyone may read it (--show-secrets shows it); 7 bytes
diff --git a/etc/x b/etc/x
new file mode 120000
--- /dev/null
+++ b/etc/x
@@ -0,0 +1 @@
+y
\\ No newline at end of file
`,
    ],
    [
      'names that could fool a terminal',
      change('/etc/\u202ea\u0085 \udcff', absent, file('a\n'), ['kept']),
      `# "/etc/\\342\\200\\256a\\302\\205 \\377": kept
diff --git "a/etc/\\342\\200\\256a\\302\\205 \\377" "b/etc/\\342\\200\\256a\\302\\205 \\377"
new file mode 100644
--- /dev/null
+++ "b/etc/\\342\\200\\256a\\302\\205 \\377"\t
@@ -0,0 +1 @@
+a
`,
    ],
    [
      'a text too large to be compared by lines',
      change('/etc/x', file('a\n'), file('a\n'.repeat(9_000_000))),
      'diff --git a/etc/x b/etc/x\nBinary files a/etc/x and b/etc/x differ\n',
    ],
  ])('%s', (_, given, expected) => {
    expect(renderPatch(given, plain)).toBe(expected);
  });
});

describe('on a terminal', () => {
  const given = change('/etc/a', file('go\n\x1b[2Ja\tb\n'), file('go\n\u202eb\udcff\n', 0o600), ['kept']);

  test('content cannot give orders', () => {
    expect(renderPatch(given, plain, escapeLine)).toBe(`# /etc/a: kept
diff --git a/etc/a b/etc/a
old mode 100644
new mode 100600
--- a/etc/a
+++ b/etc/a
@@ -1,2 +1,2 @@
 go
-^[[2Ja\tb
+<U+202E>b<FF>
`);
  });

  test('each kind of line has its colour', () => {
    expect(renderPatch(given, paintFor('always'), escapeLine)).toBe(
      [
        '\x1b[33m# /etc/a: kept\x1b[39m',
        '\x1b[1mdiff --git a/etc/a b/etc/a\x1b[22m',
        '\x1b[1mold mode 100644\x1b[22m',
        '\x1b[1mnew mode 100600\x1b[22m',
        '\x1b[1m--- a/etc/a\x1b[22m',
        '\x1b[1m+++ b/etc/a\x1b[22m',
        '\x1b[36m@@ -1,2 +1,2 @@\x1b[39m',
        ' go',
        '\x1b[31m-^[[2Ja\tb\x1b[39m',
        '\x1b[32m+<U+202E>b<FF>\x1b[39m',
        '',
      ].join('\n'),
    );
  });

  test('colours change nothing else', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const pair = change('/etc/a', file(before), file(after));
        const painted = renderPatch(pair, paintFor('always'), escapeLine);
        expect(painted.replaceAll(/\x1b\[\d+m/gu, '')).toBe(renderPatch(pair, plain, escapeLine));
      }),
    );
  });
});

test('the counts are those of the lines in the patch', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const pair = change('/etc/a', file(before), file(after));
      const lines = renderPatch(pair, plain).split('\n').slice(3);
      const [added, removed] = ['+', '-'].map((sign) => lines.filter((each) => each.startsWith(sign)).length);
      expect(countLines(pair)).toEqual({ added: added ?? 0, removed: removed ?? 0 });
    }),
  );
});

test('no shorter patch would do', () => {
  // git is no measure for this: it leaves out lines that occur often, even with --minimal.
  fc.assert(
    fc.property(text, text, (before, after) => {
      const [old, next] = [linesIn(before), linesIn(after)];
      const kept = longestCommon(old, next);
      const expected = { added: next.length - kept, removed: old.length - kept };
      expect(countLines(change('/etc/a', file(before), file(after)))).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});

/** Each line with its newline. */
function linesIn(content: string): string[] {
  return content.match(/[^\n]*\n|[^\n]+$/gu) ?? [];
}

/** How many lines two texts can have in common, in order; by the book, in the product of their lengths. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, () => 0);
  for (const each of a) {
    const next = [0];
    for (const [index, other] of b.entries()) {
      next.push(each === other ? (row[index] ?? 0) + 1 : Math.max(row[index + 1] ?? 0, next[index] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
