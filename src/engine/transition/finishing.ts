import { inverse, isOneAct, type OneAct, type Step } from '../../core/plan/step';
import { backupContent } from '../../core/records/backup';
import { exchangePaths, renamePath } from '../../system/tree/changing';
import { readStatus } from '../../system/tree/reading';
import { keepStray } from '../backups/keeping';
import { asExpected, isUntouched } from './expectations';
import { performStep, type Stagehand } from './perform';
import { writeSnippet } from './stage';
import { leaveAlone } from './yielding';

/**
 * Carries out a step of a transition whose swap began before a crash.
 *
 * There is no way back any more, and people go on working in between. What the plan did not expect is no reason to stop
 * then: it gives way, and becomes a backup.
 */
export async function finishStep(stagehand: Stagehand, step: Step): Promise<void> {
  const { machine, journal } = stagehand;
  const { root } = machine;
  if (isOneAct(step)) return finishMove(stagehand, step);
  switch (step.op) {
    case 'save':
      if (readStatus(root, step.aside) === undefined && readStatus(root, backupContent(step.backup)) === undefined)
        return undefined;
      return performStep(stagehand, step);
    case 'remove': {
      const left = { ...step, objects: step.objects.filter((object) => asExpected(root, object)) };
      const remove = journal.phases.remove.map((each) => (each === step ? left : each));
      writeSnippet(machine, journal.to, { ...journal.phases, remove });
      return performStep(stagehand, left);
    }
    default:
      return performStep(stagehand, step);
  }
}

/**
 * Undoes a step of a transition that a crash interrupted, with the same patience: what comes back takes its place, and what
 * is there by now becomes a backup.
 */
export async function undoStep(stagehand: Stagehand, step: Step): Promise<void> {
  const { context, machine, journal } = stagehand;
  const { root } = machine;
  if (step.op !== 'exchange' && step.op !== 'park') return performStep(stagehand, inverse(step));
  const { path, aside } = step;
  if (step.op === 'exchange' && step.ifChanged === 'leave') return performStep(stagehand, inverse(step));
  if (readStatus(root, path) === undefined) return renamePath(root, aside, path);
  exchangePaths(root, path, aside);
  if (step.op === 'park') await keepStray(context, machine, { path, aside, generation: journal.to });
  return undefined;
}

/** What is put aside here, and is not what the plan saw, is found to be so when it would be discarded. */
async function finishMove(stagehand: Stagehand, step: OneAct): Promise<void> {
  const { context, machine, journal } = stagehand;
  const { path, aside } = step;
  const isThere = readStatus(machine.root, path) !== undefined;
  if (step.op === 'exchange' && step.ifChanged === 'leave' && !isUntouched(machine.root, path, step.was))
    return leaveAlone(stagehand, step, 'nothing was added to it: switch again');
  if (step.op === 'park') return isThere ? renamePath(machine.root, path, aside) : undefined;
  if (!isThere) return renamePath(machine.root, aside, path);
  exchangePaths(machine.root, path, aside);
  if (step.op === 'place') await keepStray(context, machine, { path, aside, generation: journal.to });
  return undefined;
}
