import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { resolve } from '../../support/pages';
import { alignLines, type Pair } from '../../../src/core/page/aligning';

/** Lines that are all different. */
function many(mark: string): string[] {
  return Array.from({ length: 5000 }, (_, index) => `${mark} ${index} ${'x'.repeat(90)}`);
}

describe('lines side by side', () => {
  test.each<[string, string[], string[], Pair[]]>([
    ['only new ones', [], ['a<b'], [{ after: 'a&#60;b' }]],
    ['only old ones', ['a', 'b'], [], [{ before: 'a' }, { before: 'b' }]],
    [
      'one that has another word',
      ['one two three'],
      ['one 2 three'],
      [{ before: 'one <mark>two</mark> three', after: 'one <mark>2</mark> three' }],
    ],
    [
      'what is alike, wherever it is',
      ['the first line', 'the other line'],
      ['something new', 'the first line!', 'the other line'],
      [
        { after: 'something new' },
        { before: 'the first line', after: 'the first line<mark>!</mark>' },
        { before: 'the other line', after: 'the other line' },
      ],
    ],
    ['what has nothing in common, without marks', ['abc def'], ['ghi jkl'], [{ before: 'abc def', after: 'ghi jkl' }]],
    [
      'what looks like our marks',
      ['<mark>a</mark> b c d'],
      ['<mark>a</mark> b c e'],
      [
        {
          before: expect.stringMatching(/^&lt;mark&gt;a&lt;&#x2F;mark&gt; b c <mark>d<\/mark>$/u),
          after: expect.stringMatching(/^&lt;mark&gt;a&lt;&#x2F;mark&gt; b c <mark>e<\/mark>$/u),
        },
      ],
    ],
  ])('are %s', (_, before, after, expected) => {
    expect(alignLines(before, after)).toEqual(expected);
  });

  test('every line is there once, in order', () => {
    const lines = fc.array(fc.stringMatching(/^[ab<>&"' +-]{0,6}$/u), { maxLength: 25 });
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const pairs = alignLines(before, after);
        expect(pairs.flatMap((pair) => pair.before ?? []).map(read)).toEqual(before);
        expect(pairs.flatMap((pair) => pair.after ?? []).map(read)).toEqual(after);
      }),
    );
  });

  test('much of it takes no longer than a moment', () => {
    expect(alignLines(many('a'), many('b'))).toHaveLength(5000);
    expect(alignLines(['a b '.repeat(50_000)], ['b a '.repeat(50_000)])).toHaveLength(1);
  });
});

function read(markup: string): string {
  return resolve(markup.replaceAll(/<\/?mark>/gu, ''));
}
