import { constants } from 'node:os';
import { must, type Outcome, uninterrupted } from './errno';
import { close, mountOf, open, openAt, readLinkAt } from './files';
import { architecture, libc, terminated, workingDirectory } from './libc';
import { statusOf } from './status';

const { ENOSYS, EPERM, ENOTDIR, ELOOP, EXDEV } = constants.errno;

/** Whether a mount point on the way is entered or ends in -EXDEV. */
export type Mounts = 'cross mounts' | 'stay';

/**
 * Opens what is at `relative` below `directory` (`.` for the directory itself) and never leaves it: a symlink anywhere
 * on the way is -ELOOP, at the end too, except that `open.handle` with `open.noFollow` opens the symlink itself.
 *
 * `relative` holds no `..`.
 */
export function openBeneath(
  directory: number,
  relative: string,
  flags: number,
  mounts: Mounts = 'cross mounts',
): Outcome {
  return (hasOpenat2() ? openInOneCall : openStepByStep)(directory, relative, flags, mounts);
}

const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

/** {@link openBeneath} where the kernel (5.6) can do it all. @see openat2(2) */
export function openInOneCall(directory: number, relative: string, flags: number, mounts: Mounts): Outcome {
  const { openat2, outcome } = libc();
  const resolve =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | (mounts === 'stay' ? RESOLVE_NO_XDEV : 0);
  const name = terminated(relative);
  const how = BigUint64Array.of(BigInt(flags | open.closeOnExec), 0n, BigInt(resolve));
  return uninterrupted(() => outcome(openat2(architecture.openat2, directory, name, how, how.byteLength)));
}

/** {@link openBeneath} for older kernels: one directory after the other, each opened without following. */
export function openStepByStep(directory: number, relative: string, flags: number, mounts: Mounts): Outcome {
  const names = relative.split('/');
  let at = directory;
  for (const [index, name] of names.entries()) {
    const last = index === names.length - 1;
    const next = openOne(at, name, last ? flags : open.handle | open.directory, mounts);
    if (at !== directory) close(at);
    if (next < 0 || last) return next;
    at = next;
  }
  throw new Error('a path has at least one component');
}

function openOne(directory: number, name: string, flags: number, mounts: Mounts): Outcome {
  const opened = openAt(directory, name, flags | open.noFollow);
  if (opened === -ENOTDIR && typeof readLinkAt(directory, name) === 'string') return -ELOOP;
  if (opened < 0 || mounts === 'cross mounts' || sameMount(directory, opened)) return opened;
  close(opened);
  return -EXDEV;
}

/** Mount numbers tell bind mounts of one filesystem apart; some filesystems have none, there devices must do. */
function sameMount(a: number, b: number): boolean {
  const [mountA, mountB] = [mountOf(a), mountOf(b)];
  if (mountA !== undefined && mountB !== undefined) return mountA === mountB;
  return must(statusOf(a), 'statx', '').device === must(statusOf(b), 'statx', '').device;
}

let openat2Works: boolean | undefined;

/** Old kernels say ENOSYS, old container sandboxes EPERM; neither is an answer to opening the current directory. */
function hasOpenat2(): boolean {
  if (openat2Works === undefined) {
    const probe = openInOneCall(workingDirectory, '.', open.handle | open.directory, 'cross mounts');
    openat2Works = probe !== -ENOSYS && probe !== -EPERM;
    if (probe >= 0) close(probe);
  }
  return openat2Works;
}
