import type { TargetPath } from './path';

/** Who owns a file or directory, and what they may do: `mode` is the twelve permission bits, e.g. `0o644`. */
export interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Whether others than the owner may make, rename and remove names in a directory; the group of root is no other. */
export function isShared({ mode, gid }: Ownership): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}

/** What a regular file holds: its size and the SHA-256 of its bytes in hexadecimal. */
export interface Content {
  readonly sizeBytes: number;
  readonly digest: string;
}

/** A link as the closure has it; the text is stored verbatim and never resolved. */
export interface SymlinkObject {
  readonly kind: 'symlink';
  readonly linkText: string;
}

export interface FileObject extends Ownership, Content {
  readonly kind: 'file';
}

export interface DirectoryObject extends Ownership {
  readonly kind: 'directory';
}

/** A directory that is shown as a whole, through one link; the digest is over all that is in it. */
export interface WholeDirectoryObject {
  readonly kind: 'whole-directory';
  readonly digest: string;
}

/** The path becomes a link through the pointer; what it shows changes with the pointer. */
export type LinkEntry = { readonly path: TargetPath; readonly place: 'link' } & (
  | SymlinkObject
  | FileObject
  | WholeDirectoryObject
);

/** The path becomes a link with the closure's own text. */
export type DirectEntry = { readonly path: TargetPath; readonly place: 'direct' } & SymlinkObject;

/** The path becomes a real file equal to the closure's. */
export type CopyEntry = { readonly path: TargetPath; readonly place: 'copy' } & FileObject & Sourced;

/** The path is made once, if nothing is there, and is the machine's own from then on. */
export type SeedEntry = { readonly path: TargetPath; readonly place: 'seed' } & (
  | (FileObject & Sourced)
  | SymlinkObject
);

/** The path becomes a directory. `named` says that the policy insists on its mode and owner. */
export type DirectoryEntry = {
  readonly path: TargetPath;
  readonly place: 'directory';
  readonly named: boolean;
} & DirectoryObject;

/** What a copy is made from. */
export interface Sourced {
  /** Where the closure keeps the bytes, when that is elsewhere: a store path. */
  readonly source?: string;
  /** Whether the source has another mode or owner than the copy gets. */
  readonly restyled: boolean;
}

/** What one path must be, with its placement. `place` and `kind` decide which fields exist. */
export type Entry = LinkEntry | DirectEntry | CopyEntry | SeedEntry | DirectoryEntry;

export type Placement = Entry['place'];

/** The pointer: a link to the tree that shows the live generation. */
export const POINTER = '/run/filesystem-overlay' as TargetPath;

/** The directory of everything that `activate` records. */
export const STATE = '/var/lib/activate' as TargetPath;

/** What came out of three-way merges, until it is in its place. */
export const MERGED = '/var/lib/activate/merged' as TargetPath;

/** The text of the link that shows `path` of the live generation. */
export function overlayLinkText(path: TargetPath): string {
  return POINTER + path;
}
