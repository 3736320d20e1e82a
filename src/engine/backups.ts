import * as v from 'valibot';
import { STATE } from '../core/entry';
import { parseGenerationNumber, parseRecord } from '../core/records/generation';
import { hostPath, joinTarget, nameOf, parentOf, type TargetPath } from '../core/path';
import { renamePath } from '../system/changing';
import { copyTreeWithin } from '../system/host-files';
import { removeTree } from '../system/removing';
import { errnoOf } from '../system/syscalls/errno';
import { listDirectory, readStatus } from '../system/reading';
import { readText } from './generations';
import type { Machine } from './machine';

/** Something that a transition took out of the way, and kept. */
export interface Backup {
  readonly number: number;
  readonly path: string;
  /** The machine's own from before us, or an edit of ours. */
  readonly reason: 'displaced' | 'drifted';
  /** The generation that took its place. */
  readonly generation: number;
  /** ISO 8601 in UTC. */
  readonly created: string;
}

export const BACKUPS = joinTarget(STATE, 'backups');

export function backupDirectory(number: number): TargetPath {
  return joinTarget(BACKUPS, String(number));
}

/** Where the thing itself is, with its owner, mode, times and extended attributes. */
export function backupContent(number: number): TargetPath {
  return joinTarget(backupDirectory(number), 'content');
}

const schema = v.strictObject({
  schema: v.literal(1),
  number: v.number(),
  path: v.string(),
  reason: v.picklist(['displaced', 'drifted']),
  generation: v.number(),
  created: v.string(),
});

export function renderBackup(backup: Backup): string {
  return `${JSON.stringify({ schema: 1, ...backup })}\n`;
}

/** The numbers of all backups, ascending. */
export function backupNumbers({ root }: Machine): number[] {
  if (readStatus(root, BACKUPS)?.kind !== 'directory') return [];
  const numbers = listDirectory(root, BACKUPS).map(({ name }) => parseGenerationNumber(name));
  return numbers.filter((number) => number !== undefined).toSorted((a, b) => a - b);
}

/** @throws {ActivateError} `STATE` */
export function readBackup(machine: Machine, number: number): Backup | undefined {
  const file = joinTarget(backupDirectory(number), 'backup.json');
  const text = readText(machine, file);
  if (text === undefined) return undefined;
  const { schema: _, ...backup } = parseRecord(text, hostPath(machine.root.path, file), schema);
  return backup;
}

/**
 * Moves something with all that belongs to it: a rename where both are on one filesystem, else a copy, and the source is
 * removed once the copy is complete. Done already is done.
 *
 * @throws {ActivateError} `IO`, EEXIST in the cause where `to` is there
 */
export async function carry({ root }: Machine, from: TargetPath, to: TargetPath): Promise<void> {
  if (readStatus(root, from) === undefined && readStatus(root, to) !== undefined) return;
  try {
    renamePath(root, from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    // Under another name until it is complete: a crash half way leaves nothing that looks whole.
    const partial = joinTarget(parentOf(to), `${nameOf(to)}.partial`);
    removeTree(root, partial);
    await copyTreeWithin(root, from, partial);
    renamePath(root, partial, to);
    removeTree(root, from);
  }
}
