import type { Attitude, Conflict, Decision, KeepReason, OnDrift, Side } from './decision';
import type { Merge } from './merge';
import type { Entry } from '../entry';
import { type Actual, type Found, foundAt, foundOf, sameFound, sameOwnership } from '../found';
import { giveUp } from './give-up';
import { comparePaths, isBelow, parentOf, type TargetPath } from '../path';
import { settle } from './settle';

export interface Question {
  readonly from: Side;
  readonly to: readonly Entry[];
  readonly actual: Actual;
  readonly attitude: (path: TargetPath) => Attitude;
  /** What merging came to, for each path where the policy asks for it and both sides changed. */
  readonly merges?: ReadonlyMap<TargetPath, Merge>;
}

export interface Answer {
  /** In path order; a path where nothing happens is left out. */
  readonly decisions: readonly Decision[];
  readonly conflicts: readonly Conflict[];
}

/** Two generations' entries side by side, in path order. */
export function* joinEntries(
  from: readonly Entry[],
  to: readonly Entry[],
): Generator<{ path: TargetPath; previous?: Entry; next?: Entry }> {
  let left = 0;
  let right = 0;
  while (left < from.length || right < to.length) {
    const previous = from[left];
    const next = to[right];
    const order =
      previous === undefined
        ? 1
        : next === undefined
          ? -1
          : previous.path === next.path
            ? 0
            : comparePaths(previous.path, next.path);
    if (order <= 0) left += 1;
    if (order >= 0) right += 1;
    if (previous !== undefined && next !== undefined && order === 0) yield { path: next.path, previous, next };
    else if (previous !== undefined && order < 0) yield { path: previous.path, previous };
    else if (next !== undefined) yield { path: next.path, next };
  }
}

/**
 * Decides, for each path that one of two generations names, what a transition does there.
 *
 * Pure: the whole of the policy is here. Conflicts are data; the caller refuses when there are any.
 */
export function decideTransition(question: Question): Answer {
  const decisions: Decision[] = [];
  const conflicts: Conflict[] = [];
  const hasRoom = roomAfter(question);
  let keptAbove: TargetPath | undefined;
  for (const { path, previous, next } of joinEntries(question.from.entries, question.to)) {
    if (keptAbove !== undefined && isBelow(path, keptAbove)) continue;
    keptAbove = undefined;
    const decided = decidePath(question, hasRoom, path, previous, next);
    if (decided === undefined) continue;
    if ('reason' in decided) {
      conflicts.push(decided);
      if (decided.reason === 'unmanaged' && next?.place === 'directory') keptAbove = path;
      continue;
    }
    const evicted = evictStrangers(question, decided);
    decisions.push(...evicted.decisions);
    conflicts.push(...evicted.conflicts);
    if (decided.action === 'keep' && next?.place === 'directory') keptAbove = path;
    else conflicts.push(...obstaclesTo(question, decided));
  }
  const all = [...decisions, ...strangersGivenBack(question, hasRoom)].toSorted(byPath);
  return { decisions: settle(all, question.actual), conflicts };
}

/**
 * What becomes of the machine's own files in a directory that has to make room for something else.
 *
 * A directory is never deleted with something in it that no generation names.
 */
function evictStrangers({ actual, attitude }: Question, decision: Decision): Answer {
  const gone = decision.action === 'replace' || decision.action === 'restore' ? decision.found : undefined;
  const isOurs = gone?.kind === 'directory' && decision.previous?.place === 'directory';
  const strangers = isOurs ? (actual.strangers.get(decision.path) ?? []) : [];
  if (strangers.length === 0) return { decisions: [decision], conflicts: [] };
  const policies = strangers.map((path) => ({ path, policy: attitude(path).onConflict ?? 'refuse' }));
  const refused = policies.filter(({ policy }) => policy === 'refuse');
  if (refused.length > 0)
    return { decisions: [], conflicts: refused.map(({ path }) => ({ path, reason: 'unmanaged' })) };
  if (policies.some(({ policy }) => policy === 'keep')) {
    const { path, previous, next } = decision;
    if (previous === undefined || next === undefined || gone === undefined) return { decisions: [], conflicts: [] };
    return { decisions: [{ path, action: 'keep', why: 'unmanaged', previous, next, found: gone }], conflicts: [] };
  }
  // Where an original takes the place of our directory, what people put into that has no place to come back to.
  const save = decision.action === 'restore' ? 'drifted' : 'displaced';
  return {
    decisions: [decision, ...strangers.map((path) => ({ path, action: 'evict', save }) as const)],
    conflicts: [],
  };
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return comparePaths(a.path, b.path);
}

