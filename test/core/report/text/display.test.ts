import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { decodeName } from '../../../../src/core/bytes';
import { displayName, displayWidth, escapeLine, shorten } from '../../../../src/core/report/text/display';

const bytes = fc.uint8Array({ maxLength: 30 });
const text = fc.oneof(bytes.map(decodeName), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));

describe('displayName', () => {
  test.each([
    ['plain', '/etc/hosts', '/etc/hosts'],
    ['spaces', '/etc/a  b ', '/etc/a  b '],
    ['printable Unicode', '/etc/größe-日本語-😀-é', '/etc/größe-日本語-😀-é'],
    ['what shells expand', "/etc/$HOME'*~%", "/etc/$HOME'*~%"],
    ['a tab and a quote', 'a\tb"c', String.raw`"a\tb\"c"`],
    ['a backslash', 'a\\b', String.raw`"a\\b"`],
    ['all escapes of C', '\x07\b\t\n\v\f\r', String.raw`"\a\b\t\n\v\f\r"`],
    ['other controls', '\x00\x01\x1b\x7f', String.raw`"\000\001\033\177"`],
    ['C1 controls', '\u0080\u009b\u009f', String.raw`"\302\200\302\233\302\237"`],
    ['bytes that are not UTF-8', '\udcff\udc80a', String.raw`"\377\200a"`],
    ['bytes beside what needs no quotes', '/größe\udcff', '"/größe\\377"'],
    ['direction', 'a\u202etxt\u2066\u200f', String.raw`"a\342\200\256txt\342\201\246\342\200\217"`],
    ['separators of lines', '\u2028\u2029', String.raw`"\342\200\250\342\200\251"`],
    ['what is not seen', '\u200b\ufeff\u3164\u00ad', String.raw`"\342\200\213\357\273\277\343\205\244\302\255"`],
  ])('%s', (_, name, expected) => {
    expect(displayName(name)).toBe(expected);
  });

  test('different names never look the same', () => {
    fc.assert(
      fc.property(bytes, (each) => expect(unquote(displayName(decodeName(each)))).toEqual([...each])),
      { numRuns: 1000 },
    );
  });

  test('nothing in it is obeyed by a terminal, or hidden', () => {
    fc.assert(
      fc.property(text, (each) => expect(displayName(each)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)),
      { numRuns: 1000 },
    );
  });
});

/** The bytes that a name in quotes stands for, read as C does. */
function unquote(shown: string): number[] {
  const encoder = new TextEncoder();
  if (!shown.startsWith('"')) return [...encoder.encode(shown)];
  const parts: readonly string[] = shown.slice(1, -1).match(/\\\d{3}|\\.|[^\\]/gsu) ?? [];
  return parts.flatMap((part) => {
    if (/^\\\d/u.test(part)) return Number.parseInt(part.slice(1), 8);
    if (!part.startsWith('\\')) return Array.from(encoder.encode(part));
    const index = 'abtnvfr'.indexOf(part.slice(1));
    return index < 0 ? part.charCodeAt(1) : 7 + index;
  });
}

describe('escapeLine', () => {
  test.each([
    ['\ta  b', '\ta  b'],
    ['größe 日本語', 'größe 日本語'],
    ['a\r', 'a^M'],
    ['\x1b[31m\x00\x7f', '^[[31m^@^?'],
    ['\u009b31m', '<U+009B>31m'],
    ['gr\udcfcn\udc80', 'gr<FC>n<80>'],
    ['\ufeffa\u202eb\u200b', '<U+FEFF>a<U+202E>b<U+200B>'],
    ['\u{e0041}', '<U+E0041>'],
  ])('%j', (line, expected) => {
    expect(escapeLine(line)).toBe(expected);
  });

  test('nothing in it is obeyed by a terminal, or hidden, but tabs', () => {
    fc.assert(
      fc.property(text, (each) =>
        expect(escapeLine(each).replaceAll('\t', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u),
      ),
      { numRuns: 1000 },
    );
  });
});

describe('displayWidth', () => {
  test.each([
    ['', 0],
    ['/etc/hosts', 10],
    ['größe', 5],
    ['e\u0301', 1],
    ['日本語', 6],
    ['ｆｕｌｌ', 8],
    ['ﾊﾝｶｸ', 4],
    ['한국어', 6],
    ['\u1112\u1161\u11ab', 2],
    ['😀', 2],
    ['☀', 1],
    ['\u200b', 0],
    ['─│', 2],
  ])('%j', (each, columns) => {
    expect(displayWidth(each)).toBe(columns);
  });

  test('is what Bun finds for letters and ideographs of most scripts', () => {
    for (const [first, last] of [
      [0x20, 0x7e],
      [0xa1, 0xac],
      [0xae, 0x377],
      [0x3041, 0x3096],
      [0x4e00, 0x9fff],
      [0xac00, 0xd7a3],
      [0xff01, 0xffdc],
      [0x1f600, 0x1f64f],
      [0x20000, 0x2a6df],
    ] as const) {
      for (let code = first; code <= last; code += 1) {
        const character = String.fromCodePoint(code);
        if (/\p{Cn}|\u{ffa0}/u.test(character)) continue;
        expect([code, displayWidth(character)]).toEqual([code, Bun.stringWidth(character)]);
      }
    }
  });
});

describe('shorten', () => {
  test.each([
    ['etc/hosts', 9, 'etc/hosts'],
    ['etc/hosts', 8, '...hosts'],
    ['etc/ssh/sshd_config', 16, '.../sshd_config'],
    ['etc/ssh/sshd_config', 14, '...sshd_config'],
    ['etc/日本語/日本', 10, '.../日本'],
    ['日本語日本', 8, '...日本'],
    ['日本語日本', 9, '...語日本'],
    ['hosts', 3, '...'],
    ['hosts', 2, '..'],
    ['hosts', 0, ''],
  ])('%s in %d columns', (name, columns, expected) => {
    expect(shorten(name, columns)).toBe(expected);
  });

  test('fits, and keeps what fits', () => {
    fc.assert(
      fc.property(text, fc.nat(20), (name, columns) => {
        const short = shorten(name, columns);
        expect(displayWidth(short)).toBeLessThanOrEqual(columns);
        if (displayWidth(name) <= columns) expect(short).toBe(name);
        else expect(name.endsWith(short.replace(/^\.{0,3}/u, ''))).toBe(true);
      }),
    );
  });
});
