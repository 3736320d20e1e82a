import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { WatchEvent } from '../../core/watching/event';
import { newWatcher } from '../../system/watcher';
import { previewTransition } from '../preview';
import { switchTo } from '../switching';
import type { Alarm } from './alarm';
import { readFollowable, readFollowed, withTop } from './following';
import type { WatchOptions } from './watching';

/** Waits for new closures, and compares the machine with them, or switches to them. */
export interface Follower {
  /** Sees to what has come since the last turn; cheap where nothing has. */
  readonly turn: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Surroundings {
  readonly alarm: Alarm;
  readonly say: (event: WatchEvent) => void;
}

/** How long to wait for another activation before a switch. */
const LOCK_WAIT_MS = 60_000;

/**
 * Makes a follower, where there is something to follow. What is there already is not new.
 *
 * @throws {ActivateError} `USAGE` where neither a link nor a directory is there
 */
export function newFollower(
  context: Context,
  { follow, onClosure }: WatchOptions,
  { alarm, say }: Surroundings,
): Follower {
  if (follow === undefined) return { turn: () => Promise.resolve(), close: () => Promise.resolve() };
  const followed = readFollowed(context, follow);
  let isTouched = true;
  let known: ReadonlySet<string> | undefined;
  const watcher = newWatcher(() => {
    isTouched = true;
    alarm.ring();
  });

  const see = async (): Promise<ReadonlySet<string>> => {
    for (;;) {
      const { closures, directories } = readFollowable(followed);
      const isMore = await withTop((top) => watcher.watchOnly(top, directories));
      if (isMore === 'as before' || watcher.failures().size > 0 || context.signal.aborted) return closures;
    }
  };

  return {
    close: watcher.close,
    turn: async () => {
      if (!isTouched) return;
      isTouched = false;
      const closures = await see();
      // A link that dangles for a moment leads to what it did before, and that is not new.
      if (known !== undefined && closures.size === 0 && followed.kind === 'link') return;
      const before = known ?? closures;
      known = closures;
      for (const closure of closures) {
        if (before.has(closure) || context.signal.aborted) continue;
        await meet(closure);
      }
    },
  };

  async function meet(closure: string): Promise<void> {
    try {
      if (onClosure === 'switch') await switchOver(closure);
      else say({ event: 'new closure', closure, preview: await previewOf(closure) });
    } catch (error) {
      if (!(error instanceof ActivateError) || error.code === 'UNDO_FAILED') throw error;
      if (context.signal.aborted) return;
      const { message, path = closure, hint } = error;
      say({ event: 'failed', message, path, ...(hint === undefined ? {} : { hint }) });
    }
  }

  function previewOf(closure: string): ReturnType<typeof previewTransition> {
    return previewTransition(context, { kind: 'closure', argument: closure }, {}, { secrets: 'withheld' });
  }

  async function switchOver(closure: string): Promise<void> {
    const patient = { ...context, lockWaitMs: Math.max(context.lockWaitMs, LOCK_WAIT_MS) };
    const outcome = await switchTo(patient, { kind: 'closure', argument: closure }, 'live and default', {});
    if (outcome.state === 'refused') say({ event: 'refused', closure, conflicts: outcome.conflicts });
    else if (outcome.state === 'done')
      say({ event: 'switched', closure, from: outcome.from, generation: outcome.live, changed: outcome.changed });
  }
}