function decidePath(
  { from, actual, attitude, merges }: Question,
  hasRoom: (path: TargetPath) => boolean,
  path: TargetPath,
  recorded: Entry | undefined,
  next: Entry | undefined,
): Decision | Conflict | undefined {
  const kept = from.ledger.kept.get(path);
  // A seed is the machine's from the moment it is made, and so is what was kept: neither is ours to change.
  const previous = recorded?.place === 'seed' || kept === 'unmanaged' ? undefined : recorded;
  const found = foundAt(actual, path, recorded);
  const backup = from.ledger.displaced.get(path);
  // The machine's own that was there before us is something, and a seed is made only where nothing is.
  const isAdopted = found?.kind === 'directory' && from.ledger.adopted.has(path);
  const isSpared = next?.place === 'seed' && (isAdopted || (backup !== undefined && previous !== undefined));
  if (next === undefined || isSpared)
    return previous === undefined
      ? undefined
      : giveUp({ path, previous, found, backup, from, actual, attitude, hasRoom });
  if (next.place === 'directory') return decideDirectory({ path, previous, next, found, from, attitude });
  if (found === undefined) {
    if (previous === undefined || next.place === 'seed') return { path, action: 'create', next };
    return decideDrift({ path, previous, next, attitude: attitude(path), kept, merge: merges?.get(path) });
  }
  if (next.place === 'seed' && previous === undefined) return undefined;
  if (previous === undefined)
    return decideUnmanaged({ path, next, found, attitude: attitude(path), again: kept !== undefined });
  if (isAsPlaced(found, previous)) {
    if (!sameFound(found, foundOf(next))) return { path, action: 'replace', previous, next, found };
    return sameEntry(previous, next) ? undefined : { path, action: 'show', previous, next };
  }
  if (sameFound(found, foundOf(next))) return undefined;
  return decideDrift({ path, previous, next, found, attitude: attitude(path), kept, merge: merges?.get(path) });
}

/** A directory with another mode or owner is still the directory that was placed: what is in it is looked at by itself. */
function isAsPlaced(found: Found, previous: Entry): boolean {
  return sameFound(found, foundOf(previous)) || (found.kind === 'directory' && previous.place === 'directory');
}

/** Whether two entries show the same thing; not whether they look the same on disk. */
export function sameEntry(a: Entry, b: Entry): boolean {
  // One record is the same as itself, even for those who may not read all of it.
  if (a === b) return true;
  if (a.place !== b.place || a.kind !== b.kind) return false;
  if (a.kind === 'symlink') return b.kind === 'symlink' && a.linkText === b.linkText;
  if (a.kind === 'whole-directory') return b.kind === 'whole-directory' && a.digest === b.digest && a.digest !== '';
  if (a.kind === 'directory') return b.kind === 'directory' && sameOwnership(a, b) && a.named === b.named;
  return (
    b.kind === 'file' && sameOwnership(a, b) && a.sizeBytes === b.sizeBytes && a.digest === b.digest && a.digest !== ''
  );
}

interface Managed {
  readonly path: TargetPath;
  readonly previous: Entry;
  readonly next: Entry;
  readonly found?: Found;
  readonly attitude: Attitude;
  readonly kept: KeepReason | undefined;
  readonly merge?: Merge | undefined;
}

/** What is kept or merged stays so until somebody says otherwise. */
export function driftPolicy({ onDrift }: Attitude, kept: KeepReason | undefined): OnDrift {
  if (onDrift !== undefined) return onDrift;
  if (kept === undefined) return 'backup';
  return kept === 'merged' ? 'merge' : 'keep';
}

function decideDrift({ path, previous, next, found, attitude, kept, merge }: Managed): Decision | Conflict {
  const there = found === undefined ? {} : { found };
  const policy = driftPolicy(attitude, kept);
  if (policy === 'merge') return decideMerge({ path, previous, next, ...there, attitude, kept, merge });
  if (policy === 'refuse') return { path, reason: 'drifted', ...there };
  if (policy === 'keep') return { path, action: 'keep', why: 'drifted', previous, next, ...there };
  if (found === undefined) return { path, action: 'create', previous, next };
  return { path, action: 'replace', previous, next, found, save: 'drifted' };
}

function decideMerge({ path, previous, next, found, merge }: Managed): Decision | Conflict {
  const there = found === undefined ? {} : { found };
  // Nothing new to merge: what is there stays.
  if (sameEntry(previous, next)) return { path, action: 'keep', why: 'merged', previous, next, ...there };
  if (merge === undefined || found === undefined || merge.state === 'conflict')
    return {
      path,
      reason: 'drifted',
      ...there,
      merge: merge?.state === 'conflict' ? merge.why : 'it cannot be merged',
    };
  if (merge.same === 'ours') return { path, action: 'keep', why: 'merged', previous, next, found };
  if (merge.same === 'theirs') return { path, action: 'replace', previous, next, found, save: 'drifted' };
  const { bytes: _, ...merged } = merge.result;
  return { path, action: 'merge', previous, next, found, merged, save: 'drifted' };
}

interface Unmanaged {
  readonly path: TargetPath;
  readonly next: Entry;
  readonly found: Found;
  readonly attitude: Attitude;
  readonly again: boolean;
}

