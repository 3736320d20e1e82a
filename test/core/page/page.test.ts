import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import type { TargetPath } from '../../../src/core/path';
import type { PathChange, View } from '../../../src/core/report/change/change';
import { displayName, escapeLine } from '../../../src/core/report/text/display';
import { paintFor } from '../../../src/core/report/text/paint';
import { renderPatch } from '../../../src/core/report/change/patch';
import { absent, change, directory, file, hidden, link } from '../../support/changes';
import { foundFile } from '../../support/entries';
import { trickyNames } from '../../support/names';
import { diffLinesIn, pageOf, textsIn, tokensOf } from '../../support/pages';

const changes: readonly PathChange[] = [
  change('/etc/added', absent, file('a\nb\n')),
  change('/etc/binary', file('a\0b'), file('a\0cd')),
  change('/etc/deleted', file('a\n'), absent),
  change('/etc/directory', absent, directory(0o750, 1, 2)),
  change('/etc/directory/x', absent, file('')),
  change('/etc/kind', link('x'), file('a\n')),
  change('/etc/link', link('/a/b'), link('/a/c')),
  change('/etc/mode', file('a\n'), file('a\n', 0o600, [1, 2])),
  change('/etc/motd', file('one\ntwo\nthree\n'), file('one\n2\nthree'), ['somebody changed this']),
  change('/etc/secret', hidden('withheld', 3, 'a'), hidden('withheld', 4, 'b')),
  change('/etc/special', absent, { kind: 'special', what: 'fifo' }),
  change('/etc/unreadable', hidden('unreadable', 3), file('new\n', 0o600)),
];

/** What a page says of one change, without the heading. */
function said(...args: Parameters<typeof change>): string[] {
  const page = pageOf([change(...args)]);
  const tokens = tokensOf(page);
  const start = tokens.findIndex(({ attributes }) => attributes['class'] === 'm');
  const texts = tokens.slice(start).flatMap(({ kind, text }) => (kind === 'text' ? [text.trim()] : []));
  return texts.filter((text) => text !== '');
}

