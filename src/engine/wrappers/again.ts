import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { describeConflict } from '../../core/report/report';
import { decideWrappers, planWrappers } from '../../core/plan/wrappers';
import type { Step } from '../../core/plan/step';
import type { Wrapper } from '../../core/wrapper';
import { readRecorded } from '../state/generations';
import type { Machine } from '../state/machine';
import { lookAtWrappers } from './looking';
import { discardWrappers, isWrapperStep, performWrapperStep } from './making';

/**
 * Makes the wrappers of the generation that is live in the end, where they are not there: after a power cut there are none.
 *
 * @param token part of the name of a directory where the usual one is taken
 */
export async function makeWrappersAgain(
  context: Context,
  machine: Machine,
  { number, token }: { readonly number: number; readonly token: string },
): Promise<void> {
  const recorded = recordedWrappers(context, machine, number);
  if (recorded === undefined) return;
  const { wrappers, overlay } = recorded;
  const found = lookAtWrappers(machine);
  const { moves, conflicts } = decideWrappers(wrappers, found);
  const [conflict] = conflicts;
  if (conflict !== undefined)
    throw new ActivateError('IO', `the wrappers cannot be made: ${describeConflict(conflict)}`, {
      path: conflict.path,
      hint: 'Unmount it, or move it away.',
    });
  if (!moves) return;
  const { create, swap } = planWrappers(wrappers, found, { generation: number, overlay, token });
  for (const step of [...create, ...swap]) if (isWrapperStep(step)) await performWrapperStep(machine, step);
  discardWrappers(machine, swap);
}

/** A record that cannot be read has wrappers that cannot be made; that is no reason to leave everything else half done. */
function recordedWrappers(
  context: Context,
  machine: Machine,
  number: number,
): { readonly wrappers: readonly Wrapper[]; readonly overlay: string } | undefined {
  try {
    const { manifest, generation } = readRecorded(machine, number);
    return { wrappers: manifest.wrappers ?? [], overlay: generation.overlay };
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'STATE') throw error;
    context.log.warn(`the wrappers of generation ${number} are left as they are: ${error.message}`, {
      path: error.path,
    });
    return undefined;
  }
}

/** Makes again what a transition had made before its swap, where a power cut took it away since. */
export async function restageWrappers(machine: Machine, create: readonly Step[]): Promise<void> {
  const steps = create.filter(isWrapperStep);
  if (steps.length > 0) await performWrapperStep(machine, { op: 'mount-wrappers', directory: 'made' });
  for (const step of steps) await performWrapperStep(machine, step);
}
