import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { displayWidth } from '../../../../src/core/report/text/display';
import { fold } from '../../../../src/core/report/text/fold';

describe('fold', () => {
  test.each([
    ['what fits stays', 'a b\n  c\n', 10, 'a b\n  c\n'],
    ['words move to the next line, indented', 'one two three four', 9, 'one two\n  three\n  four'],
    ['below what a label says', 'live   generation one of many', 24, 'live   generation one of\n       many'],
    ['unless that leaves little room', 'a-long-label  one two three', 16, 'a-long-label\n  one two three'],
    ['deeper where it is indented already', '  kept: /etc/x is the one', 14, '  kept: /etc/x\n    is the one'],
    ['a word that is too long stays whole', 'see /etc/a/very/long/path now', 10, 'see\n  /etc/a/very/long/path\n  now'],
    ['a bar that is written over stays one line', '\rx [=====>  ] 52 %\u001b[K', 10, '\rx [=====>  ] 52 %\u001b[K'],
    ['wide characters count twice', '中文 中文 中文', 9, '中文 中文\n  中文'],
  ])('%s', (_, text, columns, folded) => {
    expect(fold(text, columns)).toBe(folded);
  });

  test('loses no word, and no line is too long that could be broken', () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { maxLength: 20 });
    fc.assert(
      fc.property(words, fc.integer({ min: 20, max: 60 }), (each, columns) => {
        const folded = fold(each.join(' '), columns);
        expect(folded.split(/\s+/u).filter(Boolean)).toEqual(each);
        for (const line of folded.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
