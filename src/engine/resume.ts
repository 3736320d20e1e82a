import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import type { Journal } from '../core/records/journal';
import { inverse, isOneAct, type OneAct, type Step } from '../core/plan/step';
import { readStatus } from '../system/reading';
import { removeTree } from '../system/removing';
import { backupDirectory } from './backups';
import { discard, discardCopied } from './discarding';
import { roleLink } from './generations';
import { dropJournal, readJournal } from './journal';
import type { Machine } from './machine';
import { performStep } from './perform';
import { adoptLedger, dropGeneration, dropNotes, snippetOf, writeRole } from './stage';
import { withLockedMachine } from './switching';
import { syncFilesystem } from '../system/changing';
import { STATE } from '../core/entry';

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
    if (!isOneAct(step) || isDone(machine, journal, step)) await perform(machine, journal, inverse(step));
  for (const { role, from } of journal.roles) writeRole(machine, roleLink(role), from);
  syncFilesystem(machine.root, STATE);
  journal.phases.backups.forEach((_, index) => removeTree(machine.root, backupDirectory(journal.firstBackup + index)));
  if (journal.staged) dropGeneration(machine, journal.to, journal.storePath);
  else dropNotes(machine, journal.to);
  dropJournal(machine);
}

async function finish(context: Context, machine: Machine, journal: Journal): Promise<void> {
  const { swap, remove, spent } = journal.phases;
  for (const step of [...swap, ...remove])
    if (!isOneAct(step) || !isDone(machine, journal, step)) await perform(machine, journal, step);
  adoptLedger(machine, journal.to);
  for (const { role, to } of journal.roles) writeRole(machine, roleLink(role), to);
  syncFilesystem(machine.root, STATE);
  discardCopied(context, machine, remove);
  await discard(context, machine, journal.from, journal.phases.discard);
  for (const backup of spent) removeTree(machine.root, backupDirectory(backup));
  if (journal.to === 0) removeTree(machine.root, snippetOf(0));
  dropJournal(machine);
}

/**
 * Whether a step that is one act has happened; other steps can be done, and undone, twice.
 *
 * What was staged is known by its inode: an exchange has happened when that inode is at the path.
 */
function isDone({ root }: Machine, { inodes }: Journal, { op, path, aside }: OneAct): boolean {
  if (op === 'park') return readStatus(root, aside) !== undefined;
  const status = readStatus(root, path);
  return status !== undefined && `${status.device}:${status.inode}` === inodes[aside];
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