function decideUnmanaged({ path, next, found, attitude, again }: Unmanaged): Decision | Conflict | undefined {
  const wanted = foundOf(next);
  // A link of ours whose record was lost: there is no original to keep.
  if (next.place === 'link' && sameFound(found, wanted)) return undefined;
  const replace = { path, action: 'replace', next, found, save: 'displaced' } as const;
  if (sameFound(found, wanted) || isEqualFile(found, next)) return replace;
  const policy = attitude.onConflict ?? (again ? 'keep' : 'refuse');
  if (policy === 'refuse') return { path, reason: 'unmanaged', found };
  return policy === 'backup' ? replace : { path, action: 'keep', why: 'unmanaged', next, found };
}

/** Whether a file would be replaced by a link that shows the same content, mode and owner. */
function isEqualFile(found: Found, next: Entry): boolean {
  return (
    found.kind === 'file' &&
    next.kind === 'file' &&
    sameOwnership(found, next) &&
    found.sizeBytes === next.sizeBytes &&
    found.digest !== undefined &&
    found.digest === next.digest
  );
}

interface Directory {
  readonly path: TargetPath;
  readonly previous: Entry | undefined;
  readonly next: Entry & { readonly place: 'directory' };
  readonly found: Found | undefined;
  readonly from: Side;
  readonly attitude: (path: TargetPath) => Attitude;
}

function decideDirectory({ path, previous, next, found, from, attitude }: Directory): Decision | Conflict | undefined {
  if (found === undefined) return { path, action: 'create', next, ...(previous === undefined ? {} : { previous }) };
  const again = from.ledger.kept.has(path);
  if (found.kind !== 'directory') {
    if (previous === undefined) return decideNonDirectory(path, next, found, attitude(path), again);
    if (sameFound(found, foundOf(previous))) {
      // The machine's directory comes back as it was, and serves again.
      const after = next.named ? undefined : from.ledger.adopted.get(path);
      if (after === undefined) return { path, action: 'replace', previous, next, found };
      return { path, action: 'reopen', previous, next, found, after };
    }
    return decideDrift({ path, previous, next, found, attitude: attitude(path), kept: from.ledger.kept.get(path) });
  }
  if (previous?.place !== 'directory') {
    const { mode, uid, gid } = next;
    const after = next.named && !sameOwnership(found, next) ? { after: { mode, uid, gid } } : {};
    return { path, action: 'adopt', before: found, next, ...after };
  }
  if (sameOwnership(found, next) || (from.ledger.adopted.has(path) && !next.named)) return undefined;
  return { path, action: 'own', before: found, after: next, next, previous };
}

function decideNonDirectory(
  path: TargetPath,
  next: Entry,
  found: Found,
  attitude: Attitude,
  again: boolean,
): Decision | Conflict {
  const policy = attitude.onConflict ?? (again ? 'keep' : 'refuse');
  if (policy === 'refuse') return { path, reason: 'unmanaged', found };
  if (policy === 'keep') return { path, action: 'keep', why: 'unmanaged', next, found };
  return { path, action: 'replace', next, found, save: 'displaced' };
}

/** What a decision cannot do, because the machine will not let anybody do it. */
function obstaclesTo({ actual }: Question, decision: Decision): Conflict[] {
  const { path, action } = decision;
  if (
    action === 'show' ||
    action === 'keep' ||
    action === 'release' ||
    (action === 'adopt' && decision.after === undefined)
  )
    return [];
  const own = actual.obstacles.get(path);
  const above = actual.directories.get(parentOf(path))?.obstacle;
  const obstacle = own ?? (action === 'own' ? undefined : above);
  return obstacle === undefined ? [] : [{ path, reason: 'blocked', obstacle }];
}

/** Originals that a directory of ours had to make room for come back once there is a directory again. */
function strangersGivenBack({ from, to, actual }: Question, hasRoom: (path: TargetPath) => boolean): Decision[] {
  if (from.ledger.displaced.size === 0) return [];
  const named = new Set([...from.entries, ...to].map(({ path }) => path));
  return [...from.ledger.displaced]
    .filter(([path]) => !named.has(path) && hasRoom(path))
    .map(([path, backup]) => {
      // Somebody made it anew meanwhile: that is the machine's own now, and the original stays a backup.
      const isTaken = foundAt(actual, path, undefined) !== undefined;
      return isTaken ? { path, action: 'release' } : { path, action: 'restore', backup };
    });
}

/** Whether what is above a path will be directories. */
function roomAfter(question: Question): (path: TargetPath) => boolean {
  let after: Map<TargetPath, Entry> | undefined;
  return (path) => {
    after ??= new Map(question.to.map((entry) => [entry.path, entry]));
    for (let at = parentOf(path); at !== '/'; at = parentOf(at)) {
      const next = after.get(at);
      const isDirectory = next === undefined || next.place === 'directory' || isSeedBehind(question, next);
      if (!isDirectory) return false;
    }
    return true;
  };
}

/** Whether a seed is not made, because a directory of the machine's is there. */
function isSeedBehind({ from, actual }: Question, { place, path }: Entry): boolean {
  if (place !== 'seed' || !actual.directories.has(path)) return false;
  if (from.ledger.adopted.has(path)) return true;
  const recorded = from.entries.find((entry) => entry.path === path);
  return recorded === undefined || recorded.place === 'seed' || from.ledger.kept.get(path) === 'unmanaged';
}
