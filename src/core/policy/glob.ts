/** A pattern as in gitignore(5), ready to be asked about absolute paths. */
export type Glob = {
  /** A pattern without a slash is about a name at any depth; one that begins with a slash about the whole path. */
  readonly about: 'path' | 'name';
  /** Whether it ends in a slash. */
  readonly directoriesOnly: boolean;
} & (
  | { readonly literal: string }
  /** `prefix` begins all that the expression matches. */
  | { readonly prefix: string; readonly expression: RegExp }
);

/** Why a pattern is none, and what to write in its place. */
export interface GlobProblem {
  readonly problem: string;
  readonly hint: string;
}

/**
 * Reads a pattern.
 *
 * `*`, `?`, `[a-z]`, `[!a]`, `[[:alpha:]]`, `**` between slashes and `\` mean what they mean to git; braces, parentheses
 * and a dot at the beginning are nothing special. `?` and sets match a character, where git matches a byte.
 *
 * @see wildmatch.c in git
 */
export function parseGlob(pattern: string): Glob | GlobProblem {
  const problem = whyNotPattern(pattern);
  if (problem !== undefined) return problem;
  const directoriesOnly = pattern.endsWith('/');
  const body = directoriesOnly ? pattern.slice(0, -1) : pattern;
  const about = body.startsWith('/') ? 'path' : 'name';
  const parts = parseParts(body);
  if ('problem' in parts) return parts;
  if (
    parts
      .map(shapeOf)
      .join('')
      .split('/')
      .slice(about === 'path' ? 1 : 0)
      .some(isNoName)
  )
    return MATCHES_NOTHING;
  const end = parts.findIndex(({ kind }) => kind !== 'text');
  const prefix = parts
    .slice(0, end < 0 ? undefined : end)
    .map(shapeOf)
    .join('');
  if (end < 0) return { about, directoriesOnly, literal: prefix };
  return { about, directoriesOnly, prefix, expression: new RegExp(`^${sourceOf(parts)}$`, 'su') };
}

/** No path is longer, and a regular expression has its limits. */
const MOST_CHARACTERS = 4096;

function whyNotPattern(pattern: string): GlobProblem | undefined {
  if (pattern === '') return { problem: 'it is empty', hint: 'Write a path, e.g. "/etc/hosts", or "/**" for all.' };
  if (pattern.startsWith('!')) {
    return {
      problem: 'patterns are not negated here',
      hint: 'Put a rule for the exception first: the first match wins.',
    };
  }
  if (pattern.length > MOST_CHARACTERS) {
    return { problem: 'it is longer than any path', hint: `Write at most ${MOST_CHARACTERS} characters.` };
  }
  if (pattern.startsWith('/') || !pattern.slice(0, -1).includes('/')) return undefined;
  return { problem: 'it has a slash, but does not begin with one', hint: `Write "/${pattern}", or a name alone.` };
}

function isNoName(name: string): boolean {
  return name === '' || name === '.' || name === '..';
}

const MATCHES_NOTHING = { problem: 'it matches nothing', hint: 'Leave out doubled slashes, "." and "..".' };

type Part =
  /** A character that stands for itself. */
  | { readonly kind: 'text'; readonly text: string }
  /** What one character other than a slash matches, as a regular expression. */
  | { readonly kind: 'one'; readonly source: string }
  /** Any number of characters other than slashes. */
  | { readonly kind: 'some' }
  /** Any number of names, each with the slash after it. */
  | { readonly kind: 'names' }
  /** Everything, at the end. */
  | { readonly kind: 'all' };

/** A part as a text that has the same slashes. */
function shapeOf(part: Part): string {
  return part.kind === 'text' ? part.text : part.kind === 'names' ? '*/' : '*';
}

/** By characters, not by halves of surrogate pairs: names that are not UTF-8 have lone surrogates. */
function parseParts(body: string): Part[] | GlobProblem {
  const characters = Array.from(body);
  const parts: Part[] = [];
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? '';
    if (character === '\\') {
      at += 1;
      const escaped = characters[at];
      if (escaped === undefined) return DANGLING;
      if (escaped === '/') return ESCAPED_SLASH;
      parts.push({ kind: 'text', text: escaped });
    } else if (character === '*') {
      const { part, end } = parseStars(characters, at);
      parts.push(part);
      at = end;
    } else if (character === '[') {
      const set = parseSet(characters, at);
      if ('problem' in set) return set;
      parts.push({ kind: 'one', source: set.source });
      at = set.end;
    } else {
      parts.push(character === '?' ? { kind: 'one', source: '[^/]' } : { kind: 'text', text: character });
    }
  }
  return parts;
}

/** Two stars or more cross slashes where they are all that is between two slashes. */
function parseStars(characters: readonly string[], start: number): { readonly part: Part; readonly end: number } {
  let next = start;
  while (characters[next] === '*') next += 1;
  const isLast = next === characters.length;
  const isAlone = characters[start - 1] === '/' && (isLast || characters[next] === '/');
  if (next - start < 2 || !isAlone) return { part: { kind: 'some' }, end: next - 1 };
  return { part: { kind: isLast ? 'all' : 'names' }, end: next };
}

