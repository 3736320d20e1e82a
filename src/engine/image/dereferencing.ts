import { posix } from 'node:path';
import type { Item } from '../../core/closure/listing';
import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { isBelow, joinTarget, parentOf, parseTargetPath, type TargetPath } from '../../core/path';
import { followInStore, resolveInRoot } from '../../system/tree/following';
import { hostPath } from '../../core/path';
import { listDirectory, readLinkTexts, readStatus } from '../../system/tree/reading';
import type { Closure } from '../closure/closure';
import type { Machine } from '../state/machine';

/** What a closure is without the store that its links lead into. */
export interface SelfContained {
  readonly items: readonly Item[];
  readonly entries: readonly Entry[];
  readonly sourceOf: (path: TargetPath) => string;
  /** Links that lead to nothing in the store; they stay as they are. */
  readonly dangling: readonly TargetPath[];
}

/**
 * Puts what the links of a NixOS or Guix closure lead to in the place of those links: a file, or a directory with all that is
 * below. Links that lead out of the store stay links.
 *
 * @throws {ActivateError} `CLOSURE` for links that lead back to themselves, and for what is neither file nor directory
 */
export function dereferenceStore({ root }: Machine, closure: Closure): SelfContained {
  const job: Job = { root, closure: closure.name, items: [], sources: new Map(), dangling: [] };
  const entries = new Map(closure.manifest.entries.map((entry) => [entry.path, entry]));
  for (const item of closure.listing.items) {
    const entry = entries.get(item.path);
    if (item.kind === 'directory') job.items.push({ ...item, uid: 0, gid: 0 });
    else if (item.kind === 'symlink' && entry !== undefined)
      entries.set(item.path, dereferenceEntry(job, entry, inRoot(job, closure.sourceOf(item.path))));
  }
  const sourceOf = (path: TargetPath): string => job.sources.get(path) ?? closure.sourceOf(path);
  return { items: job.items, entries: [...entries.values()], sourceOf, dangling: job.dangling };
}

interface Job {
  readonly root: Machine['root'];
  readonly closure: string;
  readonly items: Item[];
  readonly sources: Map<TargetPath, string>;
  readonly dangling: TargetPath[];
}

/** Where a path of the machine that runs this is in the tree at the root; `undefined` for what is not in it. */
function inRoot({ root }: Job, path: string): TargetPath | undefined {
  if (root.path === '/') return parseTargetPath(path);
  return path.startsWith(`${root.path}/`) ? parseTargetPath(path.slice(root.path.length)) : undefined;
}

/** @param place where the closure has the entry's link */
function dereferenceEntry(job: Job, entry: Entry, place: TargetPath | undefined): Entry {
  const { path } = entry;
  if (entry.kind === 'file' && 'source' in entry && entry.source !== undefined) {
    const { source, ...copy } = entry;
    const found = resolveInRoot(job.root, source);
    const sizeBytes = found === undefined ? undefined : addFile(job, path, found, entry);
    if (sizeBytes !== undefined) return { ...copy, sizeBytes, restyled: false };
    throw new ActivateError('CLOSURE', `it is to be copied, and ${source} is no regular file`, {
      path,
      hint: `Mend the link in ${job.closure}, or place it as a link.`,
    });
  }
  if (entry.kind !== 'symlink') return entry;
  // A relative text that is placed as it is means what it says at its place on the machine.
  const isRelative = !entry.linkText.startsWith('/');
  if (isRelative && (entry.place !== 'link' || place === undefined)) return keepLink(job, entry, entry.linkText);
  const link = { path, place: place ?? path, linkText: entry.linkText };
  const made = dereferenceLink(job, link, { top: place === undefined ? path : topOf(place, path), trail: [] });
  if (made.kind === 'symlink') return { ...entry, linkText: made.linkText };
  if (made.kind === 'directory') return { path, place: 'link', kind: 'whole-directory', digest: '' };
  const { mode, uid, gid, sizeBytes } = made;
  return { path, place: 'link', kind: 'file', mode, uid, gid, sizeBytes, digest: '' };
}

/** The directory of the closure that is shown as the root of a path: links within it stay. */
function topOf(place: TargetPath, path: TargetPath): TargetPath {
  const below = path.slice(path.indexOf('/', 1));
  return (place.endsWith(below) ? place.slice(0, -below.length) : parentOf(place)) as TargetPath;
}

