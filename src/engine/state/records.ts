import { encodePieces } from '../../core/bytes';
import { ActivateError } from '../../core/errors';
import { hostPath, type TargetPath } from '../../core/path';
import { createFileFrom } from '../../system/tree/copying';
import { readFile, readStatus } from '../../system/tree/reading';
import { writeRecord } from '../../system/tree/records';
import type { Root } from '../../system/tree/rooted';
import { openSeal, sealPieces } from '../../system/sealing';
import type { Machine } from './machine';

/**
 * Writes a record durably, in place of an older one.
 *
 * @param pieces together one JSON object and a newline
 */
export function writeSealed(root: Root, path: TargetPath, pieces: Iterable<string>, mode = 0o644): void {
  writeRecord(root, path, sealPieces(encodePieces(pieces)), mode);
}

/** {@link writeSealed} where nothing is yet, and nothing refers to it: without a sync. */
export function createSealed(root: Root, path: TargetPath, pieces: Iterable<string>, mode: number): void {
  createFileFrom(root, path, { mode }, sealPieces(encodePieces(pieces)));
}

/**
 * Reads a record that was written by {@link writeSealed}; `undefined` where there is none.
 *
 * @throws {ActivateError} `STATE` where it is damaged, and what `parse` throws
 */
export function readSealed<Value>(
  machine: Machine,
  path: TargetPath,
  parse: (text: string, file: string) => Value,
): Value | undefined {
  const bytes = readRecordBytes(machine, path);
  if (bytes === undefined) return undefined;
  const shown = hostPath(machine.root.path, path);
  const { text, state } = openSeal(decode(bytes));
  const value = parse(text, shown);
  if (state === 'sound') return value;
  throw new ActivateError('STATE', 'the record is damaged: it is not as it was written', {
    path: shown,
    hint: 'Restore it from a backup.',
  });
}

/**
 * The bytes of a record; `undefined` where nothing is.
 *
 * @throws {ActivateError} `STATE` where something else than a file is in its place
 */
export function readRecordBytes({ root }: Machine, path: TargetPath): Uint8Array | undefined {
  const kind = readStatus(root, path)?.kind;
  if (kind === undefined) return undefined;
  if (kind === 'file') return readFile(root, path);
  throw new ActivateError('STATE', `the record is damaged: it is a ${kind}`, {
    path: hostPath(root.path, path),
    hint: 'Restore it from a backup.',
  });
}

export function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
