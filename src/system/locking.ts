import { constants } from 'node:os';
import type { TargetPath } from '../core/path';
import { attempt } from './failure';
import { insistOn, type Root, withParent } from './rooted';
import { must } from './syscalls/errno';
import { close, lockExclusively, open, openAt } from './syscalls/files';

/** Held until it is released or the process ends, however it ends; programs that are started do not inherit it. */
export interface Lock {
  /** What a program has to inherit for the lock to be held until that ends too. */
  readonly descriptor: number;
  /** Lets others take it; a second time does nothing. */
  release(): void;
}

/**
 * Takes the lock at `path`, making its file if there is none; `undefined` while anyone else has it. The file stays.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`, errno in the cause: ENOENT for a missing parent, ELOOP for a symlink.
 * @see flock(2)
 */
export function tryLock(root: Root, path: TargetPath): Lock | undefined {
  return attempt('take the lock', path, () =>
    withParent(root, path, (directory, name) => {
      const flags = open.readWrite | open.create | open.noFollow | open.nonBlocking | open.noTerminal;
      const descriptor = must(openAt(directory, name, flags, 0o600), 'openat', path);
      try {
        insistOn(['file'], descriptor, path);
        const outcome = lockExclusively(descriptor);
        if (outcome !== -constants.errno.EAGAIN) {
          must(outcome, 'flock', path);
          return heldBy(descriptor);
        }
      } catch (error) {
        close(descriptor);
        throw error;
      }
      close(descriptor);
      return undefined;
    }),
  );
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
