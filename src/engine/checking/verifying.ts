import type { Context } from '../../context';
import { type Entry, STATE } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { sameOwnership } from '../../core/found';
import type { Conflict } from '../../core/plan/decision';
import { hostPath, isBelow, joinTarget, type TargetPath } from '../../core/path';
import { overlayPathOf, type Wrapper, WRAPPERS_LINK } from '../../core/wrapper';
import type { Repair, Verified, Wrong } from '../../core/report/verify-report';
import { digestFile, readLinkText, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot } from '../../system/tree/rooted';
import { carrierPath, isMounted } from '../../core/records/generation';
import { isImage } from '../../core/records/overlay';
import { isCarried } from '../closure/content';
import { driftIn, sinceOf } from './drifting';
import { fillContents } from '../closure/contents';
import { readItems } from '../closure/items';
import { findGeneration } from '../state/generations';
import { type Machine, withMachine } from '../state/machine';
import { prepareTransition, type Prepared } from '../deciding/prepare';
import { repair } from './repairing';
import { mentionTransition } from '../transition/journal';
import { isShown } from '../transition/showing';

/** Holds each managed path, and what the live generation shows there, against the record. Writes nothing, takes no lock. */
export function verify(context: Context): Promise<Verified> {
  return withMachine(context, (machine) => {
    mentionTransition(context, machine);
    const prepared = prepareTransition(context, machine, { kind: 'live' });
    const { from } = prepared;
    const wrong = [
      ...driftIn(machine, prepared),
      ...changedRecords(machine, prepared),
      ...changedImage(machine, from.number),
    ];
    const closure = from.number === 0 ? undefined : findGeneration(machine, from.number)?.closure;
    return {
      generation: from.number,
      ...(closure === undefined ? {} : { closure }),
      paths: from.entries.length + prepared.to.wrappers.length,
      wrong,
      unread: prepared.unread.map(({ path }) => path),
    };
  });
}

/**
 * Puts right what {@link verify} finds, as far as placing it again can, and looks once more.
 *
 * @returns what was put right and what is wrong still; `conflicts` where a policy or the machine forbade it: nothing was
 *   changed then
 */
export async function verifyAndRepair(
  context: Context,
): Promise<{ readonly verified: Verified; readonly conflicts: readonly Conflict[] }> {
  const before = await verify(context);
  if (!before.wrong.some(({ at }) => at === 'path')) return { verified: { ...before, repaired: [] }, conflicts: [] };
  const { outcome } = await repair(context, 'all');
  if (outcome.state === 'refused') return { verified: { ...before, repaired: [] }, conflicts: outcome.conflicts };
  const verified = await verify(context);
  const left = new Set(verified.wrong.map(({ path }) => path));
  const backups = new Map(outcome.state === 'done' ? outcome.backups.map(({ path, number }) => [path, number]) : []);
  const repaired = before.wrong
    .filter(({ path }) => !left.has(path))
    .map((wrong) => repairOf(wrong, backups.get(wrong.path)));
  return { verified: { ...verified, repaired }, conflicts: [] };
}

function repairOf(wrong: Wrong, backup: number | undefined): Repair {
  return backup === undefined ? wrong : { ...wrong, backup };
}

/** What the next mount would show. */
function changedImage(machine: Machine, number: number): Wrong[] {
  const generation = number === 0 ? undefined : findGeneration(machine, number);
  if (generation === undefined || !isImage(generation.carrier)) return [];
  const path = carrierPath(generation);
  const since = sinceOf(machine.root, path, 'mtime');
  if (!isCarried(machine, generation))
    return [{ path, what: `the image of generation ${number} is gone or another`, ...since, at: 'record' }];
  const digest = digestImage(machine, path);
  return digest === undefined || digest === generation.carrier.digest
    ? []
    : [{ path, what: `the image of generation ${number} was changed`, ...since, at: 'record' }];
}

function digestImage({ root }: Machine, path: TargetPath): string | undefined {
  try {
    return digestFile(root, path);
  } catch (error) {
    // Only root may read it; what can be seen of it is as it was.
    if (error instanceof ActivateError && error.code === 'PERMISSION') return undefined;
    throw error;
  }
}

/** What was changed by writing through a link, where nothing kept that from happening. */
function changedRecords({ root }: Machine, { from, to }: Prepared): Wrong[] {
  const { overlay, entries } = from;
  if (overlay === undefined || !(isBelow(overlay, STATE) || isMounted({ overlay }))) return [];
  if (!isShown({ root }, overlay))
    return isMounted({ overlay })
      ? []
      : [{ path: overlay, what: `what generation ${from.number} shows is gone`, at: 'record' }];
  // In memory, links into a store are what they lead to: nothing is recorded of that.
  if (findGeneration({ root }, from.number)?.carrier.kind === 'store') return [];
  const tree = openRoot(hostPath(root.path, overlay));
  const wrong = (path: TargetPath, recorded: TargetPath | undefined, change: string | undefined): Wrong[] => {
    if (change === undefined) return [];
    const what = `the record of generation ${from.number} was changed: ${change}`;
    return [{ path, what, ...sinceOf(tree, recorded ?? path, 'mtime'), at: 'record' }];
  };
  try {
    return [
      ...entries.flatMap((entry) => wrong(entry.path, entry.path, changeIn({ root: tree }, entry))),
      ...to.wrappers.flatMap((wrapper) =>
        wrong(
          joinTarget(WRAPPERS_LINK, wrapper.name),
          overlayPathOf(wrapper),
          changeInWrapper({ root: tree }, wrapper),
        ),
      ),
    ];
  } finally {
    closeRoot(tree);
  }
}

function changeIn(tree: Machine, entry: Entry): string | undefined {
  const { path } = entry;
  if (entry.kind === 'directory') return undefined;
  if (entry.kind === 'whole-directory') return isSameDirectory(tree, entry) ? undefined : 'something in it is another';
  if (entry.kind === 'symlink')
    return readLinkText(tree.root, path) === entry.linkText ? undefined : 'it is another link';
  if ('source' in entry && entry.source !== undefined) return undefined;
  const status = readStatus(tree.root, path);
  if (status?.kind !== 'file') return 'it is no file';
  if (!sameOwnership(status, entry)) return 'it has another mode or owner';
  // Who may not read the records of what not everyone may read has no digest of it.
  const isSame =
    entry.digest === '' || (status.sizeBytes === entry.sizeBytes && digestFile(tree.root, path) === entry.digest);
  return isSame ? undefined : 'its content is another';
}

/** What a wrapper is made from, where the overlay has it. */
function changeInWrapper(tree: Machine, wrapper: Wrapper): string | undefined {
  const path = overlayPathOf(wrapper);
  if (path === undefined) return undefined;
  if (readStatus(tree.root, path)?.kind !== 'file') return 'what it is made from is gone';
  return digestFile(tree.root, path) === wrapper.digest ? undefined : 'what it is made from is another';
}

function isSameDirectory(tree: Machine, entry: Entry & { readonly kind: 'whole-directory' }): boolean {
  try {
    const items = readItems(tree.root, entry.path, tree.root.path, false);
    const hostPathOf = (path: TargetPath): string => hostPath(tree.root.path, path);
    const source = { machine: tree, listing: { closure: '', items }, hostPathOf, known: [] };
    const [again] = fillContents(source, [entry]).entries;
    return again?.kind === 'whole-directory' && again.digest === entry.digest;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'CLOSURE') return false;
    throw error;
  }
}
