import type { DirectoryObject, Entry, Ownership, SymlinkObject } from '../entry';
import type { Item } from '../closure/listing';
import { ancestorsOf, comparePaths, parentOf, type TargetPath } from '../path';

/** What an image has at one path; `/` itself, which is root's and 0755, is none. */
export type ImageNode = { readonly path: TargetPath } & (ImageFile | ImageDirectory | ImageLink);

export interface ImageLink extends SymlinkObject {
  /** Where it comes from. */
  readonly hostPath: string;
}

export interface ImageFile extends Ownership {
  readonly kind: 'file';
  readonly sizeBytes: number;
  readonly content: FileContent;
}

export interface ImageDirectory extends DirectoryObject {
  /** Where its extended attributes are read; it has none without. */
  readonly hostPath?: string;
}

/** Where the bytes of a file come from. */
export type FileContent = { readonly bytes: Uint8Array } | { readonly hostPath: string };

/** What an image is made of. */
export interface Ingredients {
  readonly items: readonly Item[];
  readonly entries: readonly Entry[];
  /** Where the machine that makes the image has what is at a path. */
  readonly sourceOf: (path: TargetPath) => string;
  /** Files besides the items; they win. */
  readonly additions: readonly (Ownership & { readonly path: TargetPath; readonly content: FileContent })[];
}

/**
 * Everything that an image has, sorted by path.
 *
 * Owners and modes are those of the entries where there are any: what is copied or made from the image then is right
 * already. Directories that lead to a root and are in no closure are root's and 0755.
 */
export function imageNodes({ items, entries, sourceOf, additions }: Ingredients): ImageNode[] {
  const owners = new Map<TargetPath, Ownership>();
  for (const entry of entries) if (entry.kind === 'file' || entry.kind === 'directory') owners.set(entry.path, entry);
  const nodes = new Map<TargetPath, ImageNode>();
  for (const item of items) nodes.set(item.path, nodeOf(item, owners.get(item.path) ?? item, sourceOf));
  for (const { path, content, mode, uid, gid } of additions)
    nodes.set(path, { path, kind: 'file', mode, uid, gid, sizeBytes: 0, content });
  const above = new Set([...nodes.keys()].flatMap((path) => (nodes.has(parentOf(path)) ? [] : ancestorsOf(path))));
  for (const path of above)
    if (path !== '/' && !nodes.has(path)) nodes.set(path, { path, kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
  return [...nodes.values()].toSorted((a, b) => comparePaths(a.path, b.path));
}

function nodeOf(item: Item, owner: Item | Ownership, sourceOf: Ingredients['sourceOf']): ImageNode {
  const { path } = item;
  if (item.kind === 'symlink') return { path, kind: 'symlink', linkText: item.linkText, hostPath: sourceOf(path) };
  const { mode, uid, gid } = 'mode' in owner ? owner : item;
  const hostPath = sourceOf(path);
  if (item.kind === 'directory') return { path, kind: 'directory', mode, uid, gid, hostPath };
  return { path, kind: 'file', mode, uid, gid, sizeBytes: item.sizeBytes, content: { hostPath } };
}

/** Whether there is anything that not everybody may read, so that the image itself must not be readable either. */
export function isPrivate(nodes: readonly ImageNode[]): boolean {
  return nodes.some((node) => {
    if (node.kind === 'symlink') return false;
    const needed = node.kind === 'directory' ? 0o005 : 0o004;
    return (node.mode & needed) !== needed;
  });
}
