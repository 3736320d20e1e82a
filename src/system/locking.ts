import { constants } from 'node:os';
import type { TargetPath } from '../core/path';
import { attempt } from './failure';
import { readHostFile } from './host/host-files';
import { insistOn, type Root, withParent } from './tree/rooted';
import { must } from './syscalls/errno';
import { close, lockExclusively, lockRecords, open, openAt } from './syscalls/files';
import { statusOf } from './syscalls/status';

/** Held until it is released or the process ends, however it ends; programs that are started do not inherit it. */
export interface Lock {
  /** What a program has to inherit for the lock to be held until that ends too. */
  readonly descriptor: number;
  /** Lets others take it; a second time does nothing. */
  release(): void;
}

/** What came of an attempt to take a lock. */
export type Attempt =
  | { readonly state: 'held'; readonly lock: Lock }
  | { readonly state: 'busy'; readonly holder: Holder | undefined };

/** Who has a lock: the process that took it, and its command line, as far as that can be known. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/**
 * Takes the lock at `path`, making its file if there is none. The file stays, and nothing is written to it.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`, errno in the cause: ENOENT for a missing parent, ELOOP for a symlink.
 * @see flock(2)
 */
export function tryLock(root: Root, path: TargetPath): Attempt {
  return tryLockWith(lockExclusively, root, path);
}

/**
 * {@link tryLock} against those who lock with fcntl(2), as the programs do that change users and passwords.
 *
 * @see lckpwdf(3)
 */
export function tryRecordLock(root: Root, path: TargetPath): Attempt {
  return tryLockWith(lockRecords, root, path);
}

function tryLockWith(lockFile: typeof lockExclusively, root: Root, path: TargetPath): Attempt {
  return attempt('take the lock', path, () =>
    withParent(root, path, (directory, name) => {
      const flags = open.readWrite | open.create | open.noFollow | open.nonBlocking | open.noTerminal;
      const descriptor = must(openAt(directory, name, flags, 0o600), 'openat', path);
      try {
        insistOn(['file'], descriptor, path);
        const outcome = lockFile(descriptor);
        if (outcome !== -constants.errno.EAGAIN) {
          must(outcome, 'lock', path);
          return { state: 'held', lock: heldBy(descriptor) };
        }
        const { inode } = must(statusOf(descriptor), 'statx', path);
        close(descriptor);
        return { state: 'busy', holder: findHolder(inode) };
      } catch (error) {
        close(descriptor);
        throw error;
      }
    }),
  );
}

/** Who has the lock on the file with this inode, as far as that can be known. @see proc_locks(5) */
export function findHolder(inode: bigint): Holder | undefined {
  const locks = readHostFile('/proc/locks')?.split('\n') ?? [];
  const line = locks.map((each) => each.trim().split(/\s+/u)).find((each) => isLockOf(each, inode));
  const pid = Number(line?.[4]);
  if (!(pid > 0)) return undefined;
  // It may have ended meanwhile, and left the lock to a program that it started.
  const words = readHostFile(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1) ?? [];
  return { pid, command: words.join(' ') };
}

/** `1: FLOCK  ADVISORY  WRITE 708 08:01:45 0 EOF` */
function isLockOf([, kind, , , , file]: readonly string[], inode: bigint): boolean {
  return kind !== undefined && LOCK_KINDS.has(kind) && file?.split(':')[2] === inode.toString();
}

const LOCK_KINDS = new Set(['FLOCK', 'POSIX', 'OFDLCK']);

function heldBy(descriptor: number): Lock {
  let held = true;
  return {
    descriptor,
    release() {
      // The number may belong to another file by now.
      if (held) close(descriptor);
      held = false;
    },
  };
}
