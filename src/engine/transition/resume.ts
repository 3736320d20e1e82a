import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { Journal } from '../../core/records/journal';
import { inverse, isOneAct, type OneAct, type Step } from '../../core/plan/step';
import { readStatus } from '../../system/reading';
import { removeTree } from '../../system/removing';
import { backupContent, backupDirectory } from '../backups';
import { discard, discardCopied } from './discarding';
import { roleLink } from '../generations';
import { dropJournal, readJournal } from './journal';
import type { Machine } from '../machine';
import { performStep } from './perform';
import { adoptLedger, dropGeneration, dropNotes, snippetOf, writeRole } from './stage';
import { withLockedMachine } from '../switching';
import { parentOf, type TargetPath } from '../../core/path';
import { syncFilesystems } from './syncing';

/** How an interrupted transition ended. */
export type Resumed =
  | { readonly state: 'nothing to do' }
  | { readonly state: 'undone' | 'finished'; readonly from: number; readonly to: number; readonly live: number };

/**
 * Finishes or undoes what a crash interrupted: undone before the swap, finished after it began. Run again, it changes nothing.
 *
 * @throws {ActivateError} `UNDO_FAILED` where a step cannot be done; what is left to do is still recorded
 */
export function resume(context: Context): Promise<Resumed> {
  return withLockedMachine(context, async (machine) => {
    const journal = readJournal(machine);
    if (journal === undefined) return { state: 'nothing to do' };
    const { from, to } = journal;
    await (journal.phase === 'swap' ? finish(context, machine, journal) : undo(machine, journal));
    const state = journal.phase === 'swap' ? 'finished' : 'undone';
    return { state, from, to, live: state === 'finished' ? to : from };
  });
}

async function undo(machine: Machine, journal: Journal): Promise<void> {
  const { create, swap, remove } = journal.phases;
  const steps = journal.phase === 'undo' ? [...create, ...swap, ...remove] : create;
  for (const step of steps.toReversed())
    if (!isOneAct(step) || isStillDone(machine, journal, step)) await perform(machine, journal, inverse(step));
  for (const { role, from } of journal.roles) writeRole(machine, roleLink(role), from);
  syncPaths(machine, journal);
  journal.phases.backups.forEach((_, index) => removeTree(machine.root, backupDirectory(journal.firstBackup + index)));
  if (journal.staged) dropGeneration(machine, journal.to, journal.storePath);
  else dropNotes(machine, journal.to);
  dropJournal(machine);
}

async function finish(context: Context, machine: Machine, journal: Journal): Promise<void> {
  const { swap, remove, spent } = journal.phases;
  for (const step of [...swap, ...remove])
    if (!isOneAct(step) || !(isDone(machine, journal, step) || isParked(machine, step)))
      await perform(machine, journal, step);
  for (const { role, to } of journal.roles) writeRole(machine, roleLink(role), to);
  syncPaths(machine, journal);
  adoptLedger(machine, journal.to);
  discardCopied(context, machine, remove);
  await discard(context, machine, journal.from, journal.phases.discard);
  for (const backup of spent) removeTree(machine.root, backupDirectory(backup));
  if (journal.to === 0) removeTree(machine.root, snippetOf(0));
  dropJournal(machine);
}

/** Makes what the steps did durable, before anything that could undo or repeat them is deleted. */
function syncPaths(machine: Machine, { phases }: Journal): void {
  const paths = new Set<TargetPath>();
  for (const step of [...phases.create, ...phases.swap, ...phases.remove]) {
    if ('objects' in step) for (const { path } of step.objects) paths.add(parentOf(path));
    else if ('path' in step) paths.add(parentOf(step.path));
    else if ('aside' in step) paths.add(parentOf(step.aside));
  }
  syncFilesystems(machine, paths);
}

/**
 * Whether a step that is one act has happened; other steps can be done, and undone, twice.
 *
 * It is the name aside that tells, because nobody else uses it: what was staged is there, by its inode, until it has taken
 * its place; what was parked is there, or has become a backup since.
 */
function isDone({ root }: Machine, { inodes, firstBackup, phases }: Journal, { op, aside }: OneAct): boolean {
  const there = readStatus(root, aside);
  if (op !== 'park') return there?.inode.toString() !== inodes[aside];
  const backup = phases.remove.find((step) => step.op === 'save' && step.aside === aside);
  const number = backup?.op === 'save' ? backup.backup : firstBackup;
  return there !== undefined || (backup !== undefined && readStatus(root, backupContent(number)) !== undefined);
}

/**
 * The same question on the way back, where what was staged may have been removed already: a name aside that is not there
 * any more says nothing then.
 */
function isStillDone({ root }: Machine, { inodes }: Journal, { op, path, aside }: OneAct): boolean {
  if (op === 'place') return readStatus(root, path)?.inode.toString() === inodes[aside];
  const there = readStatus(root, aside);
  return there !== undefined && (op === 'park' || there.inode.toString() !== inodes[aside]);
}

/** Whether what was to be put aside is gone from its path: it may have become a backup or have been removed since. */
function isParked({ root }: Machine, { op, path }: OneAct): boolean {
  return op === 'park' && readStatus(root, path) === undefined;
}

async function perform(machine: Machine, journal: Journal, step: Step): Promise<void> {
  try {
    await performStep({ machine, snippet: snippetOf(journal.to) }, step);
  } catch (error) {
    const { path, message } = error instanceof ActivateError ? error : { path: undefined, message: String(error) };
    throw new ActivateError('UNDO_FAILED', message, {
      ...(path === undefined ? {} : { path }),
      hint: 'Mend what the message says, then run `activate resume` again.',
      cause: error,
    });
  }
}
