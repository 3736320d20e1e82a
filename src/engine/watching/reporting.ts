import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { TargetPath } from '../../core/path';
import { type Known, nothingKnown, notice, spareOthers, takeTurn } from '../../core/watching/drift';
import type { WatchEvent } from '../../core/watching/event';
import { repair } from '../checking/repairing';
import type { Look } from './looking';
import type { WatchOptions } from './watching';

/** Says what looks come to, each thing once, and puts right what is due. */
export interface Reporter {
  readonly report: (look: Seen) => Promise<Reported>;
  readonly interrupted: () => void;
  /** A look, or putting right, failed; it will be tried again. */
  readonly failed: (error: ActivateError) => void;
}

const RETRY = 'It is tried again in a minute.';

type Seen = Look & { readonly state: 'seen' };

/** Whether the machine was changed, and in how many milliseconds something is due. */
interface Reported {
  readonly state: 'changed' | 'as it was';
  readonly nextMs: number | undefined;
}

/** How long to wait for another activation before putting something right. */
const LOCK_WAIT_MS = 30_000;

export function newReporter(context: Context, { onDrift }: WatchOptions, say: (event: WatchEvent) => void): Reporter {
  const job: Job = {
    context,
    say,
    mended: new Set(),
    blocked: new Set(),
    known: nothingKnown,
    generation: undefined,
    trouble: '',
  };
  return {
    report: async (look) => {
      sayNews(job, look);
      if (onDrift === 'report' || job.known.wrong.size === 0) return { state: 'as it was', nextMs: undefined };
      return repairInTurn(job, look.generation);
    },
    interrupted: () =>
      sayOnce(job, 'interrupted', { event: 'interrupted', hint: 'Finish or undo it: `activate resume`.' }),
    failed: ({ message, path, hint }) =>
      sayOnce(job, `${path ?? ''}: ${message}`, {
        event: 'failed',
        message,
        ...(path === undefined ? {} : { path }),
        ...(hint === undefined ? {} : { hint }),
      }),
  };
}

interface Job {
  readonly context: Context;
  readonly say: (event: WatchEvent) => void;
  /** Paths that were put right, until a look has seen that. */
  readonly mended: Set<TargetPath>;
  /** Paths of which it was said that something is in their way, until they are right. */
  readonly blocked: Set<TargetPath>;
  known: Known;
  generation: number | undefined;
  /** What kept the last look from saying anything. */
  trouble: string;
}

function sayOnce(job: Job, what: string, event: WatchEvent): void {
  if (job.trouble !== what) job.say(event);
  job.trouble = what;
}

function sayNews(job: Job, { generation, paths, directories, wrong }: Seen): void {
  const { context, say, mended, blocked } = job;
  if (job.generation !== generation) say({ event: 'watching', generation, paths, directories: directories.length });
  const news = notice(job.known, wrong, context.elapsed());
  for (const path of news.right) {
    if (!mended.has(path)) say({ event: 'right', path, generation });
    blocked.delete(path);
  }
  mended.clear();
  for (const { path, what } of news.drifted) say({ event: 'drift', path, what, generation });
  Object.assign(job, { known: news.known, generation, trouble: '' });
}

async function repairInTurn(job: Job, generation: number): Promise<Reported> {
  const { context, say } = job;
  const { known, due, held, nextMs } = takeTurn(job.known, context.elapsed());
  job.known = known;
  for (const { path, waitMs } of held) say({ event: 'held back', path, seconds: Math.ceil(waitMs / 1000), generation });
  if (due.size === 0) return { state: 'as it was', nextMs };
  try {
    await putRight(job, due, generation);
  } catch (error) {
    const culprit = error instanceof ActivateError && error.code === 'FAILED' ? error.path : undefined;
    if (!isDue(due, culprit) || context.signal.aborted) throw error;
    job.known = spareOthers(known, due, culprit);
    say({ event: 'failed', message: (error as ActivateError).message, path: culprit, hint: RETRY });
  }
  return { state: 'changed', nextMs };
}

async function putRight(job: Job, due: ReadonlySet<TargetPath>, generation: number): Promise<void> {
  const { context, say, mended, blocked } = job;
  const patient = { ...context, lockWaitMs: Math.max(context.lockWaitMs, LOCK_WAIT_MS) };
  const { outcome, paths, left } = await repair(patient, due);
  for (const conflict of left) {
    if (!blocked.has(conflict.path)) say({ event: 'in the way', conflict, generation });
    blocked.add(conflict.path);
  }
  if (outcome.state !== 'done') return;
  const numbers = new Map(outcome.backups.map((each) => [each.path, each.number]));
  for (const path of paths) {
    mended.add(path);
    const backup = numbers.get(path);
    say({ event: 'repaired', path, generation, ...(backup === undefined ? {} : { backup }) });
  }
}

/** Somebody writes it while it is put right. */
function isDue(due: ReadonlySet<TargetPath>, path: string | undefined): path is TargetPath {
  return due.has(path as TargetPath);
}
