import type { Decision } from '../../core/plan/decision';
import { foundOf, sameFound } from '../../core/found';
import type { TargetPath } from '../../core/path';
import { readStatus } from '../../system/tree/reading';
import { findGeneration, readTimes } from '../state/generations';
import type { Machine } from '../state/machine';
import type { Destination, Prepared } from '../deciding/prepare';

// Times of files and links: they come back with what is there and back again.

/** When what goes or is replaced was last changed. */
export function timesOf({ root }: Machine, { decisions, actual }: Prepared): Map<TargetPath, string> {
  const times = new Map(actual.times);
  for (const decision of decisions) {
    if (!('found' in decision) || decision.found?.kind !== 'symlink') continue;
    const mtimeNs = readStatus(root, decision.path)?.mtimeNs;
    if (mtimeNs !== undefined) times.set(decision.path, mtimeNs.toString());
  }
  return times;
}

/** The times of what is ours and as it was recorded: they come back with it. */
export function ourTimes(
  decisions: readonly Decision[],
  times: ReadonlyMap<TargetPath, string>,
): Map<TargetPath, string> {
  const ours = new Map<TargetPath, string>();
  for (const { path, previous, ...decision } of decisions) {
    const found = 'found' in decision ? decision.found : undefined;
    const time = times.get(path);
    if (time === undefined || previous === undefined || found === undefined) continue;
    if (sameFound(found, foundOf(previous))) ours.set(path, time);
  }
  return ours;
}

/** The times that the objects of this generation, or of an earlier one that shows the same, had when they went. */
export function earlierTimes(machine: Machine, to: Destination, numbers: readonly number[]): Map<TargetPath, string> {
  const alike = numbers.filter(
    (number) => number === to.number || findGeneration(machine, number)?.digest === to.digest,
  );
  return new Map(alike.flatMap((number) => readTimes(machine, number).entries().toArray()));
}
