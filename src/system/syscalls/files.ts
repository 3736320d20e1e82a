import { constants } from 'node:os';
import { type Outcome, uninterrupted } from './errno';
import { architecture, decodeRange, libc, terminated } from './libc';

/** Flags of open(2), with the numbers of this architecture. Every descriptor is closed on exec. */
export const open = {
  readOnly: 0,
  writeOnly: 0o1,
  readWrite: 0o2,
  create: 0o100,
  exclusive: 0o200,
  noTerminal: 0o400,
  nonBlocking: 0o4000,
  directory: architecture.directory,
  noFollow: architecture.noFollow,
  closeOnExec: 0o2000000,
  /** Only a handle for further calls: neither reads nor needs permission to. */
  handle: 0o10000000,
} as const;

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;

/** A descriptor of `name` in `directory`; follows symlinks unless `flags` say otherwise. @see openat(2) */
export function openAt(directory: number, name: string, flags: number, mode = 0): Outcome {
  const { openat, outcome } = libc();
  const bytes = terminated(name);
  return uninterrupted(() => outcome(openat(directory, bytes, flags | open.closeOnExec, mode)));
}

/** Gives a descriptor back. What close(2) says is of no use: the descriptor is gone in any case. */
export function close(descriptor: number): void {
  libc().close(descriptor);
}

/** The number of the mount that a descriptor is in; `undefined` on filesystems without file handles. */
export function mountOf(descriptor: number): number | undefined {
  const mount = new Int32Array([-1]);
  // The handle itself is not wanted: a size of 0 ends in EOVERFLOW, with the number of the mount filled in.
  libc().name_to_handle_at(descriptor, terminated(''), new Uint32Array(2), mount, AT_EMPTY_PATH);
  return mount[0] === -1 ? undefined : mount[0];
}

/** The text of a symlink; -EINVAL where something else is there. @see readlinkat(2) */
export function readLinkAt(directory: number, name: string): string | Outcome {
  const { readlinkat, outcome } = libc();
  const length = outcome(readlinkat(directory, terminated(name), linkBytes, linkBytes.length));
  if (length === linkBytes.length) return -constants.errno.ENAMETOOLONG;
  return length < 0 ? length : decodeRange(linkBytes, 0, length);
}

/** Longer than any link text can be; used within one call only. */
const linkBytes = Buffer.alloc(4097);

export function symlinkAt(linkText: string, directory: number, name: string): Outcome {
  const { symlinkat, outcome } = libc();
  return outcome(symlinkat(terminated(linkText), directory, terminated(name, 'second')));
}

/** The umask takes bits away from `mode`. @see mkdirat(2) */
export function makeDirectoryAt(directory: number, name: string, mode: number): Outcome {
  const { mkdirat, outcome } = libc();
  return outcome(mkdirat(directory, terminated(name), mode));
}

/** Removes a directory, or anything else. @see unlinkat(2) */
export function unlinkAt(directory: number, name: string, what: 'file' | 'directory'): Outcome {
  const { unlinkat, outcome } = libc();
  return outcome(unlinkat(directory, terminated(name), what === 'directory' ? AT_REMOVEDIR : 0));
}

const renameFlags = { replace: 0, keep: 1, exchange: 2 } as const;

/** `keep` fails with EEXIST where `toName` exists; `exchange` needs both. @see renameat2(2) */
export function renameAt(
  [fromDirectory, fromName]: readonly [number, string],
  [toDirectory, toName]: readonly [number, string],
  how: keyof typeof renameFlags,
): Outcome {
  const { renameat2, outcome } = libc();
  const [from, to] = [terminated(fromName), terminated(toName, 'second')];
  return outcome(renameat2(architecture.renameat2, fromDirectory, from, toDirectory, to, renameFlags[how]));
}

/** Does not follow a symlink. Takes away setuid and setgid. @see fchownat(2) */
export function changeOwnerAt(directory: number, name: string, uid: number, gid: number): Outcome {
  const { fchownat, outcome } = libc();
  return outcome(fchownat(directory, terminated(name), uid, gid, AT_SYMLINK_NOFOLLOW));
}

