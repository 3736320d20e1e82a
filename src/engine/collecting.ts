import type { Context } from '../context';
import type { Generation } from '../core/records/generation';
import { readGeneration, readState, type State } from './generations';
import { type Machine, withMachine } from './machine';
import { dropGeneration } from './transition/stage';
import { withLockedMachine } from './locked';
import { refuseInterrupted } from './switching';

/** Which generations may go: all but the newest `keep`, and those older than `olderThanMs`; both where both are given. */
export interface GcOptions {
  readonly keep: number | undefined;
  readonly olderThanMs: number | undefined;
}

/** Removes generations that nobody needs; never what is live, default or booted. Backups stay. */
export function collectGarbage(context: Context, options: GcOptions): Promise<readonly Generation[]> {
  return withLockedMachine(context, async (machine) => {
    refuseInterrupted(machine);
    const state = readState(machine);
    const going = candidates(machine, state, context.now(), options);
    for (const { number, storePath } of going) dropGeneration(machine, number, storePath);
    return going;
  });
}

function candidates(machine: Machine, state: State, now: number, { keep, olderThanMs }: GcOptions): Generation[] {
  const inUse = new Set([state.live, state.default, state.booted]);
  const newest = new Set(keep === undefined ? [] : state.numbers.slice(Math.max(0, state.numbers.length - keep)));
  return state.numbers
    .filter((number) => !inUse.has(number) && !newest.has(number))
    .map((number) => readGeneration(machine, number))
    .filter(({ overlay }) => overlay !== state.pointer)
    .filter(({ created }) => olderThanMs === undefined || now - Date.parse(created) > olderThanMs);
}

/** The generations, oldest first, and which of them is what. */
export function listGenerations(
  context: Context,
): Promise<{ readonly state: State; readonly generations: readonly Generation[] }> {
  return withMachine(context, (machine) => {
    const state = readState(machine);
    return { state, generations: state.numbers.map((number) => readGeneration(machine, number)) };
  });
}
