import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { isOneAct, type OneAct, pathOf, type Step } from '../../core/plan/step';
import type { Journal } from '../../core/records/journal';
import { readStatus } from '../../system/tree/reading';
import { backupContent } from '../../core/records/backup';
import { withAccountsLocked } from '../accounts/locking';
import type { Machine } from '../state/machine';
import { restageWrappers } from '../wrappers/again';
import { finishStep, undoStep } from './finishing';
import { errnoOf } from '../../system/syscalls/errno';
import type { Root } from '../../system/tree/rooted';
import { isChangedWay, isExpected } from './expectations';
import { cleanUp, commit, showAgain, withdraw } from './ending';
import { readBootJournal } from '../boot/settling';
import { noteUndoing, prepareUndoing, readJournal } from './journal';
import { showGeneration } from './showing';
import { checkNextLedger, isCommitted } from './stage';

/** How an interrupted transition ended. */
export type Resumed =
  | { readonly state: 'nothing to do' }
  | { readonly state: 'undone' | 'finished'; readonly from: number; readonly to: number; readonly live: number };

/**
 * Finishes or undoes what a crash interrupted: undone before the swap, finished after it began. Run again, it changes nothing.
 *
 * @throws {ActivateError} `UNDO_FAILED` or `UNFINISHED` where something cannot be done; what is left to do is still recorded
 */
export async function resumeTransition(context: Context, machine: Machine): Promise<Resumed> {
  leadBack(machine);
  const journal = readJournal(machine);
  if (journal !== undefined)
    await withAccountsLocked(context, machine, accountSteps(journal), () =>
      journal.phase === 'swap' ? finish(context, machine, journal) : undo(context, machine, journal),
    );
  if (journal === undefined) return { state: 'nothing to do' };
  const { from, to } = journal;
  return journal.phase === 'swap'
    ? { state: 'finished', from, to, live: to }
    : { state: 'undone', from, to, live: from };
}

/** A boot that shows something else than an interrupted transition leads to has decided which way it goes on. */
function leadBack(machine: Machine): void {
  const journal = readJournal(machine);
  const boot = journal?.phase === 'swap' ? readBootJournal(machine) : undefined;
  if (journal === undefined || boot === undefined || boot.shown === journal.to) return;
  // What was committed stays, and the boot has brought something else from there.
  if (isCommitted(machine, journal.to)) return;
  prepareUndoing(machine);
  noteUndoing(machine);
}

function accountSteps({ phases }: Journal): readonly Step[] {
  return phases.swap.filter((step) => step.op === 'exchange' && step.ifChanged === 'leave');
}

async function undo(context: Context, machine: Machine, journal: Journal): Promise<void> {
  const { create, swap, remove } = journal.phases;
  const steps = journal.phase === 'undo' ? [...create, ...swap, ...remove] : create;
  const reach = journal.phase === 'create' ? 'staged alone' : 'in place';
  for (const step of steps.toReversed())
    if (!isOneAct(step) || isStillDone(machine, journal, step))
      await unlessOutOfReach(context, step, () => undoStep({ context, machine, journal, reach }, step));
  await orStuck(() => showAgain(context, machine, journal, journal.from));
  await orStuck(() => withdraw(context, machine, journal));
}

async function finish(context: Context, machine: Machine, journal: Journal): Promise<void> {
  if (isCommitted(machine, journal.to)) await orStuck(() => showAgain(context, machine, journal, journal.to));
  else {
    checkNextLedger(machine, journal.to);
    await orStuck(() => showGeneration(machine, journal.to));
    await orStuck(() => restageWrappers(machine, journal.phases.create));
    for (const step of [...journal.phases.swap, ...journal.phases.remove])
      if (!isOneAct(step) || !(isDone(machine, journal, step) || isParked(machine, step)))
        await unlessOutOfReach(context, step, () => finishStep({ context, machine, journal, reach: 'in place' }, step));
    await orStuck(() => commit(machine, journal));
  }
  await cleanUp(context, machine, journal);
}

/**
 * Whether a step that is one act has happened; other steps can be done, and undone, twice.
 *
 * It is the name aside that tells, because nobody else uses it: what was staged is there, by its identity, until it has taken
 * its place; what was parked is there, or has become a backup since.
 */
function isDone({ root }: Machine, { identities, firstBackup, phases }: Journal, step: OneAct): boolean {
  const { op, aside } = step;
  const there = readStatus(root, aside);
  // Somebody who may write there took it away: there is nothing to put in its place any more.
  if (op !== 'park')
    return there === undefined || there.identity !== identities[aside] || (op === 'exchange' && isSwapped(root, step));
  const backup = phases.remove.find((each) => each.op === 'save' && each.aside === aside);
  const number = backup?.op === 'save' ? backup.backup : firstBackup;
  return there !== undefined || (backup !== undefined && readStatus(root, backupContent(number)) !== undefined);
}

/**
 * The same question on the way back, where what was staged may have been removed already: a name aside that is not there
 * any more says nothing then.
 */
function isStillDone({ root }: Machine, { identities }: Journal, { op, path, aside }: OneAct): boolean {
  if (op === 'place') return readStatus(root, path)?.identity === identities[aside];
  const there = readStatus(root, aside);
  return there !== undefined && (op === 'park' || there.identity !== identities[aside]);
}

/** Two objects can be born in one instant, where a copy made both: then what they look like tells. */
function isSwapped(root: Root, step: OneAct): boolean {
  if (!('was' in step)) return false;
  return isExpected(root, step.aside, step.was) && !isExpected(root, step.path, step.was);
}

/** Whether what was to be put aside is gone from its path: it may have become a backup or have been removed since. */
function isParked({ root }: Machine, { op, path }: OneAct): boolean {
  return op === 'park' && readStatus(root, path) === undefined;
}

/**
 * Where a directory is none any more, or a link is in its place, whoever put it there has what was in it as well: that is no
 * reason to leave everybody else with a transition that never ends.
 */
async function unlessOutOfReach(context: Context, step: Step, action: () => Promise<void>): Promise<void> {
  await orStuck(async () => {
    try {
      await action();
    } catch (error) {
      if (!isOutOfReach(error)) throw error;
      context.log.warn('somebody changed the way to this while it was interrupted; it is left as it is', {
        path: pathOf(step),
      });
    }
  });
}

function isOutOfReach(error: unknown): boolean {
  return isChangedWay(error) || ['ENOTDIR', 'ELOOP', 'ESTALE'].includes(errnoOf(error) ?? '');
}

/** @throws {ActivateError} `UNDO_FAILED` for whatever `action` throws */
async function orStuck(action: () => void | Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    const { path, message } = error instanceof ActivateError ? error : { path: undefined, message: String(error) };
    throw new ActivateError('UNDO_FAILED', message, {
      ...(path === undefined ? {} : { path }),
      hint: 'Mend what the message says, then run `activate resume` again.',
      cause: error,
    });
  }
}
