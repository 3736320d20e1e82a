import { encodePieces } from '../../core/bytes';
import { JOURNAL } from '../../core/records/generation';
import { type Journal, journalPieces, parseJournal } from '../../core/records/journal';
import { hostPath } from '../../core/path';
import { removeRecord, writeRecord } from '../../system/records';
import { readText } from '../generations';
import type { Machine } from '../machine';

/**
 * The record of a transition that is under way or was interrupted; `undefined` where there is none.
 *
 * @throws {ActivateError} `STATE`
 */
export function readJournal(machine: Machine): Journal | undefined {
  const text = readText(machine, JOURNAL);
  return text === undefined ? undefined : parseJournal(text, hostPath(machine.root.path, JOURNAL));
}

/** Writes the record durably: once this returns, a crash is recovered from it. */
export function writeJournal({ root }: Machine, journal: Journal): void {
  writeRecord(root, JOURNAL, encodePieces(journalPieces(journal)), 0o600);
}

/** Takes the record away durably: a power cut does not bring it back. */
export function dropJournal({ root }: Machine): void {
  removeRecord(root, JOURNAL);
}
