import { type DirectoryObject, type Entry, overlayLinkText, type Ownership, type SymlinkObject } from './entry';
import type { TargetPath } from './path';

/** A regular file on disk. Its digest is read only where the plan depends on it. */
export interface FoundFile extends Ownership {
  readonly kind: 'file';
  readonly sizeBytes: number;
  readonly digest?: string;
}

/** What is at a path. */
export type Found =
  | SymlinkObject
  | FoundFile
  | DirectoryObject
  | { readonly kind: 'special'; readonly what: 'fifo' | 'socket' | 'block device' | 'character device' };

/** Why a path can neither be replaced nor removed, whatever the policy says. */
export type Obstacle =
  | 'a mount point'
  | 'a mount point inside'
  | 'immutable'
  | 'append-only'
  | 'a read-only filesystem'
  | 'a mount with nosuid'
  | 'a mount with noexec'
  | 'a directory that others may write'
  | "a directory of somebody else's wrappers";

/** What is known of a directory that holds managed paths. */
export interface DirectoryFacts extends Ownership {
  /** Why nothing can be created, replaced or removed in it. */
  readonly obstacle?: Obstacle;
}

/**
 * What is there, as the difference from what was recorded: a path that `deviations` does not name is as it was
 * recorded, or absent where nothing was.
 */
export interface Actual {
  readonly deviations: ReadonlyMap<TargetPath, Found | 'absent'>;
  /** Each existing directory that is managed or holds managed paths. */
  readonly directories: ReadonlyMap<TargetPath, DirectoryFacts>;
  /** What stands in the way of replacing or removing a path. */
  readonly obstacles: ReadonlyMap<TargetPath, Obstacle>;
  /** For directories that have to go: the topmost paths in them that no generation names, sorted. */
  readonly strangers: ReadonlyMap<TargetPath, readonly TargetPath[]>;
  /** When each file that was looked at had last been changed, in nanoseconds as decimal text. */
  readonly times: ReadonlyMap<TargetPath, string>;
  /** Files that this user may not read; they are taken to be as recorded. */
  readonly unread: readonly TargetPath[];
}

/** What an entry looks like on disk once it is in place. */
export function foundOf(entry: Entry): Found {
  if (entry.place === 'link') return { kind: 'symlink', linkText: overlayLinkText(entry.path) };
  if (entry.kind === 'symlink') return { kind: 'symlink', linkText: entry.linkText };
  const { mode, uid, gid } = entry;
  if (entry.kind === 'directory') return { kind: 'directory', mode, uid, gid };
  return { kind: 'file', mode, uid, gid, sizeBytes: entry.sizeBytes, digest: entry.digest };
}

/** What is at `path`; `undefined` where nothing is. */
export function foundAt(actual: Actual, path: TargetPath, recorded: Entry | undefined): Found | undefined {
  const deviation = actual.deviations.get(path);
  if (deviation === 'absent') return undefined;
  return deviation ?? (recorded === undefined ? undefined : foundOf(recorded));
}

/** Whether two things on disk cannot be told apart; files whose digest was not read are never the same. */
export function sameFound(a: Found, b: Found): boolean {
  switch (a.kind) {
    case 'symlink':
      return b.kind === 'symlink' && a.linkText === b.linkText;
    case 'file':
      return (
        b.kind === 'file' &&
        sameOwnership(a, b) &&
        a.sizeBytes === b.sizeBytes &&
        a.digest !== undefined &&
        a.digest === b.digest
      );
    case 'directory':
      return b.kind === 'directory' && sameOwnership(a, b);
    case 'special':
      return b.kind === 'special' && a.what === b.what;
  }
}

export function sameOwnership(a: Ownership, b: Ownership): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

/** What is there, in a few words for a message: `a file`, `a link to /x`. */
export function describeFound(found: Found): string {
  switch (found.kind) {
    case 'symlink':
      return `a link to ${found.linkText}`;
    case 'special':
      return `a ${found.what}`;
    case 'file':
    case 'directory':
      return `a ${found.kind}`;
  }
}

/** How something on disk differs from what was recorded. */
export interface Difference {
  readonly what: string;
  /** Which time of what is there says since when. */
  readonly since: 'mtime' | 'ctime' | undefined;
}

/** In what way a path is not as it was recorded. */
export function differenceOf(found: Found | undefined, recorded: Found | undefined): Difference {
  if (found === undefined) return { what: 'it is gone', since: undefined };
  if (recorded?.kind !== found.kind) return { what: `${describeFound(found)} is in its place`, since: 'mtime' };
  if (found.kind === 'symlink') return { what: `it is ${describeFound(found)}`, since: 'mtime' };
  if (found.kind === 'file' && recorded.kind === 'file') {
    const isSameContent = found.digest !== undefined && found.digest === recorded.digest;
    if (!isSameContent) return { what: 'its content was changed', since: 'mtime' };
  }
  return { what: 'its mode or owner was changed', since: 'ctime' };
}