/** Sets the time of last change, and of nothing else; does not follow a symlink. @see utimensat(2) */
export function changeTimesAt(directory: number, name: string, mtimeNs: bigint): Outcome {
  const { utimensat, outcome } = libc();
  return outcome(utimensat(directory, terminated(name), timespecs(mtimeNs), AT_SYMLINK_NOFOLLOW));
}

/** {@link changeTimesAt} for what a descriptor is open on. */
export function changeTimesOf(descriptor: number, mtimeNs: bigint): Outcome {
  const { futimens, outcome } = libc();
  return outcome(futimens(descriptor, timespecs(mtimeNs)));
}

/** Two `struct timespec`: the time of last access, which stays, and the time of last change. */
function timespecs(mtimeNs: bigint): BigInt64Array {
  const nanoseconds = ((mtimeNs % SECOND) + SECOND) % SECOND;
  return BigInt64Array.of(0n, UTIME_OMIT, (mtimeNs - nanoseconds) / SECOND, nanoseconds);
}

const SECOND = 1_000_000_000n;
const UTIME_OMIT = 0x3ffffffen;

/** Whether this process may make and remove names in `directory`. @see faccessat(2) */
export function accessForWriting(directory: number): Outcome {
  const { faccessat, outcome } = libc();
  return outcome(faccessat(directory, terminated('.'), W_OK | X_OK, 0));
}

const W_OK = 2;
const X_OK = 1;

/** -EAGAIN where another open file has the lock. @see flock(2) */
export function lockExclusively(descriptor: number): Outcome {
  const { flock, outcome } = libc();
  return uninterrupted(() => outcome(flock(descriptor, LOCK_EX | LOCK_NB)));
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Locks a whole file against everybody who asks with fcntl(2), as lckpwdf(3) does; -EAGAIN where another has the lock.
 *
 * The lock belongs to the open file: unlike others of its kind it stays when this process closes another descriptor of it.
 *
 * @see F_OFD_SETLK in fcntl_locking(2)
 */
export function lockRecords(descriptor: number): Outcome {
  const { fcntl, outcome } = libc();
  // struct flock: type and whence in the first eight bytes, then start, length and pid, all of them 0.
  const lock = new Int16Array(16);
  lock[0] = F_WRLCK;
  return uninterrupted(() => outcome(fcntl(architecture.fcntl, descriptor, F_OFD_SETLK, lock)));
}

const F_WRLCK = 1;
const F_OFD_SETLK = 37;

/** Writes everything that the filesystem of `descriptor` still holds in memory to disk. @see syncfs(2) */
export function syncFilesystemOf(descriptor: number): Outcome {
  const { syncfs, outcome } = libc();
  return uninterrupted(() => outcome(syncfs(descriptor)));
}

/** Makes `to` share the content of `from`; filesystems without reflinks give -ENOTSUP or -EXDEV. @see ioctl_ficlone(2) */
export function cloneContent(from: number, to: number): Outcome {
  const { ioctlNumber, outcome } = libc();
  return uninterrupted(() => outcome(ioctlNumber(to, FICLONE, from)));
}

const FICLONE = 0x40049409;

/** How many of at most `sizeBytes` bytes went from here on to there; 0 at the end. @see copy_file_range(2) */
export function copyRange(from: number, to: number, sizeBytes: number): Outcome {
  const { copyFileRange, outcome } = libc();
  return uninterrupted(() => outcome(copyFileRange(architecture.copyFileRange, from, null, to, null, sizeBytes, 0)));
}

/** The flags that chattr(1) shows; -ENOTTY or -ENOTSUP where the filesystem has none. @see ioctl_iflags(2) */
export function readInodeFlags(descriptor: number): Outcome {
  const { ioctl, outcome } = libc();
  const flags = new Uint32Array(2);
  const returned = outcome(ioctl(descriptor, FS_IOC_GETFLAGS, flags));
  return returned < 0 ? returned : (flags[0] ?? 0);
}

export function writeInodeFlags(descriptor: number, flags: number): Outcome {
  const { ioctl, outcome } = libc();
  return outcome(ioctl(descriptor, FS_IOC_SETFLAGS, Uint32Array.of(flags, 0)));
}

const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;

/** The flag of a file that nobody may write, rename, link or remove. */
export const IMMUTABLE = 0x10;
