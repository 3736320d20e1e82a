import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { findJsonMistake } from '../../../src/core/policy/json-text';

describe('findJsonMistake', () => {
  test.each([
    ['', 1, 1, 'a value'],
    ['[1,\r\n\t2 3]', 2, 4, 'a comma or "]"'],
    ['{"a": 1\n\n"b": 2}', 3, 1, 'a comma or "}"'],
    ['["tab\t"]', 1, 2, 'a value or "]"'],
    [String.raw`["a", "\x"]`, 1, 7, 'a value'],
    ['{"a": tru}', 1, 7, 'a value'],
    ['[1]]', 1, 4, 'the end of the file'],
  ])('%j', (text, line, column, expected) => {
    expect(findJsonMistake(text)).toEqual({ line, column, expected });
  });

  test('finds one exactly where JSON.parse fails', () => {
    const words = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"\\u00e4"',
      '"\\',
      '"',
      '-',
      '0',
      '1.5',
      'e+3',
      '1E',
      'true',
      'null',
      ' ',
      '\n',
      '\u00a0',
    ];
    const text = fc
      .array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...words) }, fc.json(), fc.string()))
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.json()), (each) => {
        expect(findJsonMistake(each) === undefined).toBe(isJson(each));
      }),
      { numRuns: 3000 },
    );
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
