import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { joinTarget, type TargetPath } from '../../core/path';
import type { WatchEvent } from '../../core/watching/event';
import { tidyUp } from '../../system/host/memory';
import { closeRoot, openRoot } from '../../system/tree/rooted';
import { errnoOf } from '../../system/syscalls/errno';
import { newWatcher, type Watcher, watchLimits } from '../../system/watcher';
import { withMachine } from '../state/machine';
import { type Alarm, newAlarm, pause } from './alarm';
import { type Follower, newFollower } from './follower';
import { look, type Look } from './looking';
import { newReporter, type Reporter } from './reporting';

/** What is watched, and what is done about it. */
export interface WatchOptions {
  readonly onDrift: 'report' | 'repair';
  /** The link or directory where new closures come. */
  readonly follow?: string;
  readonly onClosure: 'diff' | 'switch';
}

/** How long to let things happen before a look, so that one look sees them all. */
const CALM_MS = 50;
/** The longest time from one look to the next, while things go on happening. */
const MOST_PACE_MS = 500;
/** How soon to look again at a transition that is under way, and where something cannot be watched. */
const UNDER_WAY_MS = 1000;
const BLIND_MS = 60_000;
/** So many names of no interest may mean that the kernel lost others: then a look is worth it. */
const MANY = 1000;

/**
 * Watches the machine until the signal, and says what drifts.
 *
 * What is heard of the kernel is never believed: it is a reason to look, and the plan says what is so.
 *
 * @throws {ActivateError} `PERMISSION` where only root may do what is asked for, `IO` where nothing can be watched, and what the
 *   first look throws
 */
export async function watchMachine(
  context: Context,
  options: WatchOptions,
  tell: (event: WatchEvent, time: string) => void,
): Promise<void> {
  refuseStrangers(context, options);
  const say = (event: WatchEvent): void => tell(event, new Date(context.now()).toISOString());
  const alarm = newAlarm(context.signal);
  const hearing: Hearing = { concerns: () => true, ignored: 0 };
  const machineWatcher = newWatcher(hear(alarm, hearing));
  const follower = newFollower(context, options, { alarm, say });
  const job: Job = {
    context,
    alarm,
    hearing,
    say,
    watcher: machineWatcher,
    follower,
    unwatched: new Set(),
    wasGone: false,
  };
  try {
    await goOn(job, newReporter(context, options, say));
  } finally {
    await machineWatcher.close();
    await follower.close();
  }
}

interface Job {
  readonly context: Context;
  readonly alarm: Alarm;
  readonly hearing: Hearing;
  readonly say: (event: WatchEvent) => void;
  readonly watcher: Watcher;
  readonly follower: Follower;
  /** Of which directories it was said that they cannot be watched. */
  readonly unwatched: Set<string>;
  /** Whether the last look came too late for something. */
  wasGone: boolean;
}

/** Which paths are worth a look. */
interface Hearing {
  concerns: (path: TargetPath) => boolean;
  ignored: number;
}

function refuseStrangers({ uid }: Context, { onDrift, onClosure }: WatchOptions): void {
  if (uid === 0 || (onDrift === 'report' && onClosure === 'diff')) return;
  throw new ActivateError('PERMISSION', 'only root may change what is watched', {
    hint: 'Run it as root, or without --repair and --switch.',
  });
}

function hear({ ring }: Alarm, hearing: Hearing): (directory: TargetPath, name: string | undefined) => void {
  return (directory, name) => {
    // A name that is not UTF-8 comes garbled.
    const isKnown = name !== undefined && !name.includes('\ufffd');
    hearing.ignored += 1;
    if (isKnown && hearing.ignored < MANY && !hearing.concerns(joinTarget(directory, name))) {
      // A directory says its own name when it is moved or removed.
      if (!directory.endsWith(`/${name}`)) return;
    }
    hearing.ignored = 0;
    ring();
  };
}

async function goOn(job: Job, reporter: Reporter): Promise<void> {
  const { context, alarm, follower } = job;
  let waitMs: number | undefined = 0;
  for (let isFirst = true; ; isFirst = false) {
    const woken = await alarm.wait(waitMs);
    if (woken === 'ended') return;
    if (woken === 'rung') await pause(CALM_MS, context.signal);
    const begun = context.elapsed();
    await follower.turn();
    waitMs = await lookOnce(job, reporter, isFirst);
    const tookMs = context.elapsed() - begun;
    await pause(Math.min(tookMs * 4, MOST_PACE_MS), context.signal);
  }
}

