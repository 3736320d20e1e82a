import { readFileSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import { joinTarget, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { forReading, insistOn, openPath, type Root, withDescriptor, withParentIfThere } from './rooted';
import { type DirectoryItem, readDirectory } from '../syscalls/directories';
import { isAbsence, must, type Outcome } from '../syscalls/errno';
import { accessForWriting, open, openAt, readLinkAt } from '../syscalls/files';
import { workingDirectory } from '../syscalls/libc';
import { type Status, statusAt } from '../syscalls/status';

const { EINVAL, EROFS, EACCES, EPERM } = constants.errno;

/**
 * What is at `path`, a symlink itself and not what it leads to.
 *
 * `undefined` where nothing is, and where a parent is no directory or a symlink: nothing can be at that path then.
 *
 * @throws {ActivateError} `IO` or `PERMISSION` where that cannot be known.
 */
export function readStatus(root: Root, path: TargetPath): Status | undefined {
  return attempt('look at this', path, () =>
    withParentIfThere(root, path, (directory, name) => {
      const status = statusAt(directory, name);
      return isAbsence(status) ? undefined : must(status, 'statx', path);
    }),
  );
}

/** The text of the symlink at `path`; `undefined` where none is. */
export function readLinkText(root: Root, path: TargetPath): string | undefined {
  return attempt('read the link', path, () =>
    withParentIfThere(root, path, (directory, name) => linkTextOr(readLinkAt(directory, name), path)),
  );
}

/**
 * The text of each symlink that `names` has in `directory`, in their order; `undefined` where none is.
 *
 * Costs one system call a name: this is how a whole tree of links is compared with what it must be.
 */
export function readLinkTexts(root: Root, directory: TargetPath, names: readonly string[]): (string | undefined)[] {
  return attempt('read the links', directory, () => {
    const opened = openPath(root, directory, open.handle | open.directory);
    if (isAbsence(opened)) return names.map(() => undefined);
    return withDescriptor(opened, directory, (at) =>
      names.map((name) => linkTextOr(readLinkAt(at, name), joinTarget(directory, name))),
    );
  });
}

function linkTextOr(text: string | Outcome, path: string): string | undefined {
  return text === -EINVAL || isAbsence(text) ? undefined : must<string>(text, 'readlinkat', path);
}

/**
 * What the directory at `path` holds, in no order, without `.` and `..`.
 *
 * @throws {ActivateError} `IO`, errno in the cause: ENOENT, ENOTDIR, ELOOP for a symlink.
 */
export function listDirectory(root: Root, path: TargetPath): readonly DirectoryItem[] {
  return attempt('list the directory', path, () =>
    withDescriptor(openPath(root, path, open.readOnly | open.directory), path, (descriptor) =>
      must<readonly DirectoryItem[]>(readDirectory(descriptor), 'getdents64', path),
    ),
  );
}

/**
 * The bytes of the regular file at `path`.
 *
 * @throws {ActivateError} `IO` where it is missing (ENOENT), a symlink (ELOOP), a directory (EISDIR) or special (EINVAL).
 */
export function readFile(root: Root, path: TargetPath): Uint8Array {
  return attempt('read the file', path, () =>
    withDescriptor(openPath(root, path, forReading | open.noFollow), path, (descriptor) => {
      insistOn(['file'], descriptor, path);
      return readFileSync(descriptor);
    }),
  );
}

/** The SHA-256 of the regular file at `path`, in hexadecimal; throws as {@link readFile} does. */
export function digestFile(root: Root, path: TargetPath): string {
  return attempt('read the file', path, () =>
    withDescriptor(openPath(root, path, forReading | open.noFollow), path, (descriptor) => digest(descriptor, path)),
  );
}

/** {@link digestFile} for a file outside the root, e.g. in a closure; follows symlinks. */
export function digestHostFile(path: string): string {
  return attempt('read the file', path, () =>
    withDescriptor(openAt(workingDirectory, path, forReading), path, (descriptor) => digest(descriptor, path)),
  );
}

function digest(descriptor: number, path: string): string {
  insistOn(['file'], descriptor, path);
  const hasher = new Bun.CryptoHasher('sha256');
  chunk ??= new Uint8Array(1024 * 1024);
  for (;;) {
    const length = readSync(descriptor, chunk);
    if (length === 0) return hasher.digest('hex');
    hasher.update(chunk.subarray(0, length));
  }
}

let chunk: Uint8Array | undefined;

/**
 * Whether names can be made and removed in the directory at `path`: `read-only` is a read-only filesystem, `denied` is
 * everything that permissions or an immutable directory forbid.
 *
 * @throws {ActivateError} `IO` where no directory is there.
 */
export function canWriteDirectory(root: Root, path: TargetPath): 'yes' | 'read-only' | 'denied' {
  return attempt('look at the directory', path, () =>
    withDescriptor(openPath(root, path, open.handle | open.directory), path, (descriptor) => {
      const outcome = accessForWriting(descriptor);
      if (outcome === -EROFS) return 'read-only';
      if (outcome === -EACCES || outcome === -EPERM) return 'denied';
      must(outcome, 'faccessat', path);
      return 'yes';
    }),
  );
}
