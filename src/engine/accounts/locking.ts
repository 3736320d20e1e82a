import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { parentOf, type TargetPath } from '../../core/path';
import { type Lock, tryRecordLock } from '../../system/locking';
import { readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';

/** The lock of all programs that change users, groups and passwords; see lckpwdf(3). */
const LOCK = '/etc/.pwd.lock' as TargetPath;

/** As long as lckpwdf(3) waits. */
const LEAST_WAIT_MS = 15_000;
/** Others who wait are woken at once: whoever asks too seldom never gets it from a script that adds many users. */
const RETRY_MS = 2;

/**
 * Carries out a transition while nobody else can change users and passwords, if it does. The lock's file stays, as it does
 * everywhere.
 *
 * @param changes what it changes about them; without any there is no lock
 * @throws {ActivateError} `LOCKED`, before anything was written
 */
export async function withAccountsLocked<Result>(
  context: Context,
  machine: Machine,
  changes: readonly unknown[],
  task: () => Promise<Result>,
): Promise<Result> {
  if (changes.length === 0 || readStatus(machine.root, parentOf(LOCK))?.kind !== 'directory') return task();
  const lock = await takeLock(context, machine);
  try {
    return await task();
  } finally {
    lock.release();
  }
}

async function takeLock({ lockWaitMs, elapsed, signal }: Context, { root }: Machine): Promise<Lock> {
  const begun = elapsed();
  for (;;) {
    const taken = tryRecordLock(root, LOCK);
    if (taken.state === 'held') return taken.lock;
    if (elapsed() - begun >= Math.max(lockWaitMs, LEAST_WAIT_MS) || signal.aborted) {
      const who = taken.holder === undefined ? '' : `: process ${taken.holder.pid}, ${taken.holder.command}`;
      throw new ActivateError('LOCKED', `another program is changing users or passwords${who}`, {
        path: LOCK,
        hint: 'Wait for it to finish, or use --wait SECONDS.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
