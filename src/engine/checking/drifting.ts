import { type Entry, POINTER } from '../../core/entry';
import { differenceOf, type Found, foundOf } from '../../core/found';
import type { TargetPath } from '../../core/path';
import type { Conflict, Decision } from '../../core/plan/decision';
import { isMounted } from '../../core/records/generation';
import type { Wrong } from '../../core/report/verify-report';
import { readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import type { Machine } from '../state/machine';
import type { Prepared } from '../deciding/prepare';
import { isShown } from '../transition/showing';
import { isVisible } from '../transition/transition';

/** What placing it again would put right: the pointer, the mount, each path that is not what was placed, and the wrappers. */
export function driftIn({ root }: Machine, prepared: Prepared): Wrong[] {
  return [
    ...pointerWrong(root, prepared),
    ...notMounted(root, prepared),
    ...driftedPaths(root, prepared),
    ...prepared.wrappers.changes.map(({ path, what }) => ({ path, what, at: 'path' }) as const),
  ];
}

function pointerWrong(root: Root, { state, from }: Prepared): Wrong[] {
  if (from.number === 0 || state.pointer === from.overlay) return [];
  const what = state.pointer === undefined ? 'there is no pointer' : `the pointer shows ${state.pointer}`;
  return [{ path: POINTER, what, ...sinceOf(root, POINTER, 'mtime'), at: 'path' }];
}

function notMounted(root: Root, { from: { overlay, number } }: Prepared): Wrong[] {
  if (overlay === undefined || !isMounted({ overlay }) || isShown({ root }, overlay)) return [];
  return [{ path: overlay, what: `what generation ${number} shows is not mounted`, at: 'path' }];
}

function driftedPaths(root: Root, { decisions, conflicts, from }: Prepared): Wrong[] {
  const { kept } = from.ledger;
  const drifted = decisions.filter(
    (decision) => isVisible(decision) || (decision.action === 'keep' && !kept.has(decision.path)),
  );
  const seen = new Map<TargetPath, Decision | Conflict>();
  for (const each of [...drifted, ...conflicts.filter(({ reason }) => reason !== 'blocked')])
    if (!seen.has(each.path)) seen.set(each.path, each);
  if (seen.size === 0) return [];
  const recorded = new Map(from.entries.map((entry) => [entry.path, entry]));
  return [...seen.values()].map((each) => wrongAt(root, each, recorded.get(each.path)));
}

function wrongAt(root: Root, each: Decision | Conflict, entry: Entry | undefined): Wrong {
  const { path } = each;
  if (entry === undefined) return { path, what: 'it is not what was placed', at: 'path' };
  const { what, since } = differenceOf(foundBy(each), foundOf(entry));
  return { path, what, ...sinceOf(root, path, since), at: 'path' };
}

function foundBy(each: Decision | Conflict): Found | undefined {
  if ('action' in each && each.action === 'own') return { kind: 'directory', ...each.before };
  return 'found' in each ? each.found : undefined;
}

/** Since when something has been there as it is. */
export function sinceOf(
  root: Root,
  path: TargetPath,
  clock: 'mtime' | 'ctime' | undefined,
): { readonly since?: string } {
  const status = clock === undefined ? undefined : readStatus(root, path);
  if (status === undefined) return {};
  const nanoseconds = clock === 'mtime' ? status.mtimeNs : status.ctimeNs;
  const time = new Date(Number(nanoseconds / 1_000_000n));
  // A time that somebody made up may be none.
  return Number.isNaN(time.getTime()) ? {} : { since: time.toISOString() };
}
