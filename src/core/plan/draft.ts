import type { Entry, Ownership } from '../entry';
import { isShared } from '../entry';
import type { Found } from '../found';
import { joinTarget, nameOf, parentOf, type TargetPath } from '../path';
import type { Decision } from './decision';
import type { WrapperSteps } from './wrappers';
import type { Discarded, Expected, Gone, MadeAt, Step } from './step';

/** What the steps need to know beyond the decisions. */
export interface Terms {
  /** The text of the pointer before and after; `undefined` where nothing is shown. */
  readonly pointer: { readonly from: string | undefined; readonly to: string | undefined };
  /** The number that the first new backup gets. */
  readonly firstBackup: number;
  /** When what is found was last changed, in nanoseconds: an undo brings that back, and a change meanwhile shows by it. */
  readonly timeOf: (path: TargetPath) => string | undefined;
  /** The time that ours had when the generation we go to was last live. */
  readonly earlierTimeOf: (path: TargetPath) => string | undefined;
  /** The mode and owner of a directory that exists; `undefined` where none does. */
  readonly ownershipOf: (directory: TargetPath) => Ownership | undefined;
  /** The user who runs the transition. */
  readonly self: number;
  /** What makes the wrappers and moves their link, where they change. */
  readonly wrappers?: WrapperSteps;
  /** Part of the names of what is put aside; no earlier transition had it. */
  readonly token: string;
}

/** The name of everything that is put aside; no closure may use it. */
export const ASIDE = '.activate.';

/** The steps of a transition while they are put together. */
export interface Draft {
  readonly terms: Terms;
  /** Directories that are removed at the end: nothing is put aside in them. */
  readonly doomed: ReadonlySet<TargetPath>;
  /** Whether systemd-tmpfiles would follow the way to a directory. */
  readonly safe: Map<TargetPath, boolean>;
  /** Where a path is while it is built: below a directory that is staged under another name. */
  readonly staged: Map<TargetPath, TargetPath>;
  /** Directories that leave with all that is ours in them. */
  readonly leaving: Map<TargetPath, TargetPath>;
  /** Directories that this transition makes. */
  readonly owners: Map<TargetPath, Ownership>;
  readonly created: MadeAt[];
  readonly made: Step[];
  readonly before: Step[];
  readonly after: Step[];
  readonly removed: Gone[];
  readonly late: Step[];
  readonly emptied: Step[];
  readonly discard: Discarded[];
  readonly backups: { path: TargetPath; reason: 'displaced' | 'drifted' }[];
  readonly spent: number[];
  count: number;
}

export function newDraft(terms: Terms, decisions: readonly Decision[]): Draft {
  const doomed = decisions.filter(({ action, previous }) => action === 'remove' && previous?.place === 'directory');
  return {
    terms,
    doomed: new Set(doomed.map(({ path }) => path)),
    safe: new Map(),
    staged: new Map(),
    leaving: new Map(),
    owners: new Map(),
    created: [],
    made: [],
    before: [],
    after: [],
    removed: [],
    late: [],
    emptied: [],
    discard: [],
    backups: [],
    spent: [],
    count: 0,
  };
}

interface Gotten {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  readonly found: Found;
  readonly previous: Entry | undefined;
}

export function discarded({ terms }: Draft, { path, aside, found, previous }: Gotten): Discarded {
  const isCopy = previous?.kind === 'file' && previous.place === 'copy';
  const source = isCopy ? { source: previous.source ?? `${terms.pointer.from ?? ''}${path}` } : {};
  return { path, aside, was: found, ...source };
}

export function expected({ terms }: Draft, path: TargetPath, found: Found): Expected {
  const mtimeNs = found.kind === 'file' ? terms.timeOf(path) : undefined;
  return mtimeNs === undefined ? { found } : { found, mtimeNs };
}

/** Where `path` really is while one of the directories above it has another name. */
export function pathIn(renamed: ReadonlyMap<TargetPath, TargetPath>, path: TargetPath): TargetPath {
  if (renamed.size === 0) return path;
  for (let at = parentOf(path); at !== '/'; at = parentOf(at)) {
    const name = renamed.get(at);
    if (name !== undefined) return (name + path.slice(at.length)) as TargetPath;
  }
  return path;
}

/** A free name in the same directory, or in the nearest one above it that stays. */
export function asideOf(draft: Draft, path: TargetPath): TargetPath {
  draft.count += 1;
  let directory = parentOf(path);
  while (draft.doomed.has(directory)) directory = parentOf(directory);
  return joinTarget(directory, `${ASIDE}${draft.terms.token}.${draft.count}`);
}

/** Whether a name was made by {@link planSteps} to put something aside. */
export function isAside(path: string): boolean {
  return nameOf(path).startsWith(ASIDE);
}

/**
 * Whether systemd-tmpfiles can be sent to `path`: it refuses directories that another user owns, and where others may write
 * it can be led astray, because it does not look before it removes.
 */
export function isSafe(draft: Draft, path: TargetPath): boolean {
  const directory = parentOf(path);
  if (directory === '/') return true;
  const known = draft.safe.get(directory);
  if (known !== undefined) return known;
  const ownership = draft.owners.get(directory) ?? draft.terms.ownershipOf(directory);
  const isOurs =
    ownership === undefined || ((ownership.uid === 0 || ownership.uid === draft.terms.self) && !isShared(ownership));
  const safe = isOurs && isSafe(draft, directory);
  draft.safe.set(directory, safe);
  return safe;
}