/**
 * The regular expression for parts, one that never takes long.
 *
 * What lies between two wildcards is best found as early as possible, because the second one can take all that a later
 * find would leave out. So an early find is final, and the number of wildcards does not multiply what has to be tried.
 */
function sourceOf(parts: readonly Part[]): string {
  let finals = 0;
  const final = (source: string): string => {
    finals += 1;
    return `(?=(?<f${finals}>${source}))\\k<f${finals}>`;
  };
  const [first = [], ...sections] = splitAt(parts, 'names');
  const sources = sections.map((section, index) => {
    const source = sectionSource(section, final);
    return index === sections.length - 1 ? `(?:.*/)?${source}` : final(`(?:[^/]*/)*?${source}`);
  });
  return sectionSource(first, final) + sources.join('');
}

/** A section has no wildcard that crosses slashes, but at its end. */
function sectionSource(section: readonly Part[], final: (source: string) => string): string {
  const [first = [], ...pieces] = splitAt(section, 'some');
  const sources = pieces.map((piece, index) => {
    const isEarly = index < pieces.length - 1 && !piece.some((part) => shapeOf(part) === '/');
    return isEarly ? final(`[^/]*?${pieceSource(piece)}`) : `[^/]*${pieceSource(piece)}`;
  });
  return pieceSource(first) + sources.join('');
}

function pieceSource(piece: readonly Part[]): string {
  return piece
    .map((part) => (part.kind === 'text' ? RegExp.escape(part.text) : part.kind === 'one' ? part.source : '.+'))
    .join('');
}

function splitAt(parts: readonly Part[], kind: Part['kind']): Part[][] {
  const pieces: Part[][] = [[]];
  for (const part of parts) {
    if (part.kind === kind) pieces.push([]);
    else pieces.at(-1)?.push(part);
  }
  return pieces;
}

/** What is in brackets, as a regular expression, and the index of its last character. */
interface Parsed {
  readonly source: string;
  readonly end: number;
}

/** A set in brackets: `]` may come first, `!` or `^` negates, `-` makes ranges; no set matches a slash. */
function parseSet(characters: readonly string[], start: number): Parsed | GlobProblem {
  let at = start + 1;
  const isNegated = characters[at] === '!' || characters[at] === '^';
  if (isNegated) at += 1;
  const first = at;
  let source = '';
  for (; characters[at] !== ']' || at === first; at += 1) {
    const named = characters[at] === '[' && characters[at + 1] === ':' ? parseClass(characters, at) : undefined;
    if (named !== undefined) {
      if ('problem' in named) return named;
      source += named.source;
      at = named.end;
      continue;
    }
    const low = parseMember(characters, at);
    if (low === undefined) return UNCLOSED;
    at = low.end;
    const isRange = characters[at + 1] === '-' && characters[at + 2] !== undefined && characters[at + 2] !== ']';
    const high = isRange ? parseMember(characters, at + 2) : low;
    if (high === undefined) return UNCLOSED;
    at = high.end;
    // A range that runs backwards is what it begins with.
    source += `\\u{${low.code.toString(16)}}-\\u{${Math.max(low.code, high.code).toString(16)}}`;
  }
  return { source: `(?!/)[${isNegated ? '^' : ''}${source}]`, end: at };
}

const ESCAPED_SLASH = { problem: 'a slash cannot be escaped', hint: 'Write the slash without a backslash.' };
const DANGLING = { problem: 'it ends in a backslash', hint: 'Write two for a backslash in a name.' };
const UNCLOSED = { problem: 'a "[" has no "]"', hint: 'Write "\\[" for a bracket in a name.' };

function parseMember(
  characters: readonly string[],
  at: number,
): { readonly code: number; readonly end: number } | undefined {
  const end = characters[at] === '\\' ? at + 1 : at;
  const code = characters[end]?.codePointAt(0);
  return code === undefined ? undefined : { code, end };
}

/** `[:alpha:]` within a set; `undefined` where the bracket is just a bracket. */
function parseClass(characters: readonly string[], start: number): Parsed | GlobProblem | undefined {
  const end = characters.indexOf(']', start + 2);
  if (end < 0) return UNCLOSED;
  if (end - start < 3 || characters[end - 1] !== ':') return undefined;
  const name = characters.slice(start + 2, end - 1).join('');
  const source = classes.get(name);
  if (source !== undefined) return { source, end };
  return { problem: `there is no class [:${name}:]`, hint: `The classes are ${[...classes.keys()].join(', ')}.` };
}

/** ASCII alone, whatever the locale. */
const classes: ReadonlyMap<string, string> = new Map([
  ['alnum', 'A-Za-z0-9'],
  ['alpha', 'A-Za-z'],
  ['blank', ' \\t'],
  ['cntrl', '\\x00-\\x1f\\x7f'],
  ['digit', '0-9'],
  ['graph', '!-~'],
  ['lower', 'a-z'],
  ['print', ' -~'],
  ['punct', '!-\\/:-@\\[-`\\{-~'],
  ['space', ' \\t-\\r'],
  ['upper', 'A-Z'],
  ['xdigit', 'A-Fa-f0-9'],
]);
