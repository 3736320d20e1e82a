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
  const texts = parts.map(({ text }) => text);
  const end = texts.indexOf(undefined);
  if (end < 0) return { about, directoriesOnly, literal: texts.join('') };
  const source = parts.map((part) => part.source ?? RegExp.escape(part.text)).join('');
  const prefix = texts.slice(0, end).join('');
  return { about, directoriesOnly, prefix, expression: new RegExp(`^${source}$`, 'su') };
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
  const names = pattern.split('/');
  if (names.at(-1) === '') names.pop();
  if (names[0] === '') names.shift();
  else if (names.length > 1) {
    return { problem: 'it has a slash, but does not begin with one', hint: `Write "/${pattern}", or a name alone.` };
  }
  if (names.length > 0 && !names.some((name) => name === '' || name === '.' || name === '..')) return undefined;
  return { problem: 'it matches nothing', hint: 'Leave out doubled slashes, "." and "..".' };
}

/** A text that stands for itself, or the source of a regular expression. */
type Part =
  | { readonly text: string; readonly source?: undefined }
  | { readonly source: string; readonly text?: undefined };

const ANY = '[^/]';

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
      parts.push({ text: escaped });
    } else if (character === '*') {
      const { source, end } = parseStars(characters, at);
      parts.push({ source });
      at = end;
    } else if (character === '[') {
      const set = parseSet(characters, at);
      if ('problem' in set) return set;
      parts.push({ source: set.source });
      at = set.end;
    } else {
      parts.push(character === '?' ? { source: ANY } : { text: character });
    }
  }
  return parts;
}

/** What part of a pattern means, and the index of its last character. */
interface Parsed {
  readonly source: string;
  readonly end: number;
}

/** Two stars or more cross slashes where they are all that is between two slashes. */
function parseStars(characters: readonly string[], start: number): Parsed {
  let next = start;
  while (characters[next] === '*') next += 1;
  const isAlone = characters[start - 1] === '/' && (characters[next] === '/' || next === characters.length);
  if (next - start < 2 || !isAlone) return { source: `${ANY}*`, end: next - 1 };
  return { source: next === characters.length ? '.+' : '(?:.*/)?', end: next };
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
    // A range that runs backwards is empty.
    if (low.code <= high.code) source += `\\u{${low.code.toString(16)}}-\\u{${high.code.toString(16)}}`;
  }
  return { source: `(?!/)[${isNegated ? '^' : ''}${source}]`, end: at };
}

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
