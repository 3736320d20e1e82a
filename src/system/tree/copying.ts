import { fchmodSync, fchownSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import type { TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { forReading, insistOn, openPath, type Root, withDescriptor, withParent } from './rooted';
import { isAbsence, must, type Outcome } from '../syscalls/errno';
import { changeTimesOf, cloneContent, copyRange, open, openAt, unlinkAt } from '../syscalls/files';
import { workingDirectory } from '../syscalls/libc';
import { listAttributes, readAttribute, writeAttribute } from '../syscalls/xattrs';

const CHUNK_BYTES = 1024 * 1024;

/** What a new file is like. Without owner it is this user's, without time it was changed just now. */
export interface FileAttributes {
  /** The twelve permission bits, exactly: the umask takes nothing away. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtimeNs?: bigint;
}

// A file that cannot be completed is removed again. Nobody but its owner may open it before it is complete.

/**
 * Makes a regular file that holds `bytes`. Nothing is synced.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`, errno in the cause: EEXIST where anything is there, ELOOP where a parent is a
 *   symlink.
 */
export function createFile(root: Root, path: TargetPath, attributes: FileAttributes, bytes: Uint8Array): void {
  attempt('create the file', path, () =>
    withNewFile(root, path, (created) => {
      writeAll(created, bytes);
      dress(created, attributes, path);
    }),
  );
}

/** {@link createFile} for content that comes in pieces: only one of them is in memory at a time. */
export function createFileFrom(
  root: Root,
  path: TargetPath,
  attributes: FileAttributes,
  pieces: Iterable<Uint8Array>,
): void {
  attempt('create the file', path, () =>
    withNewFile(root, path, (created) => {
      for (const piece of pieces) writeAll(created, piece);
      dress(created, attributes, path);
    }),
  );
}

/**
 * Makes a regular file with the content of `from`, a file outside the root; symlinks are followed. Nothing is synced.
 *
 * Shares the content where the filesystem can (reflinks). Takes over `user.*` attributes, POSIX ACLs and file capabilities,
 * where the filesystem of `to` has such things; labels of security modules are the machine's own business.
 *
 * @throws {ActivateError} as {@link createFile}; EISDIR or EINVAL where `from` is no regular file, with `from` as path.
 */
export function copyFile(root: Root, from: string, to: TargetPath, attributes: FileAttributes): void {
  copyOpened(root, [() => openAt(workingDirectory, from, forReading), from], to, attributes);
}

/** {@link copyFile} from below the root; no symlink is followed. */
export function copyFileWithin(root: Root, from: TargetPath, to: TargetPath, attributes: FileAttributes): void {
  copyOpened(root, [() => openPath(root, from, forReading | open.noFollow), from], to, attributes);
}

function copyOpened(
  root: Root,
  [openSource, from]: readonly [() => Outcome, string],
  to: TargetPath,
  attributes: FileAttributes,
): void {
  attempt('read the file', from, () =>
    withDescriptor(openSource(), from, (source) => {
      insistOn(['file'], source, from);
      attempt(`copy ${from} to here`, to, () =>
        withNewFile(root, to, (created) => {
          copyContent(source, created);
          dress(created, attributes, to, () => copyExtendedAttributes(source, created, to));
        }),
      );
    }),
  );
}

function withNewFile(root: Root, path: TargetPath, fill: (created: number) => void): void {
  withParent(root, path, (directory, name) => {
    const flags = open.writeOnly | open.create | open.exclusive | open.noFollow;
    withDescriptor(openAt(directory, name, flags, 0o600), path, (created) => {
      try {
        fill(created);
      } catch (error) {
        unlinkAt(directory, name, 'file');
        throw error;
      }
    });
  });
}

function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at, bytes.length - at);
}

/**
 * Each step undoes parts of those before it in another order: a change of owner drops capabilities, setuid and setgid; ACLs
 * rewrite the mode; all of them are changes that renew the time.
 */
function dress(
  created: number,
  { mode, uid, gid, mtimeNs }: FileAttributes,
  path: string,
  extend: () => void = () => undefined,
): void {
  if (uid !== undefined || gid !== undefined) fchownSync(created, uid ?? UNCHANGED, gid ?? UNCHANGED);
  extend();
  fchmodSync(created, mode);
  if (mtimeNs !== undefined) must(changeTimesOf(created, mtimeNs), 'futimens', path);
}

/** What chown(2) takes for "as it is". */
const UNCHANGED = 0xffffffff;

/**
 * All three ways go on where the one before stopped: a clone is all or nothing, the kernel's copy moves both positions, and
 * reading finds the end. Whatever is wrong with the disk shows up in the last one.
 */
function copyContent(from: number, to: number): void {
  if (cloneContent(from, to) === 0) return;
  while (copyRange(from, to, 1024 * CHUNK_BYTES) > 0);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const length = readSync(from, chunk);
    if (length === 0) return;
    writeAll(to, chunk.subarray(0, length));
  }
}

/**
 * Whether two files have the same of those extended attributes that {@link copyFile} takes over; a file that is not there has
 * none.
 */
export function sameAttributes(root: Root, a: TargetPath, b: TargetPath): boolean {
  const [one, other] = [a, b].map((path) => attempt('read the attributes', path, () => readCopied(root, path)));
  return JSON.stringify(one) === JSON.stringify(other);
}

function readCopied(root: Root, path: TargetPath): readonly (readonly [string, string])[] {
  const opened = openPath(root, path, forReading | open.noFollow);
  if (isAbsence(opened)) return [];
  return withDescriptor(opened, path, (file) =>
    must<readonly string[]>(listAttributes(file), 'flistxattr', path)
      .filter((name) => COPIED.test(name))
      .toSorted()
      .map((name) => [name, must<Uint8Array>(readAttribute(file, name), 'fgetxattr', path).toHex()] as const),
  );
}

const COPIED = /^(?:user\..*|security\.capability|system\.posix_acl_access)$/s;

function copyExtendedAttributes(from: number, to: number, path: string): void {
  for (const name of must<readonly string[]>(listAttributes(from), 'flistxattr', path)) {
    if (!COPIED.test(name)) continue;
    const value = must<Uint8Array>(readAttribute(from, name), 'fgetxattr', path);
    const outcome = writeAttribute(to, name, value);
    // Not every filesystem has attributes; the content is what the copy is for.
    if (outcome !== -constants.errno.ENOTSUP) must(outcome, 'fsetxattr', path);
  }
}
