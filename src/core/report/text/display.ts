import { encodeName } from '../../bytes';

/**
 * A path as people see it: as it is where every character can be seen, else in double quotes as git has it with
 * `core.quotePath=false`.
 *
 * Controls, quotes, backslashes and bytes that are not UTF-8 are escaped as in C; so is what a terminal obeys or does not
 * show: C1 controls, marks of direction, separators of lines, invisible characters. git would print those.
 */
export function displayName(text: string): string {
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll(QUOTED, escapeInQuotes)}"` : text;
}

/** A line of a file as a terminal may show it: what {@link displayName} escapes is shown as `less` does, except for tabs. */
export function escapeLine(text: string): string {
  return text.replaceAll(HIDDEN, (character) => (character === '\t' ? character : escapeVisibly(character)));
}

/** How many columns a terminal needs for a text without controls. */
export function displayWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += widthOf(character);
  return columns;
}

/** A path in at most `columns`, as `git diff --stat` has it: the tail, from a slash on where one is left, after `...`. */
export function shorten(text: string, columns: number): string {
  let width = displayWidth(text);
  if (width <= columns) return text;
  let start = 0;
  for (const character of text) {
    if (width <= columns - DOTS.length) break;
    width -= widthOf(character);
    start += character.length;
  }
  const slash = text.indexOf('/', start);
  return DOTS.slice(0, columns) + text.slice(slash < 0 ? start : slash);
}

const DOTS = '...';
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/u;

/** Characters that a terminal obeys, does not show, or cannot be given: Cs are bytes that are not UTF-8. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const QUOTED = new RegExp(`${HIDDEN.source}|["\\\\]`, 'gu');
const NEEDS_QUOTES = new RegExp(QUOTED.source, 'u');

/** @see git's quote.c */
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\x07': String.raw`\a`,
  '\b': String.raw`\b`,
  '\t': String.raw`\t`,
  '\n': String.raw`\n`,
  '\v': String.raw`\v`,
  '\f': String.raw`\f`,
  '\r': String.raw`\r`,
  '"': String.raw`\"`,
  '\\': String.raw`\\`,
};

function escapeInQuotes(character: string): string {
  const escape = SHORT_ESCAPES[character];
  if (escape !== undefined) return escape;
  return Array.from(encodeName(character), (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

function escapeVisibly(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  if (code >= 0xdc80 && code <= 0xdcff) return `<${(code - 0xdc00).toString(16).toUpperCase()}>`;
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}

function widthOf(character: string): number {
  return PRINTABLE_ASCII.test(character) ? 1 : NO_COLUMN.test(character) ? 0 : TWO_COLUMNS.test(character) ? 2 : 1;
}

/** Marks on the character before, invisible characters, and the second and third parts of Hangul syllables. */
const NO_COLUMN = /[\p{Mn}\p{Me}\p{Cf}\p{Default_Ignorable_Code_Point}\u{1160}-\u{11ff}\u{d7b0}-\u{d7ff}]/u;

/** The blocks of East Asian wide and fullwidth characters, and emoji. @see UAX #11 */
const TWO_COLUMNS =
  /[\u{1100}-\u{115f}\u{2329}\u{232a}\u{2e80}-\u{303e}\u{3040}-\u{a4cf}\u{a960}-\u{a97f}\u{ac00}-\u{d7af}\u{f900}-\u{faff}\u{fe10}-\u{fe19}\u{fe30}-\u{fe6f}\u{ff01}-\u{ff60}\u{ffe0}-\u{ffe6}\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
