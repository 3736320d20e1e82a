import type { Context } from '../context';
import { type Ended, journalEntry } from '../core/report/journal-entry';
import { sendToJournal } from '../system/host/journald';
import { findGeneration } from './state/generations';
import type { Machine } from './state/machine';

/** Leaves an entry in the journal of the system, where it is this system that changed. */
export function noteTransition(
  context: Context,
  machine: Machine,
  ended: Omit<Ended, 'closure'> & { readonly closure?: string | undefined },
): void {
  if (machine.root.path !== '/' || context.uid !== 0) return;
  const closure = ended.closure ?? (ended.to === 0 ? undefined : findGeneration(machine, ended.to)?.closure);
  const isTaken = sendToJournal(journalEntry({ ...ended, closure }));
  if (!isTaken) context.log.debug('no journal took an entry about this transition');
}
