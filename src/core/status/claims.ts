import type { TargetPath } from '../path';

/** A line of the machine's own tmpfiles.d that writes or removes a path. */
export interface Claim {
  readonly path: TargetPath;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** What the line does: the letter of tmpfiles.d(5) with its modifiers. */
  readonly type: string;
}

/** A file of tmpfiles.d and its text. */
export interface ClaimingFile {
  readonly file: string;
  readonly text: string;
}

/** Lines of these types change what is there already; all others leave it alone. The last three take patterns. */
const WRITES = new Set(['f+', 'F', 'w', 'w+', 'L+', 'C+', 'p+', 'c+', 'b+', 'D', 'm', 'h', 'H', 't', 't+', 'a', 'a+']);
const PATTERNS = new Set(['r', 'R', 'z', 'Z']);
const RECURSIVE = new Set(['R', 'Z']);

/**
 * The lines that will fight over managed paths, whenever systemd-tmpfiles carries them out.
 *
 * @param matches whether a pattern of glob(7) is for a path
 * @see tmpfiles.d(5)
 */
export function findClaims(
  files: readonly ClaimingFile[],
  paths: ReadonlySet<TargetPath>,
  matches: (pattern: string, path: string) => boolean,
): Claim[] {
  const claims: Claim[] = [];
  for (const { file, text } of files) {
    for (const [index, line] of text.split('\n').entries()) {
      const claimed = parseClaim(line);
      if (claimed === undefined) continue;
      const { type, path } = claimed;
      for (const each of claimedPaths(type, path, paths, matches))
        claims.push({ path: each, file, line: index + 1, type });
    }
  }
  return claims.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** What a line does and where; `undefined` for comments, for what changes nothing, and where specifiers decide. */
function parseClaim(line: string): { readonly type: string; readonly path: string } | undefined {
  const match = /^\s*([A-Za-z])([!\-=~^$?+:]*)\s+("(?:[^"\\]|\\.)*"|\S+)/u.exec(line);
  if (match === null) return undefined;
  const [, letter = '', modifiers = '', written = ''] = match;
  const type = modifiers.includes('+') ? `${letter}+` : letter;
  const path = written.startsWith('"') ? written.slice(1, -1).replaceAll(/\\(.)/gu, '$1') : written;
  if (/%[^%]/u.test(path) || !(WRITES.has(type) || PATTERNS.has(letter))) return undefined;
  return { type, path: path.replaceAll('%%', '%').replace(/(?<=.)\/+$/u, '') };
}

function claimedPaths(
  type: string,
  path: string,
  paths: ReadonlySet<TargetPath>,
  matches: (pattern: string, path: string) => boolean,
): TargetPath[] {
  const letter = type.charAt(0);
  if (!PATTERNS.has(letter)) return paths.has(path as TargetPath) ? [path as TargetPath] : [];
  const isPlain = !/[*?[\]{}]/u.test(path);
  if (isPlain && !RECURSIVE.has(letter)) return paths.has(path as TargetPath) ? [path as TargetPath] : [];
  const isClaimed = (each: string): boolean =>
    isPlain ? each === path || each.startsWith(`${path}/`) : matches(path, each);
  return [...paths].filter(
    (each) => isClaimed(each) || (RECURSIVE.has(letter) && !isPlain && isBelowMatch(each, path, matches)),
  );
}

function isBelowMatch(path: string, pattern: string, matches: (pattern: string, path: string) => boolean): boolean {
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1))
    if (matches(pattern, path.slice(0, at))) return true;
  return false;
}

/** The files that `systemd-tmpfiles --cat-config` names, in its order. */
export function parseConfigNames(catalogue: string): string[] {
  return catalogue.split('\n').flatMap((line) => /^# (\/.*\/tmpfiles\.d\/[^/]+\.conf)$/u.exec(line)?.[1] ?? []);
}
