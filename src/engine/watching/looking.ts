import type { Context } from '../../context';
import { POINTER, STATE } from '../../core/entry';
import { ancestorsOf, isBelow, joinTarget, parentOf, type TargetPath } from '../../core/path';
import { generationDirectory, GENERATIONS, isMounted, JOURNAL } from '../../core/records/generation';
import { WRAPPERS } from '../../core/wrapper';
import type { Wrong } from '../../core/report/verify-report';
import { readStatus } from '../../system/tree/reading';
import type { Watched } from '../../system/watcher';
import { roleLink } from '../state/generations';
import { isLocked, LOCK } from '../state/locked';
import type { Machine } from '../state/machine';
import { prepareTransition } from '../deciding/prepare';
import { wrapperLink } from '../wrappers/looking';
import { driftIn } from '../checking/drifting';

/** What a look at the machine came to. */
export type Look =
  | {
      readonly state: 'seen';
      readonly generation: number;
      /** How many paths are managed. */
      readonly paths: number;
      readonly wrong: readonly Wrong[];
      /** The directories where a change would be of interest. */
      readonly directories: readonly Watched[];
      /** Whether a change at a path is of interest. */
      readonly concerns: (path: TargetPath) => boolean;
    }
  /** Somebody is at it: what is there now is neither old nor new. */
  | { readonly state: 'under way' }
  /** `directories`: where its end would be seen. */
  | { readonly state: 'interrupted'; readonly directories: readonly Watched[] };

/**
 * Holds the machine against the record of the live generation, as `verify` does but without the content of the record.
 *
 * What a transition does is no drift: while one is under way, or where one came in between, nothing is said.
 */
export function look(context: Context, machine: Machine): Look {
  const before = stampOf(machine);
  if (readStatus(machine.root, JOURNAL) !== undefined)
    // The journal goes before the lock: what is there without it was left behind.
    return isLocked(machine) || stampOf(machine) !== before
      ? { state: 'under way' }
      : { state: 'interrupted', directories: watchedAt(machine, new Set([...ancestorsOf(STATE), STATE])) };
  try {
    const seen = see(context, machine);
    return stampOf(machine) === before ? seen : { state: 'under way' };
  } catch (error) {
    // Half of what was read may have been of the generation before.
    if (stampOf(machine) !== before) return { state: 'under way' };
    throw error;
  }
}

function see(context: Context, machine: Machine): Look {
  const prepared = prepareTransition(context, machine, { kind: 'live' });
  const { from, actual } = prepared;
  const paths = new Set(from.entries.map(({ path }) => path));
  const record = generationDirectory(from.number);
  const shown = from.overlay !== undefined && isMounted({ overlay: from.overlay }) ? [from.overlay] : [];
  const ours = [
    ...wrapperDirectories(machine),
    ...shown,
    parentOf(POINTER),
    STATE,
    GENERATIONS,
    record,
    parentOf(LOCK),
  ];
  const places = new Set([...actual.directories.keys(), ...ours, ...ours.flatMap(ancestorsOf)]);
  return {
    state: 'seen',
    generation: from.number,
    paths: paths.size,
    wrong: driftIn(machine, prepared),
    directories: watchedAt(machine, places),
    concerns: (path) =>
      paths.has(path) ||
      places.has(path) ||
      OURS.has(path) ||
      isBelow(path, WRAPPERS) ||
      (from.number !== 0 && parentOf(path) === record),
  };
}

const OURS: ReadonlySet<TargetPath> = new Set([POINTER, JOURNAL, roleLink('live'), joinTarget(STATE, 'generations')]);

function wrapperDirectories(machine: Machine): TargetPath[] {
  const link = wrapperLink(machine);
  return link === undefined ? [] : [WRAPPERS, joinTarget(WRAPPERS, link)];
}

/** Another one after every transition: each makes and removes a journal. */
function stampOf({ root }: Machine): string {
  const status = readStatus(root, STATE);
  return status === undefined ? 'none' : `${status.identity} ${status.mtimeNs}`;
}

/** Those of the places that are directories, reached without following a link. */
function watchedAt({ root }: Machine, places: ReadonlySet<TargetPath>): Watched[] {
  return [...places].flatMap((path) => {
    const status = readStatus(root, path);
    if (status?.kind !== 'directory') return [];
    return [{ path, identity: `${status.device} ${status.inode} ${status.identity}` }];
  });
}
