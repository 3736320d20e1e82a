import * as fc from 'fast-check';
import { decodeName } from '../../src/core/bytes';

/** Every byte that a snippet can name; a slash, a NUL, a newline and a carriage return are left out. */
export const nameBytes = Array.from({ length: 256 }, (_, byte) => byte).filter(
  (byte) => !'\0/\n\r'.includes(String.fromCharCode(byte)),
);

/** Each byte alone, doubled, before, after and between others; each name once. */
export function namesWithEachByte(bytes: readonly number[]): string[] {
  const a = 0x61;
  const forms = bytes.flatMap((byte) => [[byte], [byte, byte], [byte, a], [a, byte], [a, byte, a], [byte, a, byte]]);
  return [...new Set(forms.map((form) => decodeName(Uint8Array.from(form))))].filter(
    (name) => name !== '.' && name !== '..',
  );
}

/** Names that mean something else to whoever splits, quotes, expands or decodes them; of several bytes each. */
export const trickyNames = [
  ' a  b ',
  '\t\ta b\t\t',
  '- - - -',
  '--',
  '"a"',
  '"a',
  "'a b'",
  '# a',
  'a\\',
  '\\\\',
  'a\\ b',
  '\\x41',
  '\\101',
  '\\n',
  '\\*',
  '%%',
  '%H%m%',
  'a%',
  '%',
  'a*',
  '**',
  'a?b',
  '[ab]',
  '[!a]',
  '[',
  '[[:alpha:]]',
  '{a,b}',
  '{a,b',
  '{,}',
  '{a,{b,c}}',
  '{}',
  '~root',
  '~',
  '$HOME',
  '`id`',
  '$(id)',
  '...',
  '.a',
  'ä€😀',
  '💀',
  '\ufeffa',
  '\u0085\u2028',
  '\ufffd',
  '\udcff\udcfe',
  'cut\udce2\udc82',
  '\udced\udcb2\udc80',
  '\udcc0\udcaf',
] as const;

/** What names would match or be, if they were taken for patterns or decoded. */
export const decoyNames = 'a b ab abc axb aa A x41 a,b {a,b}x root id !a a\\b'.split(' ');

/** Bytes that have a meaning somewhere are as likely as all others together. */
const byte = fc.oneof(
  fc.integer({ min: 1, max: 0xff }),
  fc.constantFrom(...new TextEncoder().encode(' \t\n\r"\'#\\%*?[]{},~-!x')),
);

const nameByte = byte.filter((each) => nameBytes.includes(each));

/** Up to 40 bytes that can be a link's text. */
export const linkText = fc
  .array(byte, { minLength: 1, maxLength: 40 })
  .map((bytes) => decodeName(Uint8Array.from(bytes)));

/** Up to 40 bytes that a snippet can name, without what goes before to make each of them different. */
export const anyName = fc
  .array(nameByte, { minLength: 1, maxLength: 40 })
  .map((bytes) => decodeName(Uint8Array.from(bytes)));
