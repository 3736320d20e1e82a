import { constants } from 'node:os';
import { type HostPath, nameOf, parentOf, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { openBeneath } from '../syscalls/beneath';
import { isAbsence, must, type Outcome, systemCallError } from '../syscalls/errno';
import { close, open, openAt } from '../syscalls/files';
import { resolvePath, workingDirectory } from '../syscalls/libc';
import { type Kind, statusOf } from '../syscalls/status';

/** The directory that target paths are below, and a descriptor of it: renaming it does not lead a write elsewhere. */
export interface Root {
  readonly path: HostPath;
  readonly fd: number;
}

/**
 * Opens the directory at `path`, symlinks resolved. {@link closeRoot} gives it back.
 *
 * What is below /proc is opened as it is: no text says where its links lead, such as those to another mount namespace.
 *
 * @throws {ActivateError} `IO` or `PERMISSION` where it is missing, no directory, or out of reach.
 */
export function openRoot(path: string): Root {
  return attempt('open the root directory', path, () => {
    const resolved = (path.startsWith('/proc/') ? path : must(resolvePath(path), 'realpath', path)) as HostPath;
    return {
      path: resolved,
      fd: must(openAt(workingDirectory, resolved, open.handle | open.directory), 'openat', path),
    };
  });
}

export function closeRoot(root: Root): void {
  close(root.fd);
}

/** A name in an open directory, good for one system call. */
type Place = readonly [directory: number, name: string];

/**
 * What `action` makes of the directory that holds `path`, and of the name in it; `.` for `/` itself.
 *
 * @throws an errno error where the parent cannot be reached without following a symlink.
 */
export function withParent<Value>(root: Root, path: TargetPath, action: (...place: Place) => Value): Value {
  return within(root, must(openParent(root, path), 'openat2', path), path, action);
}

/** {@link withParent}, but `undefined` where the parent is missing, no directory, or behind a symlink. */
export function withParentIfThere<Value>(
  root: Root,
  path: TargetPath,
  action: (...place: Place) => Value,
): Value | undefined {
  const directory = openParent(root, path);
  return isAbsence(directory) ? undefined : within(root, must(directory, 'openat2', path), path, action);
}

function openParent(root: Root, path: TargetPath): Outcome {
  const parent = parentOf(path);
  return parent === '/' ? root.fd : openBeneath(root.fd, relative(parent), open.handle | open.directory);
}

function within<Value>(root: Root, directory: number, path: TargetPath, action: (...place: Place) => Value): Value {
  try {
    return action(directory, nameOf(path) || '.');
  } finally {
    if (directory !== root.fd) close(directory);
  }
}

/** A descriptor of what is at `path`, or a negated errno; see {@link openBeneath}. */
export function openPath(root: Root, path: TargetPath, flags: number): Outcome {
  return openBeneath(root.fd, relative(path), flags);
}

/** What `action` makes of a descriptor, which is closed afterwards. */
export function withDescriptor<Value>(opened: Outcome, path: string, action: (descriptor: number) => Value): Value {
  const descriptor = must(opened, 'open', path);
  try {
    return action(descriptor);
  } finally {
    close(descriptor);
  }
}

/** How to open for reading without waiting for a fifo's other end or taking over a terminal. */
export const forReading = open.readOnly | open.nonBlocking | open.noTerminal;

/**
 * Makes sure that a descriptor is open on one of `kinds`.
 *
 * @throws an errno error: EISDIR for a directory, ELOOP for a symlink, EINVAL for anything else.
 */
export function insistOn(kinds: readonly Kind[], descriptor: number, path: string): void {
  const { kind } = must(statusOf(descriptor), 'statx', path);
  if (kinds.includes(kind)) return;
  const { EISDIR, ELOOP, EINVAL } = constants.errno;
  const errno = kind === 'directory' ? EISDIR : kind === 'symlink' ? ELOOP : EINVAL;
  throw systemCallError('open', errno, path);
}

function relative(path: TargetPath): string {
  return path === '/' ? '.' : path.slice(1);
}
