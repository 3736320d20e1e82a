import type { Context } from '../../context';
import { parentOf, type TargetPath } from '../../core/path';
import { backupContent, backupDirectory, backupRecord, renderBackup } from '../../core/records/backup';
import { makeDirectories } from '../../system/changing';
import { removeTree } from '../../system/removing';
import type { Machine } from '../machine';
import { createSealed } from '../records';
import { backupNumbers, carry } from './storing';

/** Something that was put aside, where it was, and the generation that is or was to be in its place. */
export interface Stray {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  readonly generation: number;
}

/** Makes a backup of something that nobody knew of when the transition was planned. */
export async function keepStray(context: Context, machine: Machine, { path, aside, generation }: Stray): Promise<void> {
  const { root } = machine;
  const number = (backupNumbers(machine).at(-1) ?? 0) + 1;
  const directory = backupDirectory(number);
  makeDirectories(root, parentOf(directory), 0o700);
  makeDirectories(root, directory, 0o700);
  const created = new Date(context.now()).toISOString();
  const record = renderBackup({ number, path, reason: 'drifted', generation, created });
  createSealed(root, backupRecord(number), [record], 0o600);
  await carry(machine, aside, backupContent(number));
  removeTree(root, aside);
  context.log.warn('somebody changed this in the middle of the transition; the change is a backup now', {
    path,
    backup: number,
  });
}
