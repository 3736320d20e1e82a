import { fchmodSync, fchownSync } from 'node:fs';
import { constants } from 'node:os';
import { ancestorsOf, nameOf, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { forReading, insistOn, openPath, type Root, withDescriptor, withParent } from './rooted';
import { must, type Outcome, systemCallError } from '../syscalls/errno';
import {
  changeOwnerAt,
  changeTimesAt,
  makeDirectoryAt,
  open,
  openAt,
  renameAt,
  symlinkAt,
  syncFilesystemOf,
  unlinkAt,
} from '../syscalls/files';
import { statusOf } from '../syscalls/status';

// Every function here throws an `ActivateError`, `PERMISSION` or `IO`, the errno in the cause (see `errnoOf`), and changes
// nothing then. A parent that is a symlink is ELOOP, one that is no directory ENOTDIR.

/** Makes a directory with exactly `mode`, whatever the umask, and this owner; EEXIST where anything is there. */
export function makeDirectory(root: Root, path: TargetPath, mode: number, owner?: Owner): void {
  attempt('make the directory', path, () =>
    withParent(root, path, (directory, name) =>
      must(makeOneDirectory([directory, name], path, mode, owner), 'mkdirat', path),
    ),
  );
}

/** Whom something new belongs to; without it, to this user. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes a directory at `path` and at each parent where nothing is, with exactly `mode`. Existing ones stay as they are.
 *
 * On failure, parents that were made stay.
 */
export function makeDirectories(root: Root, path: TargetPath, mode: number): void {
  attempt('make the directory', path, () => {
    for (const each of [...ancestorsOf(path), path].slice(1)) {
      withParent(root, each, (directory, name) => {
        const outcome = makeOneDirectory([directory, name], each, mode);
        if (outcome !== -constants.errno.EEXIST) must(outcome, 'mkdirat', each);
      });
    }
    withDescriptor(openPath(root, path, open.handle | open.directory), path, () => undefined);
  });
}

/** Nobody else may enter the directory before it has its mode. */
function makeOneDirectory(
  [directory, name]: readonly [number, string],
  path: string,
  mode: number,
  owner?: Owner,
): Outcome {
  const made = makeDirectoryAt(directory, name, 0o700);
  if (made < 0) return made;
  try {
    const opened = openAt(directory, name, open.readOnly | open.directory | open.noFollow);
    withDescriptor(opened, path, (descriptor) => {
      if (owner !== undefined) fchownSync(descriptor, owner.uid, owner.gid);
      fchmodSync(descriptor, mode);
    });
    return made;
  } catch (error) {
    unlinkAt(directory, name, 'directory');
    throw error;
  }
}

/** Makes a symlink with exactly this text; EEXIST where anything is there. */
export function makeSymlink(root: Root, path: TargetPath, linkText: string): void {
  attempt('create the link', path, () =>
    withParent(root, path, (directory, name) => must(symlinkAt(linkText, directory, name), 'symlinkat', path)),
  );
}

/**
 * Makes a symlink at `path` in place of what is there, in one rename: no observer ever sees it missing.
 *
 * @param fresh a name next to `path` that is free for this: what a crash left there is replaced
 */
export function replaceSymlink(root: Root, path: TargetPath, linkText: string, fresh: TargetPath): void {
  attempt('replace the link', path, () =>
    withParent(root, path, (directory, name) => {
      const temporary = nameOf(fresh);
      unlinkAt(directory, temporary, 'file');
      must(symlinkAt(linkText, directory, temporary), 'symlinkat', path);
      const renamed = renameAt([directory, temporary], [directory, name], 'replace');
      if (renamed < 0) unlinkAt(directory, temporary, 'file');
      must(renamed, 'renameat2', path);
    }),
  );
}

/** Removes anything but a directory (EISDIR); ENOENT where nothing is. */
export function removeFile(root: Root, path: TargetPath): void {
  attempt('remove this', path, () =>
    withParent(root, path, (directory, name) => must(unlinkAt(directory, name, 'file'), 'unlinkat', path)),
  );
}

/** Removes an empty directory; ENOTEMPTY, ENOTDIR, ENOENT, and EBUSY for a mount point. */
export function removeDirectory(root: Root, path: TargetPath): void {
  attempt('remove the directory', path, () =>
    withParent(root, path, (directory, name) => must(unlinkAt(directory, name, 'directory'), 'unlinkat', path)),
  );
}

/**
 * Exchanges two paths in one step: no observer ever sees either name missing.
 *
 * Both must exist on one filesystem; kinds may differ, so a directory can become a symlink. EXDEV for two filesystems,
 * EINVAL where the filesystem cannot exchange, ENOENT where either is missing.
 *
 * @see renameat2(2)
 */
export function exchangePaths(root: Root, a: TargetPath, b: TargetPath): void {
  rename(root, `exchange this with ${b}`, [a, b], 'exchange');
}

/** Renames; EEXIST where anything is at `to`, EXDEV for two filesystems. */
export function renamePath(root: Root, from: TargetPath, to: TargetPath): void {
  rename(root, `rename this to ${to}`, [from, to], 'keep');
}

/**
 * Renames over what is at `to`, if anything, in one step: no observer ever sees `to` missing.
 *
 * EISDIR for a file over a directory, ENOTDIR the other way round, ENOTEMPTY for a directory that is not empty.
 */
export function replacePath(root: Root, from: TargetPath, to: TargetPath): void {
  rename(root, `rename this to ${to}`, [from, to], 'replace');
}

function rename(
  root: Root,
  what: string,
  [from, to]: readonly [TargetPath, TargetPath],
  how: Parameters<typeof renameAt>[2],
): void {
  attempt(what, from, () =>
    withParent(root, from, (...fromPlace) =>
      withParent(root, to, (...toPlace) => must(renameAt(fromPlace, toPlace, how), 'renameat2', from)),
    ),
  );
}

/** Changes the owner of what is at `path`, of a symlink itself. Files lose setuid and setgid: {@link changeMode} comes after. */
export function changeOwner(root: Root, path: TargetPath, uid: number, gid: number): void {
  attempt('change the owner', path, () =>
    withParent(root, path, (directory, name) => must(changeOwnerAt(directory, name, uid, gid), 'fchownat', path)),
  );
}

/** Changes the mode of a file or directory; ELOOP for a symlink, which has none, EINVAL for anything special. */
export function changeMode(root: Root, path: TargetPath, mode: number): void {
  attempt('change the mode', path, () => withFileOrDirectory(root, path, (descriptor) => fchmodSync(descriptor, mode)));
}

/** Who a directory belongs to, and its twelve permission bits. */
export interface DirectoryOwnership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Changes owner and mode of a directory that has those of `before`; one that has those of `after` already stays.
 *
 * All of it goes through one descriptor: whoever may rename things above cannot have another one changed.
 *
 * @throws {ActivateError} `IO`, errno in the cause: ESTALE where it is owned by somebody else by now, ENOTDIR, ELOOP.
 */
export function changeDirectory(
  root: Root,
  path: TargetPath,
  { before, after }: { readonly before: DirectoryOwnership; readonly after: DirectoryOwnership },
): void {
  attempt('change the owner and mode', path, () =>
    withDescriptor(openPath(root, path, open.readOnly | open.directory | open.noFollow), path, (descriptor) => {
      const { mode, uid, gid } = must(statusOf(descriptor), 'statx', path);
      const known = [before, after];
      const isKnown =
        known.some((each) => each.uid === uid && each.gid === gid) && known.some((each) => each.mode === mode);
      if (!isKnown) throw systemCallError('fchown', constants.errno.ESTALE, path);
      fchownSync(descriptor, after.uid, after.gid);
      fchmodSync(descriptor, after.mode);
    }),
  );
}

/** Sets the time of last change of what is at `path`, of a symlink itself; the time of last access stays. */
export function changeTimes(root: Root, path: TargetPath, mtimeNs: bigint): void {
  attempt('change the times', path, () =>
    withParent(root, path, (directory, name) => must(changeTimesAt(directory, name, mtimeNs), 'utimensat', path)),
  );
}

/**
 * Writes to disk everything that is still in memory of the filesystem that holds the file or directory at `path`.
 *
 * @see syncfs(2)
 */
export function syncFilesystem(root: Root, path: TargetPath): void {
  attempt('write the filesystem to disk', path, () =>
    withFileOrDirectory(root, path, (descriptor) => must(syncFilesystemOf(descriptor), 'syncfs', path)),
  );
}

/** Looks before opening: opening a device can do things, and a socket cannot be opened. */
function withFileOrDirectory<Value>(root: Root, path: TargetPath, action: (descriptor: number) => Value): Value {
  withDescriptor(openPath(root, path, open.handle | open.noFollow), path, (handle) =>
    insistOn(['file', 'directory'], handle, path),
  );
  return withDescriptor(openPath(root, path, forReading | open.noFollow), path, (descriptor) => {
    insistOn(['file', 'directory'], descriptor, path);
    return action(descriptor);
  });
}
