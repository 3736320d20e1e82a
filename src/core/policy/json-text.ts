/** Where a text stops being JSON. Line and column count from 1, the column in UTF-16 units. */
export interface JsonMistake {
  readonly line: number;
  readonly column: number;
  /** What would have been right there, e.g. `a comma or "}"`. */
  readonly expected: string;
}

const TOKEN =
  /[{}[\],:]|"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[Ee][+-]?\d+)?|true|false|null/uy;

/** What may come next. */
type Place = 'value' | 'first item' | 'first key' | 'key' | 'colon' | 'more' | 'end';

const expectations: Readonly<Record<Exclude<Place, 'more'>, string>> = {
  value: 'a value',
  'first item': 'a value or "]"',
  'first key': 'a key in double quotes or "}"',
  key: 'a key in double quotes',
  colon: 'a colon',
  end: 'the end of the file',
};

/** Finds the first mistake; `undefined` where there is none. `JSON.parse` does not say where it stopped. */
export function findJsonMistake(text: string): JsonMistake | undefined {
  const open: ('{' | '[')[] = [];
  let place: Place = 'value';
  for (let at = skipSpace(text, 0); ; at = skipSpace(text, TOKEN.lastIndex)) {
    if (at === text.length && place === 'end') return undefined;
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    const next: Place | undefined = token === undefined ? undefined : placeAfter(token, place, open);
    if (next === undefined) {
      return mistakeAt(text, at, place === 'more' ? `a comma or "${closing(open)}"` : expectations[place]);
    }
    place = next;
  }
}

const SPACE = /[ \t\n\r]*/uy;

function skipSpace(text: string, start: number): number {
  SPACE.lastIndex = start;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

/** `undefined` where the token may not be in that place. */
function placeAfter(token: string, place: Place, open: ('{' | '[')[]): Place | undefined {
  const after = (): Place => (open.length === 0 ? 'end' : 'more');
  switch (place) {
    case 'value':
    case 'first item':
      if (token === '{' || token === '[') {
        open.push(token);
        return token === '{' ? 'first key' : 'first item';
      }
      if (token === ']' && place === 'first item') break;
      return /^[}\],:]$/u.test(token) ? undefined : after();
    case 'first key':
    case 'key':
      if (token === '}' && place === 'first key') break;
      return token.startsWith('"') ? 'colon' : undefined;
    case 'colon':
      return token === ':' ? 'value' : undefined;
    case 'more':
      if (token === ',') return open.at(-1) === '{' ? 'key' : 'value';
      if (token !== closing(open)) return undefined;
      break;
    case 'end':
      return undefined;
  }
  open.pop();
  return after();
}

function closing(open: readonly ('{' | '[')[]): '}' | ']' {
  return open.at(-1) === '{' ? '}' : ']';
}

function mistakeAt(text: string, at: number, expected: string): JsonMistake {
  const lines = text.slice(0, at).split(/\r?\n/u);
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1, expected };
}