function keepLink<Link extends { readonly path: TargetPath }>(job: Job, link: Link, linkText: string): Link {
  job.items.push({ path: link.path, kind: 'symlink', linkText });
  return { ...link, linkText };
}

/** A link: where it goes in the image, where the store has it, and its text. */
interface Link {
  readonly path: TargetPath;
  readonly place: TargetPath;
  readonly linkText: string;
}

/** The tree that is being put in the place of a link: its top in the store, and the directories on the way down to here. */
interface Where {
  readonly top: TargetPath;
  readonly trail: readonly TargetPath[];
}

function dereferenceLink(job: Job, link: Link, where: Where): Item {
  const { path, place, linkText } = link;
  const meant = posix.resolve(parentOf(place), linkText);
  if (meant === where.top || isBelow(meant, where.top)) {
    const text = linkText.startsWith('/') ? posix.relative(parentOf(place), meant) || '.' : linkText;
    return pushLink(job, path, text);
  }
  const led = followInStore(job.root, linkText.startsWith('/') ? linkText : `${parentOf(place)}/${linkText}`);
  switch (led.state) {
    case 'outside':
      return pushLink(job, path, linkText.startsWith(led.path) ? linkText : led.path);
    case 'nowhere':
      job.dangling.push(path);
      return pushLink(job, path, linkText);
    case 'loop':
      throw loop(job, path, linkText);
    case 'found':
      if (where.trail.includes(led.path)) throw loop(job, path, linkText);
      return expand(job, path, led.path, { top: led.path, trail: where.trail });
  }
}

function pushLink(job: Job, path: TargetPath, linkText: string): Item {
  const item = { path, kind: 'symlink', linkText } as const;
  job.items.push(item);
  return item;
}

function loop({ closure }: Job, path: TargetPath, linkText: string): ActivateError {
  return new ActivateError('CLOSURE', `the link leads back to itself (its text is ${linkText})`, {
    path,
    hint: `Mend the link in ${closure}.`,
  });
}

/** More than any system has; links that lead to each other's directories could make any number. */
const MOST_ITEMS = 2_000_000;

/** Puts a file or directory of the store at a path of the image. */
function expand(job: Job, path: TargetPath, from: TargetPath, { top, trail }: Where): Item {
  const sizeBytes = addFile(job, path, from, undefined);
  if (sizeBytes !== undefined) return job.items.at(-1) ?? { path, kind: 'symlink', linkText: from };
  const status = readStatus(job.root, from);
  if (status?.kind !== 'directory' || job.items.length > MOST_ITEMS) {
    const why =
      status?.kind === 'directory'
        ? 'links lead to too many files'
        : `it leads to a ${status?.kind ?? 'path that went away'}`;
    throw new ActivateError('CLOSURE', why, { path, hint: `Mend it in ${job.closure}, or use --keep-links.` });
  }
  const directory = { path, kind: 'directory', mode: status.mode, uid: 0, gid: 0 } as const;
  job.items.push(directory);
  job.sources.set(path, hostPath(job.root.path, from));
  const listed = listDirectory(job.root, from).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const names = listed.map(({ name }) => name);
  const texts = readLinkTexts(job.root, from, names);
  const below = { top, trail: [...trail, from] };
  for (const [index, name] of names.entries()) {
    const here = joinTarget(path, name);
    const place = joinTarget(from, name);
    const linkText = texts[index];
    if (linkText === undefined) expand(job, here, place, below);
    else dereferenceLink(job, { path: here, place, linkText }, below);
  }
  return directory;
}

/** Its size; `undefined`, and nothing added, where there is no regular file. */
function addFile(
  job: Job,
  path: TargetPath,
  from: TargetPath,
  owner: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined,
): number | undefined {
  const status = readStatus(job.root, from);
  if (status?.kind !== 'file') return undefined;
  const { mode, uid, gid } = owner ?? { mode: status.mode, uid: 0, gid: 0 };
  job.items.push({ path, kind: 'file', mode, uid, gid, sizeBytes: status.sizeBytes });
  job.sources.set(path, hostPath(job.root.path, from));
  return status.sizeBytes;
}
