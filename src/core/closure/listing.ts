import { type Ownership, POINTER, type SymlinkObject } from '../entry';
import { ActivateError } from '../errors';
import type { ClosureFormat } from '../records/manifest';
import { isBelow, nameOf, parentOf, type TargetPath } from '../path';

/** One thing that a closure holds; `path` is where it would be on the machine. */
export type Item = { readonly path: TargetPath } & (
  | SymlinkObject
  /** `text` is read for NixOS sidecars alone. */
  | (Ownership & { readonly kind: 'file'; readonly sizeBytes: number; readonly text?: string })
  | (Ownership & { readonly kind: 'directory' })
);

/** All that a closure holds below its roots, a directory right before what is in it. */
export interface Listing {
  /** The closure as the user named it, for messages. */
  readonly closure: string;
  readonly items: readonly Item[];
}

/** What is known of a closure's surroundings when its format is guessed. */
export interface Hints {
  /** The store that holds the closure, e.g. `/nix/store`. */
  readonly store: string | undefined;
  /** Names at the closure's top. */
  readonly names: ReadonlySet<string>;
}

const SIDECAR = /^(.+)\.(?:mode|uid|gid)$/su;

/** Whether a name may be a NixOS sidecar: `NAME.mode`, `NAME.uid` or `NAME.gid`. */
export function isSidecarName(name: string): boolean {
  return SIDECAR.test(name);
}

/** The format of a closure, from what it looks like. */
export function detectFormat(listing: Listing, hints: Hints): ClosureFormat {
  if (hints.store === '/gnu/store' || ['profile', 'parameters'].every((name) => hints.names.has(name))) return 'guix';
  if (hints.store !== '/nix/store') return 'tree';
  const described = new Set(
    listing.items.map((item) => (item.kind === 'file' ? SIDECAR.exec(item.path)?.[1] : undefined)),
  );
  const links = new Set(
    listing.items.filter((item) => item.kind === 'symlink' && described.has(item.path)).map(({ path }) => path),
  );
  return described.values().every((path) => path === undefined || links.has(path as TargetPath)) &&
    !hasOtherFiles(listing)
    ? 'nixos'
    : 'tree';
}

function hasOtherFiles(listing: Listing): boolean {
  return listing.items.some((item) => item.kind === 'file' && !SIDECAR.test(item.path));
}

/**
 * Refuses links that lead back to themselves once the closure is shown.
 *
 * Only links within the closure are followed; where the way leaves it, what is there is not ours to judge.
 *
 * @throws {ActivateError} `CLOSURE`
 */
export function refuseLoops(listing: Listing): void {
  const tops = new Set(listing.items.map((item) => topOf(item.path)));
  let items: Map<TargetPath, Item> | undefined;
  for (const item of listing.items) {
    if (item.kind !== 'symlink') continue;
    const text = withoutPointer(item.linkText);
    if (text.startsWith('/') && !tops.has(topOf(text))) continue;
    items ??= new Map(listing.items.map((each) => [each.path, each]));
    if (!isLoop(item.path, items)) continue;
    throw new ActivateError('CLOSURE', `the link leads back to itself (its text is ${item.linkText})`, {
      path: item.path,
      hint: `Mend the link in ${listing.closure}.`,
    });
  }
}

/** Through the pointer the closure sees itself: the /etc of a machine that shows a generation is full of such links. */
function withoutPointer(linkText: string): string {
  return linkText.startsWith(`${POINTER}/`) ? linkText.slice(POINTER.length) : linkText;
}

/** The first component of an absolute path. */
function topOf(path: string): string {
  const end = path.indexOf('/', 1);
  return path.slice(1, end < 0 ? undefined : end);
}

const MOST_LINKS = 40;

/** Follows a link as the kernel would, with the closure's own links alone. */
function isLoop(start: TargetPath, items: ReadonlyMap<TargetPath, Item>): boolean {
  const pending = start.split('/').filter(Boolean).toReversed();
  let at = '/' as TargetPath;
  for (let links = 0; pending.length > 0;) {
    const name = pending.pop() ?? '';
    if (name === '..') {
      at = parentOf(at);
      continue;
    }
    const here = (at === '/' ? `/${name}` : `${at}/${name}`) as TargetPath;
    const item = items.get(here);
    if (item?.kind !== 'symlink') {
      at = here;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return true;
    const text = withoutPointer(item.linkText);
    if (text.startsWith('/')) at = '/' as TargetPath;
    pending.push(
      ...text
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .toReversed(),
    );
  }
  return false;
}

/** The sidecars of a NixOS closure: for each entry with any, what they say. */
export function readSidecars(listing: Listing): Map<string, { mode?: string; uid?: string; gid?: string }> {
  const sidecars = new Map<string, Record<string, string>>();
  for (const item of listing.items) {
    if (item.kind !== 'file' || item.text === undefined) continue;
    const entry = SIDECAR.exec(item.path)?.[1];
    if (entry === undefined) continue;
    const known = sidecars.get(entry) ?? {};
    known[nameOf(item.path).slice(nameOf(entry).length + 1)] = item.text.trim();
    sidecars.set(entry, known);
  }
  return sidecars;
}

/** The items strictly below a directory. */
export function itemsBelow(listing: Listing, directory: TargetPath): Item[] {
  return listing.items.filter((item) => isBelow(item.path, directory));
}
