import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { type Generation, storePathOf } from '../core/records/generation';
import { readGeneration, readState, type State } from './state/generations';
import { type Machine, withMachine } from './state/machine';
import { mentionTransition } from './transition/journal';
import type { Mounts } from '../core/report/generations-report';
import { hideGeneration, mountsOf } from './transition/showing';
import { dropGeneration } from './transition/stage';
import { withLockedMachine } from './state/locked';
import { readAllTries, readTries } from './state/booting';
import type { Tries } from '../core/report/boot-report';
import { discardWrappersBut } from './wrappers/making';
import { refuseInterrupted } from './switching';

/** Which generations may go: all but the newest `keep`, and those older than `olderThanMs`; both where both are given. */
export interface GcOptions {
  readonly keep: number | undefined;
  readonly olderThanMs: number | undefined;
}

/** Removes generations that nobody needs, and wrappers; never what is live, default or booted, nor what a trial falls back on. Backups stay. */
export function collectGarbage(context: Context, options: GcOptions): Promise<readonly Generation[]> {
  return withLockedMachine(context, async (machine) => {
    refuseInterrupted(machine);
    const state = readState(machine);
    const going = candidates(context, machine, state, options);
    for (const each of going) {
      hideGeneration(machine, each.number);
      dropGeneration(machine, each.number, storePathOf(each));
    }
    discardWrappersBut(machine);
    return going;
  });
}

function candidates(context: Context, machine: Machine, state: State, { keep, olderThanMs }: GcOptions): Generation[] {
  const inUse = new Set([state.live, state.default, state.booted, fallbackOf(machine, state)]);
  const newest = new Set(keep === undefined ? [] : state.numbers.slice(Math.max(0, state.numbers.length - keep)));
  const numbers = state.numbers.filter((number) => !inUse.has(number) && !newest.has(number));
  return readAll(context, machine, numbers)
    .filter(({ overlay }) => overlay !== state.pointer)
    .filter(({ created }) => olderThanMs === undefined || context.now() - Date.parse(created) > olderThanMs);
}

/** What the machine goes back to where the default is on trial and does not prove itself. */
function fallbackOf(machine: Machine, { numbers, default: next }: State): number | undefined {
  return readTries(machine, next) === undefined ? undefined : numbers.findLast((number) => number < next);
}

/** The records that can be read: one that is damaged is named, one that was removed meanwhile is gone. */
function readAll(context: Context, machine: Machine, numbers: readonly number[]): Generation[] {
  return numbers.flatMap((number) => {
    try {
      return [readGeneration(machine, number)];
    } catch (error) {
      if (!(error instanceof ActivateError) || (error.code !== 'STATE' && error.code !== 'USAGE')) throw error;
      if (error.code === 'STATE')
        context.log.warn(`generation ${number} is left out: ${error.message}`, { path: error.path });
      return [];
    }
  });
}

interface Listed {
  readonly state: State;
  readonly generations: readonly Generation[];
  readonly mounts: Mounts;
  readonly tries: Tries;
}

/** The generations, oldest first, and which of them is what. */
export function listGenerations(context: Context): Promise<Listed> {
  return withMachine(context, (machine) => {
    mentionTransition(context, machine);
    const state = readState(machine);
    const generations = readAll(context, machine, state.numbers);
    return { state, generations, mounts: mountsOf(machine, generations), tries: readAllTries(machine, state.numbers) };
  });
}
