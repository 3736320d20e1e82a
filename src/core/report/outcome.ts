import type { Conflict } from '../plan/decision';
import { displayName } from './text/display';
import { exitStatuses } from '../errors';
import { conflictToJson, plural, renderConflicts, renderDuration } from './report';

/** How a switch ended. */
export type Switched =
  | {
      readonly state: 'done';
      /** When what was switched to is shown: `boot` changes nothing now. */
      readonly shown: 'now' | 'at the next boot';
      readonly live: number;
      readonly default: number;
      readonly from: number;
      /** The generation that was switched to; not live after `boot`. */
      readonly to: number;
      /** How many paths look or show something else now. */
      readonly changed: number;
      readonly backups: readonly {
        readonly number: number;
        readonly path: string;
        readonly reason: 'displaced' | 'drifted';
      }[];
      /** Paths where the machine's own was left in place. */
      readonly kept: readonly string[];
      /** Paths where somebody's change was merged with the new content. */
      readonly merged: readonly string[];
      /** From the first rename of the swap to the last. */
      readonly swapMs: number;
      readonly trial?: Trial;
    }
  | {
      readonly state: 'nothing to do';
      readonly shown: 'now' | 'at the next boot';
      readonly live: number;
      readonly default: number;
      readonly kept: readonly string[];
      readonly trial?: Trial;
    }
  /** Something of the machine's is in the way; nothing was changed. */
  | { readonly state: 'refused'; readonly conflicts: readonly Conflict[] };

/** How many boots the default is on trial for; `ended` where it was on trial, and is trusted now. */
type Trial = number | 'ended';

/** What a command prints and how it ends. */
export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

/** The outcome of a switch in words, or as one JSON document. */
export function renderSwitched(outcome: Switched, elapsedMs: number, form: 'text' | 'json'): Printed {
  const status = outcome.state === 'refused' ? exitStatuses.CONFLICT : 0;
  if (form === 'json') {
    const conflicts = outcome.state === 'refused' ? { conflicts: outcome.conflicts.map(conflictToJson) } : {};
    return { stdout: `${JSON.stringify({ schema: 1, ...outcome, ...conflicts, elapsedMs })}\n`, stderr: '', status };
  }
  if (outcome.state === 'refused')
    return { stdout: '', stderr: `activate: ${renderConflicts(outcome.conflicts)}`, status };
  const kept = outcome.kept.map((path) => `${displayName(path)}: the machine's own stays\n`).join('');
  const stdout =
    outcome.state === 'done'
      ? renderDone(outcome, elapsedMs)
      : outcome.shown === 'now'
        ? `${nameGeneration(outcome.live)} is live already; nothing to do.\n`
        : `${nameGeneration(outcome.default)} is what the next boot shows already; nothing to do.\n`;
  return { stdout: `${stdout}${renderTrial(outcome.trial)}`, stderr: kept, status };
}

function renderTrial(trial: Trial | undefined): string {
  if (trial === undefined) return '';
  return trial === 'ended' ? 'It was on trial, and is trusted now.\n' : `It is on trial: ${plural(trial, 'boot')}.\n`;
}

function renderDone(outcome: Switched & { readonly state: 'done' }, elapsedMs: number): string {
  if (outcome.shown === 'at the next boot') {
    const { to, live } = outcome;
    return `${nameGeneration(to)} is what the next boot shows; generation ${live} stays live (${renderDuration(elapsedMs)}).\n`;
  }
  const backups = outcome.backups
    .filter(({ reason }) => reason === 'drifted')
    .map(({ number, path }) =>
      outcome.merged.includes(path)
        ? `${displayName(path)} had been changed; the change is merged, and what was there is backup ${number}.\n`
        : `${displayName(path)} had been changed; the change is backup ${number}.\n`,
    );
  const displaced = outcome.backups.filter(({ reason }) => reason === 'displaced').length;
  if (displaced > 0)
    backups.push(`${plural(displaced, 'original')} of the machine's kept, to come back on rollback.\n`);
  const took = `${renderDuration(elapsedMs)}, the swap ${renderDuration(outcome.swapMs)}`;
  return `${backups.join('')}${nameGeneration(outcome.live)} is live: ${plural(outcome.changed, 'path')} changed in ${took}.\n`;
}

function nameGeneration(number: number): string {
  return number === 0 ? 'Generation 0 (nothing managed)' : `Generation ${number}`;
}
