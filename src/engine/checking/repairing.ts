import type { Context } from '../../context';
import type { Conflict } from '../../core/plan/decision';
import { ancestorsOf, type TargetPath } from '../../core/path';
import type { Switched } from '../../core/report/outcome';
import { refuseMissingOverlay, withContent } from '../closure/content';
import { readGeneration, readState } from '../state/generations';
import { withLockedMachine } from '../state/locked';
import type { Machine } from '../state/machine';
import { type Prepared, prepareTransition } from '../deciding/prepare';
import { driftIn } from './drifting';
import { carryOutNow, refuseForeignPointer, refuseUnread, resumeFirst } from '../switching';
import { isVisible } from '../transition/transition';

/** What putting drift right came to. */
export interface Repaired {
  readonly outcome: Switched;
  /** The paths that it was about. */
  readonly paths: readonly TargetPath[];
  /** What is in the way of paths that were due, where the others were put right all the same. */
  readonly left: readonly Conflict[];
}

/**
 * Puts right what drifted: a switch to the live generation, so that changes become backups, and what is kept stays.
 *
 * @param due the paths to put right, the others stay as they are; `all` is refused as a whole where anything is in the way
 * @throws {ActivateError} what a switch throws; `REFUSED` where the content of the generation is gone
 */
export function repair(context: Context, due: ReadonlySet<TargetPath> | 'all'): Promise<Repaired> {
  return withLockedMachine(context, async (machine) => {
    await resumeFirst(context, machine);
    const { live } = readState(machine);
    if (live !== 0) refuseMissingOverlay(machine, readGeneration(machine, live, 'live'));
    const target = { kind: 'live' } as const;
    return withContent(context, machine, target, async (content) => {
      const prepared = prepareTransition(context, machine, target, { content });
      const part = due === 'all' ? prepared : withoutOthers(prepared, due);
      const left = due === 'all' ? [] : inTheWay(prepared, due);
      const paths = driftIn(machine, part).map(({ path }) => path);
      return { outcome: await putRight(context, machine, part), paths, left };
    });
  });
}

async function putRight(context: Context, machine: Machine, prepared: Prepared): Promise<Switched> {
  if (prepared.conflicts.length > 0) return { state: 'refused', conflicts: prepared.conflicts };
  refuseUnread(prepared);
  refuseForeignPointer(machine);
  return carryOutNow(context, machine, prepared, 'live');
}

/** The part of a plan that concerns the paths that are due, and can be carried out without the rest. */
function withoutOthers(prepared: Prepared, due: ReadonlySet<TargetPath>): Prepared {
  const blocked = new Set(prepared.conflicts.map(({ path }) => path));
  const waiting = new Set<TargetPath>();
  const decisions = prepared.decisions.filter((decision) => {
    const { path } = decision;
    // What is recorded as kept stays recorded.
    if (!isVisible(decision)) return true;
    const isDue = due.has(path) && !blocked.has(path) && !ancestorsOf(path).some((each) => waiting.has(each));
    if (!isDue) waiting.add(path);
    return isDue;
  });
  const wrappers = areWrappersDue(prepared, due) && prepared.wrappers.conflicts.length === 0 ? {} : noMoves;
  return { ...prepared, decisions, conflicts: [], wrappers: { ...prepared.wrappers, ...wrappers } };
}

/** Wrappers move together, or not at all. */
function areWrappersDue({ wrappers }: Prepared, due: ReadonlySet<TargetPath>): boolean {
  return wrappers.changes.length > 0 && wrappers.changes.every(({ path }) => due.has(path));
}

const noMoves = { moves: false, changes: [] } as const;

function inTheWay(prepared: Prepared, due: ReadonlySet<TargetPath>): readonly Conflict[] {
  const left = prepared.conflicts.filter(({ path }) => due.has(path));
  return areWrappersDue(prepared, due) ? [...left, ...prepared.wrappers.conflicts] : left;
}
