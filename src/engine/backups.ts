import { STATE } from '../core/entry';
import { parseGenerationNumber } from '../core/records/generation';
import { joinTarget, nameOf, parentOf, type TargetPath } from '../core/path';
import { renamePath } from '../system/changing';
import { copyTreeWithin } from '../system/host-files';
import { removeTree } from '../system/removing';
import { errnoOf } from '../system/syscalls/errno';
import { listDirectory, readStatus } from '../system/reading';
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

export function renderBackup(backup: Backup): string {
  return `${JSON.stringify({ schema: 1, ...backup })}\n`;
}

/** The numbers of all backups, ascending. */
export function backupNumbers({ root }: Machine): number[] {
  if (readStatus(root, BACKUPS)?.kind !== 'directory') return [];
  const numbers = listDirectory(root, BACKUPS).map(({ name }) => parseGenerationNumber(name));
  return numbers.filter((number) => number !== undefined).toSorted((a, b) => a - b);
}

/**
 * Brings something to another place with all that belongs to it: a rename where both are on one filesystem, else a copy.
 *
 * What was copied stays where it was until the transition is committed; it is removed then. Whatever is at `from` or at
 * `to` is whole at any moment. Done already is done.
 */
export async function carry({ root }: Machine, from: TargetPath, to: TargetPath): Promise<void> {
  if (readStatus(root, from) === undefined && readStatus(root, to) !== undefined) return;
  try {
    renamePath(root, from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    if (readStatus(root, to) !== undefined) return;
    const partial = partialOf(to);
    removeTree(root, partial);
    await copyTreeWithin(root, from, partial);
    renamePath(root, partial, to);
  }
}

/** Takes back what {@link carry} did from `from` to `to`, all of it or the part that a crash left. */
export function carryBack({ root }: Machine, from: TargetPath, to: TargetPath): void {
  removeTree(root, partialOf(to));
  if (readStatus(root, from) !== undefined) removeTree(root, to);
  else if (readStatus(root, to) !== undefined) renamePath(root, to, from);
}

/** The name of a copy until it is complete. */
function partialOf(to: TargetPath): TargetPath {
  return joinTarget(parentOf(to), `${nameOf(to)}.partial`);
}
