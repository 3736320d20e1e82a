import { accountNames, accountPath, type AccountTexts, parseAccounts } from '../../core/accounts/accounts';
import { nameOrigin, type SysusersLine } from '../../core/accounts/sysusers';
import { type Unfixed, unfixedLines } from '../../core/accounts/wishes';
import { encodeName } from '../../core/bytes';
import type { Item } from '../../core/closure/listing';
import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { comparePaths } from '../../core/path';
import { digestBytes } from '../../system/host/host-files';
import type { Addition } from '../closure/closure';
import { compileAccounts, FIXED_SECONDS } from './compiling';
import { newOwnership } from './planning';

/** What the closure of an empty machine begins with, users and groups included. */
export interface StaticAccounts {
  /** The files, where every id is fixed: the same on every machine. */
  readonly additions: readonly (Addition & { readonly content: { readonly bytes: Uint8Array } })[];
  /** The lines that leave an id to the machine; there are no files then. */
  readonly unfixed: readonly Unfixed[];
}

export const noAccounts: StaticAccounts = { additions: [], unfixed: [] };

/**
 * Compiles the lines of a closure into files, if every id is fixed.
 *
 * @param own what the closure has already
 * @throws {ActivateError} `CLOSURE` where the lines cannot all hold
 */
export function compileStatic(
  lines: readonly SysusersLine[],
  { own, items }: { readonly own: AccountTexts; readonly items: readonly Item[] },
): StaticAccounts {
  const unfixed = unfixedLines(lines, parseAccounts(own));
  if (lines.length === 0 || unfixed.length > 0) return { additions: [], unfixed };
  const texts = compile(lines, own);
  const names = parseAccounts(texts);
  const additions = accountNames.flatMap((name) => {
    const text = texts[name];
    if (text === undefined || text === own[name]) return [];
    const path = accountPath(name);
    const item = items.find((each) => each.path === path);
    if (item !== undefined && item.kind !== 'file') throw irregular(path, item.kind);
    const { mode, uid, gid } = item ?? newOwnership(name, names);
    return [{ path, mode, uid, gid, content: { bytes: encodeName(text) } }];
  });
  return { additions, unfixed };
}

function compile(lines: readonly SysusersLine[], texts: AccountTexts): AccountTexts {
  try {
    return compileAccounts(lines, { texts, nowSeconds: FIXED_SECONDS });
  } catch (error) {
    // Nothing but the closure had a say in it.
    if (!(error instanceof ActivateError) || error.code !== 'REFUSED' || error.path === undefined) throw error;
    const { message, path, hint } = error;
    throw new ActivateError('CLOSURE', message, { path, ...(hint === undefined ? {} : { hint }), cause: error });
  }
}

function irregular(path: string, kind: string): ActivateError {
  return new ActivateError('CLOSURE', `users and groups can only be added to regular files, and this is a ${kind}`, {
    path,
    hint: 'Put the file itself there, or leave sysusers.d out.',
  });
}

/** What a closure holds once the files are in it, in order. */
export function itemsWith(items: readonly Item[], { additions }: StaticAccounts): readonly Item[] {
  if (additions.length === 0) return items;
  const added = additions.map(({ path, mode, uid, gid, content }): Item => {
    return { path, kind: 'file', mode, uid, gid, sizeBytes: content.bytes.length };
  });
  const paths = new Set(added.map(({ path }) => path));
  return [...items.filter(({ path }) => !paths.has(path)), ...added].toSorted((a, b) => comparePaths(a.path, b.path));
}

/**
 * Fills in what the files hold that are among the entries, and has `read` fill in the others.
 *
 * @param owner who writes the overlay: what only root can give away is given away where the file is placed
 */
export function fillStatic(
  entries: readonly Entry[],
  { additions, owner }: Pick<StaticAccounts, 'additions'> & { readonly owner: number },
  read: (others: readonly Entry[]) => readonly Entry[],
): Entry[] {
  const digests = new Map(additions.map(({ path, content }) => [path, digestBytes(content.bytes)]));
  const others = read(entries.filter(({ path }) => !digests.has(path))).values();
  return entries.map((entry) => {
    const digest = digests.get(entry.path);
    if (digest === undefined) return others.next().value ?? entry;
    if (entry.kind !== 'file') return entry;
    return 'restyled' in entry ? { ...entry, digest, restyled: entry.restyled || owner !== 0 } : { ...entry, digest };
  });
}

/** The lines that keep a bundle from having static files, each with its file and line. */
export function describeUnfixed(unfixed: readonly Unfixed[]): string {
  return unfixed.map(({ at, why }) => `${nameOrigin(at)}: ${why}`).join('; ');
}
