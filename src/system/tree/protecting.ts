import { constants } from 'node:os';
import { joinTarget, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { removeTree } from './removing';
import { forReading, type Root, withDescriptor, withParentIfThere } from './rooted';
import { openBeneath } from '../syscalls/beneath';
import { readDirectory } from '../syscalls/directories';
import { errnoOf, must, type Outcome } from '../syscalls/errno';
import { IMMUTABLE, open, openAt, readInodeFlags, writeInodeFlags } from '../syscalls/files';
import { statusAt } from '../syscalls/status';

/**
 * Makes all files and directories of a tree immutable: nobody can write, rename, link or remove them, root included.
 *
 * Symlinks carry no flags; in an immutable directory they cannot be replaced. What is mounted below is left alone.
 *
 * @returns `unsupported` where the filesystem has no such flag or this process may not set it; nothing was changed then
 * @throws {ActivateError} `IO` or `PERMISSION`
 * @see chattr(1)
 */
export function protectTree(root: Root, path: TargetPath): 'immutable' | 'unsupported' {
  return changeTree(root, path, (flags) => flags | IMMUTABLE) === 'done' ? 'immutable' : 'unsupported';
}

/** {@link removeTree} for what {@link protectTree} may have protected, all of it or a part. */
export function removeProtected(root: Root, path: TargetPath): void {
  try {
    removeTree(root, path);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    changeTree(root, path, (flags) => flags & ~IMMUTABLE);
    removeTree(root, path);
  }
}

type Change = (flags: number) => number;

function changeTree(root: Root, path: TargetPath, change: Change): 'done' | 'unsupported' {
  return attempt('change the flags', path, () => {
    const outcome = withParentIfThere(root, path, (directory, name) => changeAt(directory, name, path, change));
    return outcome ?? 'done';
  });
}

/** A directory comes after what is in it: once it is immutable, nothing in it can be renamed any more. */
function changeAt(directory: number, name: string, path: TargetPath, change: Change): 'done' | 'unsupported' {
  const { kind } = must(statusAt(directory, name), 'statx', path);
  if (kind === 'file')
    return withDescriptor(openAt(directory, name, forReading | open.noFollow), path, (file) =>
      changeFlags(file, path, change),
    );
  if (kind !== 'directory') return 'done';
  const opened = openBeneath(directory, name, open.readOnly | open.directory, 'stay');
  if (opened === -constants.errno.EXDEV) return 'done';
  return withDescriptor(opened, path, (descriptor) => {
    for (const item of must<ReturnType<typeof readDirectory> & object>(readDirectory(descriptor), 'getdents64', path)) {
      const outcome = changeAt(descriptor, item.name, joinTarget(path, item.name), change);
      if (outcome === 'unsupported') return outcome;
    }
    return changeFlags(descriptor, path, change);
  });
}

function changeFlags(descriptor: number, path: string, change: Change): 'done' | 'unsupported' {
  const before = readInodeFlags(descriptor);
  if (isUnsupported(before)) return 'unsupported';
  const after = change(must<number>(before, 'ioctl', path));
  if (after === before) return 'done';
  const outcome = writeInodeFlags(descriptor, after);
  if (isUnsupported(outcome)) return 'unsupported';
  must(outcome, 'ioctl', path);
  return 'done';
}

/** EPERM: only some processes may set the flag, not those of a user namespace, say. */
function isUnsupported(outcome: Outcome): boolean {
  const { ENOTTY, ENOTSUP, ENOSYS, EPERM } = constants.errno;
  return [-ENOTTY, -ENOTSUP, -ENOSYS, -EPERM].includes(outcome);
}
