import type { Attitude, Conflict, Decision, Side } from './decision';
import type { Entry, Ownership } from '../entry';
import { type Actual, type Found, foundOf, sameFound, sameOwnership } from '../found';
import type { Ledger } from '../records/ledger';
import { ancestorsOf, type TargetPath } from '../path';

/** A path that the next generation does not name, and all that its fate depends on. */
export interface GivenUp {
  readonly path: TargetPath;
  readonly previous: Entry;
  readonly found: Found | undefined;
  readonly backup: number | undefined;
  readonly from: Side;
  readonly actual: Actual;
  readonly attitude: (path: TargetPath) => Attitude;
  /** Whether the directories above a path will be directories. */
  readonly hasRoom: (path: TargetPath) => boolean;
}

/**
 * What becomes of a path that is given up: the machine's own comes back, or nothing is left of ours.
 *
 * What somebody changed meanwhile is kept as the policy says; a directory that is in use stays.
 */
export function giveUp({
  path,
  previous,
  found,
  backup,
  from,
  actual,
  attitude,
  hasRoom,
}: GivenUp): Decision | Conflict | undefined {
  if (previous.place === 'directory' && found?.kind === 'directory') {
    return giveUpDirectory({ path, previous, found, backup, from, actual, attitude, hasRoom });
  }
  const drifted = found !== undefined && !sameFound(found, foundOf(previous));
  if (drifted) {
    // What was merged has nothing of the closure's any more to be merged with: it becomes a backup.
    const policy = attitude(path).onDrift ?? (from.ledger.kept.get(path) === 'drifted' ? 'keep' : 'backup');
    if (policy === 'refuse') return { path, reason: 'drifted', found };
    if (policy === 'keep') return { path, action: 'release', previous, found };
  }
  const save = drifted ? ({ save: 'drifted' } as const) : {};
  if (backup !== undefined && hasRoom(path)) {
    return { path, action: 'restore', previous, backup, ...save, ...(found === undefined ? {} : { found }) };
  }
  const room = from.ledger.adopted.get(path) ?? (hasDisplacedBelow(from.ledger, path) ? PLAIN_DIRECTORY : undefined);
  if (room !== undefined && found !== undefined && !drifted)
    return { path, action: 'reopen', previous, found, after: room };
  return found === undefined ? undefined : { path, action: 'remove', previous, found, ...save };
}

const PLAIN_DIRECTORY: Ownership = { mode: 0o755, uid: 0, gid: 0 };

/** Every directory above something displaced, worked out once for each ledger. */
const aboveDisplaced = new WeakMap<Ledger, ReadonlySet<TargetPath>>();

function hasDisplacedBelow(ledger: Ledger, path: TargetPath): boolean {
  let above = aboveDisplaced.get(ledger);
  if (above === undefined) {
    above = new Set(ledger.displaced.keys().flatMap(ancestorsOf));
    aboveDisplaced.set(ledger, above);
  }
  return above.has(path);
}

function giveUpDirectory(given: GivenUp): Decision | undefined {
  const { path, previous, found, backup, from, actual, hasRoom } = given;
  if (found?.kind !== 'directory') return undefined;
  if (backup !== undefined && hasRoom(path)) return { path, action: 'restore', previous, found, backup };
  const original = from.ledger.adopted.get(path);
  if (original !== undefined) {
    return sameOwnership(original, found)
      ? undefined
      : { path, action: 'own', before: found, after: original, previous };
  }
  const isInUse = (actual.strangers.get(path)?.length ?? 0) > 0 || actual.obstacles.has(path);
  return isInUse ? undefined : { path, action: 'remove', previous, found };
}
