import type { Context } from '../context';
import { encodeName } from '../core/bytes';
import { joinTarget, parentOf, type TargetPath } from '../core/path';
import type { Discarded } from '../core/plan/plan';
import type { Step } from '../core/plan/step';
import { makeDirectories } from '../system/changing';
import { createFile } from '../system/copying';
import { listDirectory, readStatus } from '../system/reading';
import { removeTree } from '../system/removing';
import { backupContent, backupDirectory, backupNumbers, carry, renderBackup } from './backups';
import { readLive } from './generations';
import type { Machine } from './machine';

/** Removes what became a backup as a copy; where it became one by a rename, nothing is left. */
export function discardCopied(context: Context, { root }: Machine, steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.op !== 'save') continue;
    try {
      removeTree(root, step.aside);
    } catch (error) {
      context.log.warn('could not remove what is kept as a backup', { path: step.aside, error: String(error) });
    }
  }
}

/**
 * Removes what was put aside and is of no use any more.
 *
 * Somebody may have put something into a directory of ours between the plan and the swap: then the directory is kept,
 * as a backup. What cannot be removed is said, and harms nobody.
 */
export async function discard(
  context: Context,
  machine: Machine,
  from: number,
  discarded: readonly Discarded[],
): Promise<void> {
  for (const { path, aside } of discarded) {
    try {
      if (
        readStatus(machine.root, aside)?.kind === 'directory' &&
        hasStranger(machine, { path, aside }, oursIn(machine, from))
      ) {
        const number = await keep(context, machine, { path, aside });
        context.log.warn('somebody put something into a directory of ours while it was replaced; it is a backup now', {
          path,
          backup: number,
        });
      } else removeTree(machine.root, aside);
    } catch (error) {
      context.log.warn('could not remove what is of no use any more', { path: aside, error: String(error) });
    }
  }
}

function oursIn(machine: Machine, from: number): ReadonlySet<TargetPath> {
  return new Set(readLive(machine, from).entries.map(({ path }) => path));
}

function hasStranger({ root }: Machine, { path, aside }: Discarded, ours: ReadonlySet<TargetPath>): boolean {
  return listDirectory(root, aside).some(({ name }) => {
    const inside = { path: joinTarget(path, name), aside: joinTarget(aside, name) };
    if (!ours.has(inside.path)) return true;
    return readStatus(root, inside.aside)?.kind === 'directory' && hasStranger({ root }, inside, ours);
  });
}

async function keep(context: Context, machine: Machine, { path, aside }: Discarded): Promise<number> {
  const { root } = machine;
  const number = (backupNumbers(machine).at(-1) ?? 0) + 1;
  const directory = backupDirectory(number);
  makeDirectories(root, parentOf(directory), 0o700);
  makeDirectories(root, directory, 0o700);
  const backup = {
    number,
    path,
    reason: 'drifted',
    generation: 0,
    created: new Date(context.now()).toISOString(),
  } as const;
  createFile(root, joinTarget(directory, 'backup.json'), { mode: 0o600 }, encodeName(renderBackup(backup)));
  await carry(machine, aside, backupContent(number));
  removeTree(root, aside);
  return number;
}
