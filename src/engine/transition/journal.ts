import type { Context } from '../../context';
import { JOURNAL } from '../../core/records/generation';
import { type Journal, journalPieces, parseJournal } from '../../core/records/journal';
import { BOOT_TRANSITION, bootJournalPieces } from '../../core/boot/boot-list';
import { encodePieces } from '../../core/bytes';
import { STATE } from '../../core/entry';
import { joinTarget } from '../../core/path';
import { removeFile, renamePath, syncFilesystem } from '../../system/tree/changing';
import { createFile } from '../../system/tree/copying';
import { readStatus } from '../../system/tree/reading';
import { removeRecord, writeRecord } from '../../system/tree/records';
import { readSealed, writeSealed } from '../state/records';
import type { Machine } from '../state/machine';

/**
 * The record of a transition that is under way or was interrupted; `undefined` where there is none.
 *
 * @throws {ActivateError} `STATE`
 */
export function readJournal(machine: Machine): Journal | undefined {
  const journal = readSealed(machine, JOURNAL, parseJournal);
  if (journal === undefined) return undefined;
  const isUndone = journal.phase === 'swap' && readStatus(machine.root, UNDO) !== undefined;
  return isUndone ? { ...journal, phase: 'undo' } : journal;
}

/** Says that what is read here may be about to change: whoever only looks takes no lock. */
export function mentionTransition({ log }: Context, { root }: Machine): void {
  if (readStatus(root, JOURNAL) === undefined) return;
  log.warn('a transition is under way or was interrupted: see `activate status`');
}

/** Part of the names of what a transition makes aside; no earlier one had it. */
export function tokenOf({ now }: Context): string {
  return Math.floor(now()).toString(36);
}

/** Renamed to `transition.undo` it says that the way leads back: no space is needed for that on a disk that is full. */
const READY = joinTarget(STATE, '.undo.ready');
const UNDO = joinTarget(STATE, 'transition.undo');

/** Makes sure that {@link noteUndoing} will not need space. */
export function prepareUndoing({ root }: Machine): void {
  if (readStatus(root, UNDO) !== undefined) removeFile(root, UNDO);
  if (readStatus(root, READY) === undefined) createFile(root, READY, { mode: 0o600 }, new Uint8Array());
}

/** Says durably that a transition whose swap began is being undone. */
export function noteUndoing({ root }: Machine): void {
  renamePath(root, READY, UNDO);
  syncFilesystem(root, STATE);
}

/** Writes the record durably: once this returns, a crash is recovered from it. */
export function writeJournal({ root }: Machine, journal: Journal): void {
  // For whoever has no `activate`; it says the same during each phase.
  if (journal.phase === 'create')
    writeRecord(root, BOOT_TRANSITION, encodePieces(bootJournalPieces(journal.phases)), 0o600);
  writeSealed(root, JOURNAL, journalPieces(journal), 0o600);
}

/** Takes the record away, and then what went with it. Should a power cut bring it back, what it says is done already. */
export function dropJournal({ root }: Machine): void {
  for (const mark of [READY, BOOT_TRANSITION]) if (readStatus(root, mark) !== undefined) removeFile(root, mark);
  removeRecord(root, JOURNAL);
}

/** Takes away what says how a transition goes on, once there is none. */
export function dropMarks({ root }: Machine): void {
  for (const mark of [READY, UNDO, BOOT_TRANSITION]) if (readStatus(root, mark) !== undefined) removeFile(root, mark);
}
