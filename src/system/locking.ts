import { ftruncateSync, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { decodeName, encodeName } from '../core/bytes';
import type { TargetPath } from '../core/path';
import { attempt } from './failure';
import { insistOn, type Root, withParent } from './rooted';
import { isErrnoError, must } from './syscalls/errno';
import { close, lockExclusively, open, openAt } from './syscalls/files';

/** Held until it is released or the process ends, however it ends; programs that are started do not inherit it. */
export interface Lock {
  /** What a program has to inherit for the lock to be held until that ends too. */
  readonly descriptor: number;
  /** Lets others take it; a second time does nothing. */
  release(): void;
}

/** What came of an attempt to take a lock: `holder` is what whoever has it said of itself, empty where that is not known. */
export type Attempt =
  | { readonly state: 'held'; readonly lock: Lock }
  | { readonly state: 'busy'; readonly holder: string };

/**
 * Takes the lock at `path`, making its file if there is none, and writes into it who has it. The file stays.
 *
 * @param holder for people who find it taken
 * @throws {ActivateError} `IO` or `PERMISSION`, errno in the cause: ENOENT for a missing parent, ELOOP for a symlink.
 * @see flock(2)
 */
export function tryLock(root: Root, path: TargetPath, holder: string): Attempt {
  return attempt('take the lock', path, () =>
    withParent(root, path, (directory, name) => {
      const flags = open.readWrite | open.create | open.noFollow | open.nonBlocking | open.noTerminal;
      const descriptor = must(openAt(directory, name, flags, 0o600), 'openat', path);
      try {
        insistOn(['file'], descriptor, path);
        const outcome = lockExclusively(descriptor);
        if (outcome !== -constants.errno.EAGAIN) {
          must(outcome, 'flock', path);
          sign(descriptor, holder);
          return { state: 'held', lock: heldBy(descriptor) };
        }
        const busy = { state: 'busy', holder: decodeName(readFileSync(descriptor)).trim() } as const;
        close(descriptor);
        return busy;
      } catch (error) {
        close(descriptor);
        throw error;
      }
    }),
  );
}

/** A full disk is no reason not to begin: the name is for people alone. */
function sign(descriptor: number, holder: string): void {
  try {
    ftruncateSync(descriptor);
    writeSync(descriptor, encodeName(`${holder}\n`), 0);
  } catch (error) {
    if (!isErrnoError(error)) throw error;
  }
}

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
