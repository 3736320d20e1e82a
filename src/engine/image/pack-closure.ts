import type { Context } from '../../context';
import type { Entry } from '../../core/entry';
import { finishedEntries } from '../../core/image/finished';
import { imageNodes } from '../../core/image/node';
import type { Manifest } from '../../core/records/manifest';
import type { Image, ImageKind } from '../../core/records/overlay';
import type { TargetPath } from '../../core/path';
import { ActivateError } from '../../core/errors';
import { overlayPathOf } from '../../core/wrapper';
import { displayName } from '../../core/report/text/display';
import { digestBytes } from '../../system/host/host-files';
import { tidy } from '../../system/host/memory';
import type { Root } from '../../system/tree/rooted';
import type { Closure } from '../closure/closure';
import { fillContents } from '../closure/contents';
import type { Machine } from '../state/machine';
import { dereferenceStore, type SelfContained } from './dereferencing';
import { makeImage } from './image';
import type { Packed } from './packing';

export interface Order {
  /** Read without contents. */
  readonly closure: Closure;
  readonly kind: ImageKind;
  /** Where the image is made. */
  readonly directory: Root;
  readonly storeLinks: 'keep' | 'dereference';
}

/**
 * Makes an image of a closure, and the manifest of what is in it.
 *
 * @throws {ActivateError} `CLOSURE`, `IO`, `PERMISSION`, `REFUSED`
 */
export async function packClosure(
  context: Context,
  machine: Machine,
  { closure, kind, directory, storeLinks }: Order,
): Promise<{ manifest: Manifest; image: Image }> {
  const isStoreless = closure.manifest.format === 'tree' || storeLinks === 'keep';
  const { items, entries, sourceOf, dangling } = isStoreless
    ? asItIs(machine, closure)
    : dereferenceStore(machine, closure);
  const nodes = imageNodes({ items, entries, sourceOf, additions: closure.additions });
  tidy(nodes.length);
  const { image, packed } = await makeImage(context, { kind, closure: closure.name, nodes, directory });
  warnOf(context, 'leads to nothing in the store, and stays a link', dangling);
  warnOf(context, `has an ACL, which ${kind} cannot hold; its group may do what it may without`, packed.withoutAcl);
  const finished = finishedEntries(entries, items, { ...packed, digestOf });
  refuseOtherPrograms(closure, packed);
  return { manifest: { ...closure.manifest, entries: finished }, image };
}

/** What wrappers are made from was read before. */
function refuseOtherPrograms({ manifest }: Closure, { contents }: Packed): void {
  for (const wrapper of manifest.wrappers ?? []) {
    const path = overlayPathOf(wrapper);
    if (path === undefined || contents.get(path)?.digest === wrapper.digest) continue;
    throw new ActivateError('IO', 'the closure changed while it was being read', {
      path,
      hint: 'Wait until it is complete, and try again.',
    });
  }
}

function digestOf(text: string): string {
  return digestBytes(new TextEncoder().encode(text));
}

/** A tree, or links that travel with their store: owners in a store are no part of it. */
function asItIs(machine: Machine, closure: Closure): SelfContained {
  const { listing, manifest, sourceOf } = closure;
  const isTree = manifest.format === 'tree';
  const items = isTree
    ? listing.items
    : listing.items.map((item) => (item.kind === 'symlink' ? item : { ...item, uid: 0, gid: 0 }));
  const fromStore = manifest.entries.filter(hasSource);
  const { entries: filled } = fillContents({ machine, listing, hostPathOf: sourceOf, known: [] }, fromStore);
  const sourced = new Map(filled.map((entry) => [entry.path, entry]));
  const entries = manifest.entries.map((entry) => sourced.get(entry.path) ?? entry);
  return { items, entries, sourceOf, dangling: [] };
}

function hasSource(entry: Entry): boolean {
  return 'source' in entry && entry.source !== undefined;
}

function warnOf({ log }: Context, what: string, paths: readonly TargetPath[]): void {
  const [first] = paths;
  if (first === undefined) return;
  const others = paths.length === 1 ? '' : ` (and so it is with ${paths.length - 1} more)`;
  log.warn(`${displayName(first)} ${what}${others}`);
}
