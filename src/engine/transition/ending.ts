import type { Context } from '../../context';
import { MERGED, POINTER } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { hostPath } from '../../core/path';
import { JOURNAL } from '../../core/records/generation';
import type { Journal } from '../../core/records/journal';
import { readLinkText, readStatus } from '../../system/tree/reading';
import { removeProtected } from '../../system/tree/protecting';
import { removeTree } from '../../system/tree/removing';
import { backupContent, backupDirectory, BACKUPS } from '../../core/records/backup';
import { backupNumbers } from '../backups/storing';
import { readBootJournal } from '../boot/settling';
import { writeTries } from '../state/booting';
import { readGeneration, roleLink } from '../state/generations';
import type { Machine } from '../state/machine';
import { makeWrappersAgain } from '../wrappers/again';
import { discardWrappers } from '../wrappers/making';
import { discard, discardCopied } from './discarding';
import { dropJournal, dropMarks, tokenOf } from './journal';
import { performStep } from './perform';
import {
  adoptLedger,
  adoptTimes,
  dropGeneration,
  dropNotes,
  dropTimes,
  snippetOf,
  stagingOf,
  writeRole,
} from './stage';
import { hideUnused, showOverlay } from './showing';
import { syncWritten } from './syncing';

// The two ends of a transition, the same whether it came there at once or by `resume`. Each can be done twice.

/** Puts the new generation on trial, before anything leads to it: a default is never without its tries. */
export function beginTrial(machine: Machine, { to, tries }: Journal): void {
  if (tries?.to !== undefined) writeTries(machine, to, tries.to);
}

/** Makes the new generation the one that counts; what comes before can be undone. */
export function commit(machine: Machine, journal: Journal): void {
  const { to: number, tries } = journal;
  // Those that were begun are left alone: a boot may have counted them down since.
  if (tries !== undefined && tries.to === undefined) writeTries(machine, number, undefined);
  for (const { role, to } of journal.roles) writeRole(machine, roleLink(role), to);
  adoptTimes(machine, journal.from);
  syncWritten(machine, journal);
  // The last act: with it the commit has happened.
  adoptLedger(machine, journal.to);
}

/**
 * Removes what the new generation does not need any more.
 *
 * @throws {ActivateError} `UNFINISHED` where something could not be removed; the journal is there then
 */
export async function cleanUp(context: Context, machine: Machine, journal: Journal): Promise<void> {
  const { root } = machine;
  const { phases, from, to } = journal;
  try {
    discardCopied(machine, phases.remove);
    await discard(context, machine, { from, to }, phases.discard);
    for (const backup of phases.spent) removeTree(root, backupDirectory(backup));
    dropEmptyBackups(machine, journal);
    discardWrappers(machine, phases.swap);
    if (to === 0) removeTree(root, snippetOf(0));
    removeTree(root, MERGED);
    hideUnused(context, machine);
    syncWritten(machine, journal);
    dropJournal(machine);
    forgetMarks(context, machine);
  } catch (error) {
    const { path, message } = error instanceof ActivateError ? error : { path: undefined, message: String(error) };
    throw new ActivateError('UNFINISHED', `generation ${to} is live, and cleaning up after it failed: ${message}`, {
      path: path ?? hostPath(root.path, JOURNAL),
      hint: 'Mend what the message says, then run `activate resume`.',
      cause: error,
    });
  }
}

/** Somebody who may write a directory can take away what was to be kept from it. */
function dropEmptyBackups({ root }: Machine, { firstBackup, phases }: Journal): void {
  phases.backups.forEach((_, index) => {
    const number = firstBackup + index;
    if (readStatus(root, backupContent(number)) === undefined) removeTree(root, backupDirectory(number));
  });
}

/** Takes away what was written for a transition that did not happen; its steps are undone already. */
export function withdraw(context: Context, machine: Machine, journal: Journal): void {
  const { root } = machine;
  for (const { role, from } of journal.roles) writeRole(machine, roleLink(role), from);
  if (journal.tries !== undefined && !journal.staged) writeTries(machine, journal.to, journal.tries.from);
  syncWritten(machine, journal);
  journal.phases.backups.forEach((_, index) => removeTree(root, backupDirectory(journal.firstBackup + index)));
  if (backupNumbers(machine).length === 0) removeTree(root, BACKUPS);
  dropTimes(machine, journal.from);
  hideUnused(context, machine);
  if (journal.staged) {
    removeProtected(root, stagingOf(journal.to));
    dropGeneration(machine, journal.to, journal.storePath);
  } else dropNotes(machine, journal.to);
  removeTree(root, MERGED);
  syncWritten(machine, journal);
  dropJournal(machine);
  forgetMarks(context, machine);
}

/** With the journal gone they say nothing any more; the next transition takes them away if this cannot. */
export function forgetMarks(context: Context, machine: Machine): void {
  try {
    dropMarks(machine);
  } catch (error) {
    context.log.debug('could not remove what went with the journal', { error: String(error) });
  }
}

/** Makes the pointer and the wrappers those of the generation that is live in the end: after a power cut there are none. */
export async function showAgain(context: Context, machine: Machine, journal: Journal, number: number): Promise<void> {
  // A boot in between has shown what it chose: whatever is different is settled afterwards.
  if (number === 0 || (readBootJournal(machine)?.shown ?? number) !== number) return;
  const generation = readGeneration(machine, number);
  await showOverlay(machine, generation);
  const { overlay } = generation;
  const shown = readLinkText(machine.root, POINTER);
  if (shown !== overlay)
    await performStep({ context, machine, journal, reach: 'in place' }, { op: 'point', from: shown, to: overlay });
  await makeWrappersAgain(context, machine, { number, token: tokenOf(context) });
}
