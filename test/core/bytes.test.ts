import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { decodeName, encodeName, lengthInBytes } from '../../src/core/bytes';

/** Bytes that are often nearly UTF-8: random ones, and pieces of real characters in any order. */
const almostText = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.string({ unit: 'binary', maxLength: 3 }).map((text) => new TextEncoder().encode(text)),
      fc.constantFrom('f09f', 'eda080', 'edb280', 'efbfbd', 'efbbbf', 'c0af', 'f4908080', 'e282').map(fromHex),
    ),
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

function fromHex(text: string): Uint8Array {
  return Uint8Array.fromHex(text);
}

describe('names', () => {
  test('any bytes come back unchanged', () => {
    fc.assert(
      fc.property(almostText, (bytes) => expect(encodeName(decodeName(bytes))).toEqual(bytes)),
      { numRuns: 2000 },
    );
  });

  test('any text that is well formed comes back unchanged', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(fc.property(text, (name) => expect(decodeName(encodeName(name))).toBe(name)));
  });

  test('different bytes have different names', () => {
    fc.assert(
      fc.property(almostText, almostText, (a, b) => {
        expect(decodeName(a) === decodeName(b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });

  test('JSON carries every name', () => {
    fc.assert(
      fc.property(almostText, (bytes) => {
        const name = decodeName(bytes);
        expect(JSON.parse(JSON.stringify(name))).toBe(name);
      }),
    );
  });

  test('the length is that of the bytes', () => {
    fc.assert(fc.property(almostText, (bytes) => expect(lengthInBytes(decodeName(bytes))).toBe(bytes.length)));
  });

  test.each([
    ['plain', '2f657463', '/etc'],
    ['two to four bytes', 'c3a4e282acf09f9880', 'ä€😀'],
    ['a byte that begins nothing', 'ff', '\udcff'],
    ['a character cut short', '61e282', 'a\udce2\udc82'],
    ['a byte after a character outside the first plane', 'f09f9880ff', '😀\udcff'],
    ['a surrogate in bytes', 'edb2ff', '\udced\udcb2\udcff'],
    ['an overlong slash', 'c0af', '\udcc0\udcaf'],
    ['a replacement character of its own', 'efbfbdff', '\ufffd\udcff'],
    ['a byte order mark', 'efbbbf61', '\ufeffa'],
    ['nothing', '', ''],
  ])('%s', (_, hex, name) => {
    expect(decodeName(fromHex(hex))).toBe(name);
    expect(encodeName(name)).toEqual(fromHex(hex));
  });
});
