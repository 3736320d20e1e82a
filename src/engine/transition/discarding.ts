import type { Context } from '../../context';
import type { Entry } from '../../core/entry';
import { type Found, foundOf } from '../../core/found';
import { joinTarget, type TargetPath } from '../../core/path';
import { type Discarded } from '../../core/plan/step';
import type { Step } from '../../core/plan/step';
import { sameAttributes } from '../../system/tree/copying';
import { digestFile, listDirectory, readLinkText, readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import { keepStray } from '../backups/keeping';
import { readLive } from '../state/generations';
import type { Machine } from '../state/machine';
import { refuseLinkInTheWay } from './expectations';

/** Removes what became a backup as a copy; where it became one by a rename, nothing is left. */
export function discardCopied({ root }: Machine, steps: readonly Step[]): void {
  for (const step of steps) if (step.op === 'save') removeTree(root, step.aside);
}

/**
 * Removes what was put aside and is of no use any more.
 *
 * Somebody may have changed it between the plan and the swap, in a way that does not show by size and time, or put something
 * into a directory: then it is kept, as a backup.
 */
export async function discard(
  context: Context,
  machine: Machine,
  { from, to }: { readonly from: number; readonly to: number },
  discarded: readonly Discarded[],
): Promise<void> {
  const { root } = machine;
  let ours: ReadonlyMap<TargetPath, Entry> | undefined;
  for (const each of discarded) {
    const kind = readStatus(root, each.aside)?.kind;
    if (kind === undefined) refuseLinkInTheWay(root, each.aside);
    if (kind === 'directory') ours ??= oursIn(machine, from);
    const isStrange =
      kind === 'directory' && ours !== undefined ? hasStranger(machine, each, ours) : isEdited(machine, each);
    if (kind !== undefined && (isStrange || kind !== kindOf(each.was)))
      await keepStray(context, machine, { ...each, generation: to });
    else removeTree(root, each.aside);
  }
}

function kindOf(found: Found): string {
  return found.kind === 'special' ? found.what : found.kind;
}

function isEdited({ root }: Machine, { aside, was, source }: Discarded): boolean {
  if (was.kind === 'symlink') return readLinkText(root, aside) !== was.linkText;
  if (was.kind !== 'file' || readStatus(root, aside)?.kind !== 'file') return false;
  if (was.digest !== undefined && was.digest !== '' && digestFile(root, aside) !== was.digest) return true;
  return source !== undefined && !sameAttributes(root, aside, source as TargetPath);
}

function oursIn(machine: Machine, from: number): ReadonlyMap<TargetPath, Entry> {
  const { entries, ledger } = readLive(machine, from);
  const ours = entries.filter(({ path, place }) => place !== 'seed' && ledger.kept.get(path) !== 'unmanaged');
  return new Map(ours.map((entry) => [entry.path, entry]));
}

/** Whether anything in a directory is not what we placed there. */
function hasStranger(
  { root }: Machine,
  { path, aside }: Pick<Discarded, 'path' | 'aside'>,
  ours: ReadonlyMap<TargetPath, Entry>,
): boolean {
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