describe('a page', () => {
  test('names every changed path once among the changes, and once in the tree, which leads there', () => {
    const page = pageOf(changes);
    const headings = textsIn(page, 'h3').map((text) => text.split(' ')[0]);
    const names = changes.map(({ path }) => (path === '/etc/directory' ? `${path}/` : path));
    expect(headings).toEqual(names);
    const links = tokensOf(textOf(page, 'nav')).flatMap(({ attributes }) => attributes['href'] ?? []);
    expect(links.toSorted()).toEqual(changes.map((_, index) => `#c${index + 1}`).toSorted());
    const ids = tokensOf(page).flatMap(({ attributes }) => attributes['id'] ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    for (const each of links) expect(ids).toContain(each.slice(1));
  });

  test('says from where to where, when it was made, by what, and how much changes', () => {
    const page = pageOf(changes);
    expect(textsIn(page, 'title')).toEqual(['Changes from generation 1 to generation 2']);
    expect(textsIn(page, 'dd')).toEqual([
      'generation 1, /closures/a',
      'generation 2, /closures/b',
      '2026-01-02 03:04:05 UTC by activate 1.2.3',
      '12 paths: 4 added, 6 modified, 1 deleted, 1 of another kind; 6 lines added, 5 removed',
      '1 path: backups to come, and more',
    ]);
    expect(page).toContain('<time datetime="2026-01-02T03:04:05.678Z">');
    const other = pageOf([], { from: '/closures/x', to: 0, closures: { from: '/closures/x', to: undefined } });
    expect(textsIn(other, 'title')).toEqual(['Changes from x to nothing managed']);
    expect(textsIn(other, 'dd').slice(0, 2)).toEqual(['/closures/x', 'nothing managed']);
    expect(other).toContain('<p>No path changes.</p>');
  });

  test('has conflicts with what can be done, backups, what stays and what was not read', () => {
    const page = pageOf(changes, {
      conflicts: [{ path: '/etc/<b>' as TargetPath, reason: 'unmanaged', found: foundFile() }],
      kept: ['/etc/kept' as TargetPath],
      unread: [{ path: '/etc/unread' as TargetPath, why: 'no permission' }],
    });
    const texts = textsIn(page, 'li');
    expect(texts).toContain("/etc/<b>: a file of the machine's is there");
    expect(texts).toContain('/etc/motd: somebody changed this');
    expect(texts).toContain('/etc/kept');
    expect(texts).toContain('/etc/unread: no permission');
    expect(textsIn(page, 'pre').join('')).toContain('--on-conflict backup');
    expect(textsIn(page, 'h2')).toEqual([
      'Conflicts',
      'Backups to come, and other notes',
      "The machine's own stays",
      'Not read',
      'Changed paths',
      'Changes',
    ]);
  });

  test.each<[string, View, View, readonly string[]]>([
    [
      'the mode and the owner',
      file('a\n'),
      file('a\n', 0o600, [1, 2]),
      ['file,', 'mode 0644 \u2192 mode 0600', ',', 'owner 0:0 \u2192 owner 1:2', ', 2 bytes'],
    ],
    ['a new directory', absent, directory(0o750, 1, 2), ['directory, mode 0750, owner 1:2']],
    ['a new special file', absent, { kind: 'special', what: 'fifo' }, ['fifo']],
    [
      'binary content',
      file('a\0'),
      file('b\0'),
      ['file, mode 0644, owner 0:0, 2 bytes', 'Binary content, not shown: 2 bytes.'],
    ],
    ['another link text', link('a b c'), link('a x c'), ['link', '@@ -1 +1 @@', 'a', 'b', 'c', 'a', 'x', 'c']],
    [
      'a lost newline',
      file('a\n'),
      file('a'),
      [
        'file, mode 0644, owner 0:0,',
        '2 bytes \u2192 1 byte',
        '@@ -1 +1 @@',
        'a',
        'a',
        'No newline at the end of the file after.',
      ],
    ],
    [
      'withheld content',
      hidden('withheld', 3),
      hidden('withheld', 3),
      [
        'file, mode 0600, owner 0:0, 3 bytes',
        'content withheld: not everyone may read it (--show-secrets shows it); 3 bytes',
      ],
    ],
  ])('shows %s', (_, before, after, expected) => {
    expect(said('/etc/x', before, after)).toEqual([...expected]);
  });

  test('holds nothing of what is withheld', () => {
    const page = pageOf([
      change('/etc/a', hidden('withheld', 3, 'digest'), absent),
      change('/etc/b', file('open\n'), hidden('withheld', 3, 'digest')),
    ]);
    expect(page).not.toContain('digest');
    expect(page).not.toContain('open\n');
    expect(diffLinesIn(page)).toEqual([]);
  });

  test('shows a part of a change of very many lines, and says so', () => {
    const page = pageOf([change('/etc/x', absent, file('a line\n'.repeat(7000)))]);
    expect(textsIn(page, 'ins')).toHaveLength(5000);
    expect(page).toContain('<p class="n">2000 more changed lines not in this page: activate diff shows them.</p>');
  });

  test('shows no more of a text in which every other line changes', () => {
    const [before, after] = ['x', 'y'].map((mark) =>
      file(Array.from({ length: 9000 }, (_, at) => `${at % 2 ? mark : at}\n`).join('')),
    );
    const page = pageOf([change('/etc/x', before ?? absent, after ?? absent)]);
    expect(textsIn(page, 'ins')).toHaveLength(2500);
    expect(page).toContain('4000 more changed lines not in this page');
  });

  test('folds up what is long, and the tree where there is much of it', () => {
    expect(pageOf([change('/etc/x', absent, file('a\n'.repeat(300)))])).toContain('<details open><summary>300 lines');
    expect(pageOf([change('/etc/x', absent, file('a\n'.repeat(301)))])).toContain('<details><summary>301 lines');
    const kept = Array.from({ length: 31 }, (_, index) => `/etc/${index}` as TargetPath);
    expect(pageOf([], { kept })).toContain('<details><summary>31 paths</summary><ul>');
    expect(pageOf([], { kept: kept.slice(1) })).not.toContain('<details><summary>');
    const many = Array.from({ length: 400 }, (_, index) => change(`/etc/${index % 20}/${index}/x`, absent, file('')));
    const tree = textOf(pageOf(many), 'nav');
    expect(tree.match(/<details open>/gu)).toHaveLength(1);
    expect(tree.match(/<a href/gu)).toHaveLength(400);
  });

  test('has no tree deeper than browsers nest', () => {
    const deep = Array.from({ length: 300 }, (_, index) => change(`/etc${'/d'.repeat(index)}/x`, absent, file('')));
    let [depth, most] = [0, 0];
    for (const { kind } of tokensOf(pageOf(deep))) {
      if (kind !== 'text') depth += kind === 'open' ? 1 : -1;
      most = Math.max(most, depth);
    }
    expect(most).toBeLessThan(80);
    expect(textsIn(textOf(pageOf(deep), 'nav'), 'a')).toHaveLength(300);
  });

  test('forbids scripts and the network, and has none', () => {
    const page = pageOf(changes);
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'; img-src data:;`);
    expect(page).not.toMatch(/<script|<img|<iframe|\son\w+=|url\(|@import|https?:/u);
  });
});

/** An element of a page, with its tags. */
function textOf(page: string, element: string): string {
  return page.slice(page.indexOf(`<${element} `), page.indexOf(`</${element}>`) + `</${element}>`.length);
}

const hostile = fc.oneof(
  fc.constantFrom('<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onclick='x", '&lt;b&gt;', '</pre>'),
  fc.constantFrom(
    '\u202e',
    '\u2066',
    '\u200b',
    '\ufeff',
    '\u001b[31m',
    '\0',
    '\r',
    '\f',
    '\u0085',
    '\u2028',
    '\udcff',
    '<mark>',
  ),
  fc.constantFrom(...trickyNames),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const name = hostile
  .map((text) => text.replaceAll(/[/\0\r\n]/gu, '_'))
  .filter((text) => !['', '.', '..'].includes(text));
const line = fc.array(hostile, { maxLength: 3 }).map((parts) => parts.join('').replaceAll(/[\n\0]/gu, ' '));
const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n'));

describe('whatever names and files hold', () => {
  test('a page is well-formed, and a browser is sent nothing that it obeys or does not show', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 5 }), text, text, (names, before, after) => {
        const own = names.map((each) => change(`/etc/${each}`, file(before), file(after), [before]));
        const page = pageOf(own, {
          kept: own.map(({ path }) => path),
          conflicts: own.map(({ path }) => ({ path, reason: 'blocked', obstacle: 'immutable' })),
          unread: own.map(({ path }) => ({ path, why: before })),
          closures: { from: names[0], to: names[0] },
        });
        const elements = new Set(tokensOf(page).flatMap(({ kind, text: tag }) => (kind === 'open' ? [tag] : [])));
        expect([...elements].filter((each) => !KNOWN.has(each))).toEqual([]);
        expect(page).not.toMatch(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?![\n\t])\p{Cc}/u);
        expect(textsIn(page, 'h3')).toEqual(own.map(({ path }) => expect.stringContaining(displayName(path))));
      }),
    );
  });

  test('its lines are those of the patch', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const each = change('/etc/x', file(before), file(after));
        const patch = renderPatch(each, paintFor('never'), escapeLine).split('\n');
        const start = patch.findIndex((row) => row.startsWith('@@'));
        const expected = patch.slice(start < 0 ? patch.length : start, -1).filter((row) => !row.startsWith('\\'));
        expect(diffLinesIn(pageOf([each])).map(withoutHeading)).toEqual(expected.map(withoutHeading));
      }),
    );
  });
});

const KNOWN = new Set(
  'html head meta title link style body a header h1 h2 h3 dl dt dd time code div fieldset legend label input section ul li pre nav details summary main p span del ins mark'.split(
    ' ',
  ),
);

/** git says after the ranges what the lines are about. */
function withoutHeading(row: string): string {
  return row.replace(/^(@@ \S+ \S+ @@).*/u, '$1');
}
