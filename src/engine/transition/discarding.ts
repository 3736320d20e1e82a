import type { Context } from '../../context';
import { encodeName } from '../../core/bytes';
import type { Entry } from '../../core/entry';
import { foundOf } from '../../core/found';
import { joinTarget, parentOf, type TargetPath } from '../../core/path';
import type { Discarded } from '../../core/plan/plan';
import type { Step } from '../../core/plan/step';
import { makeDirectories } from '../../system/changing';
import { createFile } from '../../system/copying';
import { digestFile, listDirectory, readLinkText, readStatus } from '../../system/reading';
import { removeTree } from '../../system/removing';
import { backupContent, backupDirectory, backupRecord, renderBackup } from '../../core/records/backup';
import { backupNumbers, carry } from '../backups/storing';
import { readLive } from '../generations';
import type { Machine } from '../machine';

/** Removes what became a backup as a copy; where it became one by a rename, nothing is left. */
export function discardCopied({ root }: Machine, steps: readonly Step[]): void {
  for (const step of steps) if (step.op === 'save') removeTree(root, step.aside);
}

/**
 * Removes what was put aside and is of no use any more.
 *
 * Somebody may have put something into a directory of ours between the plan and the swap: then the directory is kept,
 * as a backup.
 */
export async function discard(
  context: Context,
  machine: Machine,
  { from, to }: { readonly from: number; readonly to: number },
  discarded: readonly Discarded[],
): Promise<void> {
  let ours: ReadonlyMap<TargetPath, Entry> | undefined;
  for (const { path, aside } of discarded) {
    const isDirectory = readStatus(machine.root, aside)?.kind === 'directory';
    if (isDirectory) ours ??= oursIn(machine, from);
    if (ours !== undefined && isDirectory && hasStranger(machine, { path, aside }, ours)) {
      const number = await keep(context, machine, { path, aside, to });
      context.log.warn('somebody put something into a directory of ours while it was replaced; it is a backup now', {
        path,
        backup: number,
      });
    } else removeTree(machine.root, aside);
  }
}

function oursIn(machine: Machine, from: number): ReadonlyMap<TargetPath, Entry> {
  const { entries, ledger } = readLive(machine, from);
  const ours = entries.filter(({ path, place }) => place !== 'seed' && ledger.kept.get(path) !== 'unmanaged');
  return new Map(ours.map((entry) => [entry.path, entry]));
}

/** Whether anything in a directory is not what we placed there. */
function hasStranger({ root }: Machine, { path, aside }: Discarded, ours: ReadonlyMap<TargetPath, Entry>): boolean {
  return listDirectory(root, aside).some(({ name }) => {
    const inside = { path: joinTarget(path, name), aside: joinTarget(aside, name) };
    const entry = ours.get(inside.path);
    if (entry === undefined) return true;
    const wanted = foundOf(entry);
    if (wanted.kind === 'symlink') return readLinkText(root, inside.aside) !== wanted.linkText;
    const kind = readStatus(root, inside.aside)?.kind;
    if (kind !== wanted.kind) return true;
    if (wanted.kind === 'directory') return hasStranger({ root }, inside, ours);
    return wanted.kind === 'file' && digestFile(root, inside.aside) !== wanted.digest;
  });
}

async function keep(
  context: Context,
  machine: Machine,
  { path, aside, to }: Discarded & { readonly to: number },
): Promise<number> {
  const { root } = machine;
  const number = (backupNumbers(machine).at(-1) ?? 0) + 1;
  const directory = backupDirectory(number);
  makeDirectories(root, parentOf(directory), 0o700);
  makeDirectories(root, directory, 0o700);
  const backup = {
    number,
    path,
    reason: 'drifted',
    generation: to,
    created: new Date(context.now()).toISOString(),
  } as const;
  createFile(root, backupRecord(number), { mode: 0o600 }, encodeName(renderBackup(backup)));
  await carry(machine, aside, backupContent(number));
  removeTree(root, aside);
  return number;
}
