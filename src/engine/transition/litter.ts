import type { Context } from '../../context';
import { STATE } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { joinTarget, type TargetPath } from '../../core/path';
import { generationDirectory, GENERATIONS, parseGenerationNumber } from '../../core/records/generation';
import { NEW_WRAPPERS_LINK } from '../../core/wrapper';
import { isUnfinishedRecord } from '../../system/tree/records';
import { listDirectory, readStatus } from '../../system/tree/reading';
import { removeFile } from '../../system/tree/changing';
import type { Machine } from '../state/machine';
import { dropMarks } from './journal';
import { NEW_POINTER } from './perform';
import { dropPartial, NEW_ROLE } from './stage';

/**
 * Removes what a crash can leave without a journal that knows of it: names that nobody refers to, each of them only ever
 * half of a rename. Nothing else has such a name.
 */
export function sweepIfPossible(context: Context, machine: Machine): void {
  try {
    sweep(machine);
  } catch (error) {
    if (!(error instanceof ActivateError)) throw error;
    context.log.warn(`could not remove what a crash left: ${error.message}`, { path: error.path });
  }
}

/** {@link sweepIfPossible}, for whoever wants to know that it was not. */
export function sweep(machine: Machine): void {
  const { root } = machine;
  const namesIn = (directory: TargetPath): string[] =>
    readStatus(root, directory)?.kind === 'directory' ? listDirectory(root, directory).map(({ name }) => name) : [];
  const generations = namesIn(GENERATIONS);
  for (const name of generations) dropPartial(machine, name);
  const numbers = generations.map(parseGenerationNumber).filter((number) => number !== undefined);
  const records = [STATE, ...numbers.map(generationDirectory)].flatMap((directory) =>
    namesIn(directory)
      .filter(isUnfinishedRecord)
      .map((name) => joinTarget(directory, name)),
  );
  dropMarks(machine);
  for (const path of [NEW_POINTER, NEW_ROLE, NEW_WRAPPERS_LINK, ...records])
    if (readStatus(root, path) !== undefined) removeFile(root, path);
}