/** Looks, says what is new, does what is due; returns when to look again though nothing happens. */
async function lookOnce(job: Job, reporter: Reporter, isFirst: boolean): Promise<number | undefined> {
  const { context, alarm } = job;
  try {
    const seen = await lookAndWatch(job);
    if (seen.state === 'under way') return UNDER_WAY_MS;
    if (seen.state === 'interrupted') {
      reporter.interrupted();
      return undefined;
    }
    job.wasGone = false;
    const turn = await reporter.report(seen);
    tidyUp(seen.paths);
    if (turn.state === 'changed') alarm.ring();
    return soonest(turn.nextMs, job.watcher.failures().size > 0 ? BLIND_MS : undefined);
  } catch (error) {
    if (context.signal.aborted && isInterruption(error)) return undefined;
    if (!(error instanceof ActivateError) || error.code === 'UNDO_FAILED') throw error;
    // What was there a moment ago is gone: that is for the next look.
    if (isGone(error) && !job.wasGone) {
      job.wasGone = true;
      return 0;
    }
    if (isFirst) throw error;
    reporter.failed(error);
    return BLIND_MS;
  }
}

function soonest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** What the signal ended was undone. */
function isInterruption(error: unknown): boolean {
  return error instanceof ActivateError && (error.code === 'FAILED' || error.code === 'LOCKED');
}

function isGone(error: ActivateError): boolean {
  return error.code === 'IO' && ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '');
}

/** A directory that is watched from now on may have changed before: then one look is not enough. */
async function lookAndWatch(job: Job): Promise<Look> {
  const { context, hearing, watcher } = job;
  for (;;) {
    const found = await withMachine(context, (machine) => look(context, machine));
    if (found.state === 'under way' || context.signal.aborted) return found;
    hearing.concerns = found.state === 'seen' ? found.concerns : () => true;
    const root = openRoot(context.root);
    try {
      const isMore = await watcher.watchOnly(root, found.directories);
      const isNew = sayUnwatched(job, found.directories.length);
      if (isMore === 'as before' || (watcher.failures().size > 0 && !isNew)) return found;
    } finally {
      closeRoot(root);
    }
  }
}

/** Says once of each directory that it cannot be watched; returns whether there was any news. */
function sayUnwatched({ watcher, unwatched, say }: Job, wanted: number): boolean {
  const failures = watcher.failures();
  if (failures.size === wanted && wanted > 0) throw nothingWatched([...failures.values()][0] ?? '');
  const first = [...failures].find(([path]) => !unwatched.has(path));
  unwatched.clear();
  for (const path of failures.keys()) unwatched.add(path);
  if (first === undefined) return false;
  const [path, why] = first;
  const others = failures.size > 1 ? `, nor ${failures.size - 1} more` : '';
  say({
    event: 'unwatched',
    path,
    message: `${describeLimit(why)}: this directory is not watched${others}; looking once a minute instead`,
    hint: hintOn(why),
  });
  return true;
}

function nothingWatched(why: string): ActivateError {
  return new ActivateError('IO', `no directory can be watched: ${describeLimit(why)}`, { hint: hintOn(why) });
}

function describeLimit(why: string): string {
  if (why === 'ENOSPC') return 'this user may not watch more directories (inotify)';
  if (why === 'EMFILE') return 'this user may not have more watchers (inotify), or this process no more open files';
  return `it cannot be watched (${why})`;
}

function hintOn(why: string): string {
  const { watches, instances } = watchLimits();
  if (why === 'ENOSPC')
    return `Raise fs.inotify.max_user_watches, which is ${watches ?? 'unknown'}: \`sysctl -w fs.inotify.max_user_watches=1048576\`.`;
  if (why === 'EMFILE')
    return `Raise fs.inotify.max_user_instances, which is ${instances ?? 'unknown'}: \`sysctl -w fs.inotify.max_user_instances=1024\`; or \`ulimit -n\`.`;
  return 'See whether it can be read.';
}
