import { constants } from 'node:os';
import { joinTarget, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { type Root, withDescriptor, withParentIfThere } from './rooted';
import { openBeneath } from '../syscalls/beneath';
import { type DirectoryItem, readDirectory } from '../syscalls/directories';
import { isAbsence, must, systemCallError } from '../syscalls/errno';
import { open, unlinkAt } from '../syscalls/files';
import { statusAt } from '../syscalls/status';

const { EBUSY, EXDEV, ENOENT } = constants.errno;

/**
 * Removes what is at `path` and everything below it; fine where nothing is. Never follows a symlink.
 *
 * @throws {ActivateError} `IO` with EBUSY where a mount point is at `path` or below, before anything is removed; `PERMISSION`
 *   or `IO` where a removal fails, what came before it is gone then.
 */
export function removeTree(root: Root, path: TargetPath): void {
  attempt('remove this', path, () =>
    withParentIfThere(root, path, (directory, name) => {
      refuseMounts(directory, name, path);
      removeAt(directory, name, path);
    }),
  );
}

/**
 * Makes sure that {@link removeTree} would find no mount point.
 *
 * @throws {ActivateError} `IO` with EBUSY
 */
export function refuseMountsIn(root: Root, path: TargetPath): void {
  attempt('remove this', path, () =>
    withParentIfThere(root, path, (directory, name) => refuseMounts(directory, name, path)),
  );
}

function refuseMounts(directory: number, name: string, path: TargetPath): void {
  const status = statusAt(directory, name);
  if (isAbsence(status)) return;
  const { kind, mountRoot } = must(status, 'statx', path);
  if (mountRoot) throw systemCallError('unlinkat', EBUSY, path);
  if (kind !== 'directory') return;
  forEachItem(directory, name, path, (descriptor, item) =>
    refuseMounts(descriptor, item.name, joinTarget(path, item.name)),
  );
}

function removeAt(directory: number, name: string, path: TargetPath): void {
  const status = statusAt(directory, name);
  if (isAbsence(status)) return;
  const what = must(status, 'statx', path).kind === 'directory' ? 'directory' : 'file';
  if (what === 'directory') {
    forEachItem(directory, name, path, (descriptor, item) =>
      removeAt(descriptor, item.name, joinTarget(path, item.name)),
    );
  }
  const removed = unlinkAt(directory, name, what);
  if (removed !== -ENOENT) must(removed, 'unlinkat', path);
}

/** Opens the directory itself, on this mount: whatever takes its place meanwhile is not entered. */
function forEachItem(
  directory: number,
  name: string,
  path: TargetPath,
  visit: (descriptor: number, item: DirectoryItem) => void,
): void {
  const opened = openBeneath(directory, name, open.readOnly | open.directory, 'stay');
  if (opened === -EXDEV) throw systemCallError('openat2', EBUSY, path);
  withDescriptor(opened, path, (descriptor) => {
    const items = must<readonly DirectoryItem[]>(readDirectory(descriptor), 'getdents64', path);
    for (const item of items) visit(descriptor, item);
  });
}
