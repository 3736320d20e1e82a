import type { Context } from '../../context';
import { parentOf, type TargetPath } from '../../core/path';
import {
  type Backup,
  backupContent,
  backupDirectory,
  backupRecord,
  parseBackup,
  renderBackup,
} from '../../core/records/backup';
import { makeDirectories } from '../../system/tree/changing';
import { readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import type { Machine } from '../state/machine';
import { readSealed, writeSealed } from '../state/records';
import { backupNumbers, carry } from './storing';

/** Something that was put aside, where it was, and the generation that is or was to be in its place. */
export interface Stray {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  readonly generation: number;
}

/** Makes a backup of something that nobody knew of when the transition was planned. */
export async function keepStray(context: Context, machine: Machine, stray: Stray): Promise<void> {
  const backup = await keepAside(context, machine, { ...stray, reason: 'drifted' });
  context.log.warn('somebody changed this in the middle of the transition; the change is a backup now', {
    path: stray.path,
    backup,
  });
}

/** Makes a backup of something that was put aside, and returns its number. */
export async function keepAside(
  context: Context,
  machine: Machine,
  { path, aside, generation, reason }: Stray & Pick<Backup, 'reason'>,
): Promise<number> {
  const { root } = machine;
  const number = (backupNumbers(machine).at(-1) ?? 0) + 1;
  const directory = backupDirectory(number);
  makeDirectories(root, parentOf(directory), 0o700);
  makeDirectories(root, directory, 0o700);
  const created = new Date(context.now()).toISOString();
  const record = renderBackup({ number, path, reason, generation, created });
  // No journal knows of it: what a power cut leaves has to be whole.
  writeSealed(root, backupRecord(number), [record], 0o600);
  await carry(machine, aside, backupContent(number));
  removeTree(root, aside);
  return number;
}

/** The backup that {@link keepAside} made before a crash, of something that is not aside any more. */
export function keptBefore(
  machine: Machine,
  { path, generation, reason }: Pick<Backup, 'path' | 'generation' | 'reason'>,
): number | undefined {
  return backupNumbers(machine).findLast((number) => {
    const backup = readSealed(machine, backupRecord(number), parseBackup);
    const isSame = backup?.path === path && backup.generation === generation && backup.reason === reason;
    return isSame && readStatus(machine.root, backupContent(number)) !== undefined;
  });
}
