import type { Context } from '../context';
import { type Entry, STATE } from '../core/entry';
import { ActivateError } from '../core/errors';
import { sameOwnership } from '../core/found';
import { hostPath, isBelow, joinTarget, type TargetPath } from '../core/path';
import { overlayPathOf, type Wrapper, WRAPPERS_LINK } from '../core/wrapper';
import type { Verified, Wrong } from '../core/report/verify-report';
import { digestFile, readLinkText, readStatus } from '../system/reading';
import { closeRoot, openRoot } from '../system/rooted';
import { carrierPath, isMounted } from '../core/records/generation';
import { isImage } from '../core/records/overlay';
import { isCarried } from './closure/content';
import { fillContents } from './closure/contents';
import { readItems } from './closure/items';
import { findGeneration } from './generations';
import { type Machine, withMachine } from './machine';
import { prepareTransition, type Prepared } from './prepare';
import { mentionTransition } from './transition/journal';
import { isShown } from './transition/showing';
import { isVisible } from './transition/transition';

/** Holds each managed path, and what the live generation shows there, against the record. Writes nothing, takes no lock. */
export function verify(context: Context): Promise<Verified> {
  return withMachine(context, (machine) => {
    mentionTransition(context, machine);
    const prepared = prepareTransition(context, machine, { kind: 'live' });
    const { from } = prepared;
    const wrong = [
      ...pointerWrong(prepared),
      ...driftIn(prepared),
      ...prepared.wrappers.changes,
      ...changedRecords(machine, prepared),
      ...changedImage(machine, from.number),
    ].map(({ path, what }) => ({ path, what }));
    return {
      generation: from.number,
      paths: from.entries.length + prepared.to.wrappers.length,
      wrong,
      unread: prepared.unread.map(({ path }) => path),
    };
  });
}

function pointerWrong({ state, from }: Prepared): Wrong[] {
  if (from.number === 0 || state.pointer === from.overlay) return [];
  const what = state.pointer === undefined ? 'there is no pointer' : `the pointer shows ${state.pointer}`;
  return [{ path: '/run/filesystem-overlay' as TargetPath, what }];
}

function driftIn({ decisions, conflicts, from }: Prepared): Wrong[] {
  const { kept } = from.ledger;
  const drifted = decisions.filter(
    (decision) => isVisible(decision) || (decision.action === 'keep' && !kept.has(decision.path)),
  );
  const paths = new Set(
    [...drifted, ...conflicts.filter(({ reason }) => reason !== 'blocked')].map(({ path }) => path),
  );
  return [...paths].map((path) => ({ path, what: 'it is not what was placed' }));
}

/** What the next mount would show. */
function changedImage(machine: Machine, number: number): Wrong[] {
  const generation = number === 0 ? undefined : findGeneration(machine, number);
  if (generation === undefined || !isImage(generation.carrier)) return [];
  const path = carrierPath(generation);
  if (!isCarried(machine, generation)) return [{ path, what: `the image of generation ${number} is gone or another` }];
  const digest = digestImage(machine, path);
  return digest === undefined || digest === generation.carrier.digest
    ? []
    : [{ path, what: `the image of generation ${number} was changed` }];
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
    return [
      {
        path: overlay,
        what: `what generation ${from.number} shows is ${isMounted({ overlay }) ? 'not mounted' : 'gone'}`,
      },
    ];
  // In memory, links into a store are what they lead to: nothing is recorded of that.
  if (findGeneration({ root }, from.number)?.carrier.kind === 'store') return [];
  const tree = openRoot(hostPath(root.path, overlay));
  const wrong = (path: TargetPath, what: string | undefined): Wrong[] =>
    what === undefined ? [] : [{ path, what: `the record of generation ${from.number} was changed: ${what}` }];
  try {
    return [
      ...entries.flatMap((entry) => wrong(entry.path, changeIn({ root: tree }, entry))),
      ...to.wrappers.flatMap((wrapper) =>
        wrong(joinTarget(WRAPPERS_LINK, wrapper.name), changeInWrapper({ root: tree }, wrapper)),
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
