import { encodeName } from '../../core/bytes';
import { parseGenerationNumber } from '../../core/records/generation';
import { BACKUPS } from '../../core/records/backup';
import { joinTarget, nameOf, parentOf, type TargetPath } from '../../core/path';
import { makeDirectory, renamePath, syncFilesystem } from '../../system/tree/changing';
import { copyTreeInto, digestBytes } from '../../system/host/host-files';
import { removeTree } from '../../system/tree/removing';
import { errnoOf } from '../../system/syscalls/errno';
import { listDirectory, readStatus } from '../../system/tree/reading';
import { heldDescriptors, type Machine } from '../state/machine';

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
export async function carry(machine: Machine, from: TargetPath, to: TargetPath): Promise<void> {
  const { root } = machine;
  removeTree(root, partialOf(to));
  if (readStatus(root, from) === undefined && readStatus(root, to) !== undefined) return;
  try {
    renamePath(root, from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    if (readStatus(root, to) !== undefined) return;
    await carryAcross(machine, from, to);
  }
}

/** What could not be copied as a whole leaves nothing: the space may be needed. */
async function carryAcross(machine: Machine, from: TargetPath, to: TargetPath): Promise<void> {
  const { root } = machine;
  const partial = partialOf(to);
  removeTree(root, partial);
  makeDirectory(root, partial, 0o700);
  try {
    await copyTreeInto(root, from, partial, heldDescriptors(machine));
    // With its name it counts as complete: what is in it must not be lost before that.
    syncFilesystem(root, partial);
    renamePath(root, joinTarget(partial, 'content'), to);
  } finally {
    removeTree(root, partial);
  }
}

/** Takes back what {@link carry} did from `from` to `to`, all of it or the part that a crash left. */
export function carryBack({ root }: Machine, from: TargetPath, to: TargetPath): void {
  removeTree(root, partialOf(to));
  if (readStatus(root, from) !== undefined) removeTree(root, to);
  else if (readStatus(root, to) !== undefined) renamePath(root, to, from);
}

/** The name of a copy until it is complete; a long one leaves no room for more. */
function partialOf(to: TargetPath): TargetPath {
  const name = encodeName(nameOf(to));
  const suffix = '.partial';
  const isShort = name.length + suffix.length <= LONGEST_NAME_BYTES;
  return joinTarget(parentOf(to), `${isShort ? nameOf(to) : digestBytes(name)}${suffix}`);
}

const LONGEST_NAME_BYTES = 255;
