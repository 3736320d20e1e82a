import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { TargetPath } from '../../core/path';
import { makeDirectories } from '../../system/tree/changing';
import { findHolder, type Holder, type Lock, tryLock } from '../../system/locking';
import { readStatus } from '../../system/tree/reading';
import { type Machine, withMachine } from './machine';
import { refuseUntrusted } from './trust';

const LOCK_DIRECTORY = '/run/activate' as TargetPath;
export const LOCK = '/run/activate/lock' as TargetPath;
const RETRY_MS = 50;

/**
 * Opens the machine with the right to change it, for the length of a task.
 *
 * @throws {ActivateError} `PERMISSION`, `LOCKED` or `REFUSED`, before anything was written
 */
export function withLockedMachine<Result>(
  context: Context,
  task: (machine: Machine) => Promise<Result>,
): Promise<Result> {
  return withMachine(context, async (machine) => {
    if (context.uid !== 0 && machine.root.path === '/') {
      throw new ActivateError('PERMISSION', 'only root may change this machine', {
        hint: 'Run it as root, or try it with --root DIR.',
      });
    }
    refuseUntrusted(context, machine);
    makeDirectories(machine.root, LOCK_DIRECTORY, 0o755);
    const lock = await takeLock(context, machine);
    try {
      return await task({ ...machine, lock: lock.descriptor });
    } finally {
      lock.release();
    }
  });
}

/** Whether somebody changes the machine now; takes no lock, and needs no root. */
export function isLocked({ root }: Machine): boolean {
  const status = readStatus(root, LOCK);
  return status !== undefined && findHolder(status.inode) !== undefined;
}

async function takeLock(context: Context, { root }: Machine): Promise<Lock> {
  const { lockWaitMs, elapsed, signal } = context;
  const begun = elapsed();
  for (;;) {
    const taken = tryLock(root, LOCK);
    if (taken.state === 'held') return taken.lock;
    if (elapsed() - begun >= lockWaitMs || signal.aborted) throw lockedBy(taken.holder, lockWaitMs);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function lockedBy(holder: Holder | undefined, waitedMs: number): ActivateError {
  const who =
    holder === undefined
      ? ''
      : `: process ${holder.pid}, ${holder.command || 'which has ended and left it to a program that it started'}`;
  const waited = waitedMs === 0 ? '' : `, after ${waitedMs / 1000} s still`;
  return new ActivateError('LOCKED', `another activation is running${waited}${who}`, {
    path: LOCK,
    hint: 'Wait for it to finish, or use --wait SECONDS.',
  });
}
