import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { WatchEvent } from '../../core/watching/event';
import { closeRoot, openRoot } from '../../system/tree/rooted';
import { newWatcher, type Watcher } from '../../system/watcher';
import { previewTransition } from '../previewing/preview';
import { switchTo } from '../switching';
import type { Alarm } from './alarm';
import { type Followed, readFollowable, readFollowed } from './following';
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
  const meet = onClosure === 'switch' ? switchOver : compare;
  return {
    close: watcher.close,
    turn: async () => {
      if (!isTouched) return;
      isTouched = false;
      const closures = await see(context, followed, watcher);
      // A link that dangles for a moment leads to what it did before, and that is not new.
      if (known !== undefined && closures.size === 0 && followed.kind === 'link') return;
      const before = known ?? closures;
      known = closures;
      for (const closure of closures) {
        if (before.has(closure) || context.signal.aborted) continue;
        await sayWhatComes({ context, say }, closure, meet);
      }
    },
  };
}

/** The closures that are there, once every place is watched where another one may come. */
async function see(context: Context, followed: Followed, watcher: Watcher): Promise<ReadonlySet<string>> {
  const top = openRoot('/');
  try {
    for (;;) {
      const { closures, directories } = readFollowable(top, followed);
      const isMore = await watcher.watchOnly(top, directories);
      if (isMore === 'as before' || watcher.failures().size > 0 || context.signal.aborted) return closures;
    }
  } finally {
    closeRoot(top);
  }
}

type Meet = (context: Context, closure: string) => Promise<WatchEvent | undefined>;

/** A closure that cannot be used is no reason not to wait for the next one. */
async function sayWhatComes(
  { context, say }: { readonly context: Context; readonly say: (event: WatchEvent) => void },
  closure: string,
  meet: Meet,
): Promise<void> {
  try {
    const event = await meet(context, closure);
    if (event !== undefined) say(event);
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code === 'UNDO_FAILED') throw error;
    if (context.signal.aborted) return;
    const { message, path = closure, hint } = error;
    say({ event: 'failed', message, path, ...(hint === undefined ? {} : { hint }) });
  }
}

async function compare(context: Context, closure: string): Promise<WatchEvent> {
  const target = { kind: 'closure', argument: closure } as const;
  return {
    event: 'new closure',
    closure,
    preview: await previewTransition(context, target, {}, { secrets: 'withheld' }),
  };
}

async function switchOver(context: Context, closure: string): Promise<WatchEvent | undefined> {
  const patient = { ...context, lockWaitMs: Math.max(context.lockWaitMs, LOCK_WAIT_MS) };
  const outcome = await switchTo(patient, { kind: 'closure', argument: closure }, 'live and default', {});
  if (outcome.state === 'refused') return { event: 'refused', closure, conflicts: outcome.conflicts };
  if (outcome.state === 'nothing to do') return undefined;
  return { event: 'switched', closure, from: outcome.from, generation: outcome.live, changed: outcome.changed };
}
