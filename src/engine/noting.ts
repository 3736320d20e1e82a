import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { type Ended, journalEntry } from '../core/report/journal-entry';
import { sendToJournal } from '../system/journald';
import { findGeneration } from './generations';
import type { Machine } from './machine';

/** Leaves an entry in the journal of the system, where it is this system that changed. */
export async function noteTransition(
  context: Context,
  machine: Machine,
  ended: Omit<Ended, 'closure'> & { readonly closure?: string | undefined },
): Promise<void> {
  if (machine.root.path !== '/' || context.uid !== 0) return;
  try {
    const closure = ended.closure ?? (ended.to === 0 ? undefined : findGeneration(machine, ended.to)?.closure);
    await sendToJournal(journalEntry({ ...ended, closure }));
  } catch (error) {
    if (!(error instanceof ActivateError)) throw error;
    context.log.debug(`could not leave an entry in the journal: ${error.message}`);
  }
}
