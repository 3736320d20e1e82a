import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { TargetPath } from '../../core/path';
import { nothingKnown, notice, spareOthers, takeTurn } from '../../core/watching/drift';
import type { WatchEvent } from '../../core/watching/event';
import { repair } from '../repairing';
import type { Look } from './looking';
import type { WatchOptions } from './watching';

/** Says what looks come to, each thing once, and puts right what is due. */
export interface Reporter {
  /** @returns whether the machine was changed, and in how many milliseconds something is due */
  readonly report: (
    look: Look & { readonly state: 'seen' },
  ) => Promise<{ readonly state: 'changed' | 'as it was'; readonly nextMs: number | undefined }>;
  readonly interrupted: () => void;
  /** A look, or putting right, failed; it will be tried again. */
  readonly failed: (error: ActivateError) => void;
}

const RETRY = 'It is tried again in a minute.';

/** How long to wait for another activation before putting something right. */
const LOCK_WAIT_MS = 30_000;

export function newReporter(context: Context, { onDrift }: WatchOptions, say: (event: WatchEvent) => void): Reporter {
  let known = nothingKnown;
  let generation: number | undefined;
  let trouble = '';
  /** Paths that were put right, until a look has seen that. */
  const mended = new Set<TargetPath>();
  /** Paths of which it was said that something is in their way, until they are right. */
  const blocked = new Set<TargetPath>();
  const sayOnce = (what: string, event: WatchEvent): void => {
    if (trouble !== what) say(event);
    trouble = what;
  };

  const fail = ({ message, path, hint }: ActivateError): void =>
    sayOnce(`${path ?? ''}: ${message}`, {
      event: 'failed',
      message,
      ...(path === undefined ? {} : { path }),
      ...(hint === undefined ? {} : { hint }),
    });

  const putRight = async (due: ReadonlySet<TargetPath>, live: number): Promise<void> => {
    const patient = { ...context, lockWaitMs: Math.max(context.lockWaitMs, LOCK_WAIT_MS) };
    const { outcome, paths, left } = await repair(patient, due);
    for (const conflict of left) {
      if (!blocked.has(conflict.path)) say({ event: 'in the way', conflict, generation: live });
      blocked.add(conflict.path);
    }
    if (outcome.state !== 'done') return;
    const numbers = new Map(outcome.backups.map((each) => [each.path, each.number]));
    for (const path of paths) {
      mended.add(path);
      const backup = numbers.get(path);
      say({ event: 'repaired', path, generation: live, ...(backup === undefined ? {} : { backup }) });
    }
  };

  return {
    report: async ({ generation: live, paths, directories, wrong }) => {
      trouble = '';
      if (generation !== live) say({ event: 'watching', generation: live, paths, directories: directories.length });
      generation = live;
      const news = notice(known, wrong, context.elapsed());
      known = news.known;
      for (const path of news.right) if (!mended.has(path)) say({ event: 'right', path, generation: live });
      mended.clear();
      for (const path of news.right) blocked.delete(path);
      for (const { path, what } of news.drifted) say({ event: 'drift', path, what, generation: live });
      if (onDrift === 'report' || known.wrong.size === 0) return { state: 'as it was', nextMs: undefined };
      const turn = takeTurn(known, context.elapsed());
      known = turn.known;
      for (const { path, waitMs } of turn.held)
        say({ event: 'held back', path, seconds: Math.ceil(waitMs / 1000), generation: live });
      try {
        if (turn.due.size > 0) await putRight(turn.due, live);
      } catch (error) {
        const culprit = error instanceof ActivateError && error.code === 'FAILED' ? error.path : undefined;
        if (!isDue(turn.due, culprit) || context.signal.aborted) throw error;
        known = spareOthers(known, turn.due, culprit);
        say({ event: 'failed', message: (error as ActivateError).message, path: culprit, hint: RETRY });
      }
      const nextMs = turn.nextMs === undefined ? undefined : Math.max(0, turn.nextMs - context.elapsed());
      return { state: turn.due.size > 0 ? 'changed' : 'as it was', nextMs };
    },
    interrupted: () => sayOnce('interrupted', { event: 'interrupted', hint: 'Finish or undo it: `activate resume`.' }),
    failed: fail,
  };
}

/** Somebody writes it while it is put right. */
function isDue(due: ReadonlySet<TargetPath>, path: string | undefined): path is TargetPath {
  return due.has(path as TargetPath);
}
