import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import { wrapperOwners, type WrapperRule } from '../../core/policy/wrapper-rules';
import { whyNotWrapped } from '../../core/snippet/full-snippet';
import { GENERATIONS } from '../../core/records/generation';
import { additionPathOf, overlayPathOf, sourceOf, type Wrapper } from '../../core/wrapper';
import { resolveInRoot } from '../../system/tree/following';
import { resolveHostPath } from '../../system/host/host-files';
import { digestHostFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import type { Addition } from '../closure/closure';
import type { Elsewhere } from '../closure/content';
import type { Unread } from '../closure/contents';
import type { Machine } from '../state/machine';

/** Where the programs are that a closure's wrappers are made from. */
export interface WrapperPlaces {
  readonly machine: Machine;
  /** The closure's own tree. */
  readonly top: Root;
  /** What carries the closure: nothing can be added to a store or an image. */
  readonly carrier: 'tree' | 'store' | 'image';
  /** Where the closure is in a store, as the running system sees it. */
  readonly storePath: TargetPath | undefined;
  /** Whether the machine's own programs may be wrapped. */
  readonly names: 'machine' | 'closure alone';
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
}

/** The wrappers of a closure, and what its overlay needs for them. */
export interface ReadWrappers {
  readonly wrappers: readonly Wrapper[];
  readonly additions: readonly Addition[];
  readonly unread: readonly Unread[];
}

/**
 * Finds out what each wrapper is made from.
 *
 * @throws {ActivateError} `POLICY` or `CLOSURE`, with the path
 */
export function readWrappers(rules: readonly WrapperRule[], places: WrapperPlaces): ReadWrappers {
  const unread: Unread[] = [];
  const additions: Addition[] = [];
  const wrappers = rules.map((rule): Wrapper => {
    const place = findSource(rule, places);
    refuseOutside(rule, place, places);
    if (places.carrier === 'tree') additions.push(wrapperAddition(rule.name, hostPath(place.root.path, place.path)));
    const wrapper: Wrapper = {
      name: rule.name,
      mode: rule.mode,
      ...wrapperOwners(rule, places),
      ...(rule.capabilities === undefined ? {} : { capabilities: rule.capabilities }),
      sizeBytes: readStatus(place.root, place.path)?.sizeBytes ?? 0,
      digest: digestOrNote(place, unread),
      source: recordedSource(rule, place, places),
    };
    const why = whyNotWrapped(wrapper, `${GENERATIONS}/999999999/tree`);
    if (why !== undefined) throw new ActivateError('POLICY', why, { path: rule.origin, hint: 'Mend it there.' });
    return wrapper;
  });
  return { wrappers, additions, unread };
}

/** The bytes of a wrapper in an overlay: plain, so that nobody gets more rights from there. */
export function wrapperAddition(name: string, path: string): Addition {
  return { path: additionPathOf(name), content: { hostPath: path }, mode: 0o755, uid: 0, gid: 0 };
}

interface Place {
  readonly root: Root;
  /** In the tree at the root, all links followed. */
  readonly path: TargetPath;
}

/** An absolute path is one of the machine's; in a store so is one of the closure's, which may lead to other store paths. */
function findSource({ name, source, origin }: WrapperRule, { machine, top, storePath }: WrapperPlaces): Place {
  const isOwn = !source.startsWith('/');
  const root = isOwn && storePath === undefined ? top : machine.root;
  const path = resolveInRoot(root, isOwn ? joinTarget(storePath ?? ('/' as TargetPath), source) : source);
  const kind = path === undefined ? undefined : readStatus(root, path)?.kind;
  if (path !== undefined && kind === 'file') return { root, path };
  const message =
    kind === undefined
      ? `the source of the wrapper ${name} is not there, in ${isOwn ? 'the closure' : 'the machine'}`
      : `a wrapper is made from a regular file, and this is a ${kind}`;
  throw new ActivateError('CLOSURE', message, {
    path: source,
    hint: `Mend it in ${origin}: an absolute path is one of the machine's, "sw/bin/ping" one of the closure's.`,
  });
}

function refuseOutside({ name, source, origin }: WrapperRule, { root, path }: Place, places: WrapperPlaces): void {
  const { carrier, top } = places;
  const isInStore = /^\/(?:nix|gnu)\/store\//u.test(path);
  if (carrier === 'tree' && places.names === 'closure alone' && root !== top && !isInStore)
    throw new ActivateError('CLOSURE', `the source of the wrapper ${name} is not in the closure`, {
      path: source,
      hint: `A bundle is the same wherever it is made: name a program of the closure in ${origin}, e.g. "bin/ping".`,
    });
  const isCarried = carrier === 'tree' || (carrier === 'image' ? root === top : isInStore);
  if (isCarried) return;
  throw new ActivateError('CLOSURE', `the source of the wrapper ${name} is not in the ${carrier}, as its closure is`, {
    path: source,
    hint: `Name a program of the closure in ${origin}: what the machine has elsewhere may change or go.`,
  });
}

function recordedSource({ name }: WrapperRule, { path }: Place, { carrier }: WrapperPlaces): string {
  if (carrier === 'store') return path;
  return (carrier === 'image' ? path : additionPathOf(name)).slice(1);
}

function digestOrNote({ root, path }: Place, unread: Unread[]): string {
  try {
    return digestHostFile(hostPath(root.path, path));
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'PERMISSION') throw error;
    unread.push({ path, why: error.message });
    return '';
  }
}

/** A generation whose wrappers are to be made again. */
interface Recorded {
  readonly number: number;
  readonly overlay: TargetPath;
  readonly wrappers: readonly Wrapper[];
  readonly elsewhere: Elsewhere;
}

/**
 * Makes sure that the wrappers of a generation that was recorded can be made again.
 *
 * @throws {ActivateError} `REFUSED`
 */
export function refuseLostSources({ root }: Machine, { number, overlay, wrappers, elsewhere }: Recorded): void {
  for (const wrapper of wrappers) {
    const path = readableSource({ root }, wrapper, { overlay, elsewhere });
    if (isSource(path, wrapper)) continue;
    const what = resolveHostPath(path) === undefined ? 'is gone' : 'is not what was recorded';
    throw new ActivateError(
      'REFUSED',
      `generation ${number} cannot be shown: what its wrapper ${wrapper.name} is made from ${what}`,
      { path, hint: 'Switch to its closure again, or to another generation (`activate list`).' },
    );
  }
}

/** Who may not read it takes it to be what was recorded. */
function isSource(path: string, { digest }: Wrapper): boolean {
  if (resolveHostPath(path) === undefined) return false;
  try {
    return digestHostFile(path) === digest;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return true;
    throw error;
  }
}

/** Where the bytes of a wrapper can be read now: what shows them may not be mounted or staged yet. */
export function readableSource(
  { root }: Machine,
  wrapper: Wrapper,
  { overlay, elsewhere }: { readonly overlay: TargetPath; readonly elsewhere: Elsewhere },
): string {
  const inside = overlayPathOf(wrapper);
  const place = inside === undefined ? undefined : elsewhere.get(overlay);
  if (inside === undefined || place === undefined) return hostPath(root.path, sourceOf(wrapper, overlay));
  const addition = place.additions.find(({ path }) => path === inside)?.content;
  return addition !== undefined && 'hostPath' in addition ? addition.hostPath : `${place.hostPath}${inside}`;
}
