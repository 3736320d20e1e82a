import type { Conflict } from '../plan/decision';
import type { TargetPath } from '../path';
import type { Preview } from '../report/preview';
import { conflictToJson, describeConflict } from '../report/report';
import { statusOf } from '../report/summary';

/** What whoever watches a machine sees or does. */
export type WatchEvent =
  | { readonly event: 'watching'; readonly generation: number; readonly paths: number; readonly directories: number }
  | { readonly event: 'drift'; readonly path: TargetPath; readonly what: string; readonly generation: number }
  /** Somebody else put it right. */
  | { readonly event: 'right'; readonly path: TargetPath; readonly generation: number }
  | { readonly event: 'repaired'; readonly path: TargetPath; readonly generation: number; readonly backup?: number }
  | { readonly event: 'held back'; readonly path: TargetPath; readonly seconds: number; readonly generation: number }
  | { readonly event: 'in the way'; readonly conflict: Conflict; readonly generation: number }
  | { readonly event: 'interrupted'; readonly hint: string }
  | { readonly event: 'unwatched'; readonly path: string; readonly message: string; readonly hint: string }
  | { readonly event: 'failed'; readonly message: string; readonly path?: string; readonly hint?: string }
  | { readonly event: 'new closure'; readonly closure: string; readonly preview: Preview }
  | {
      readonly event: 'switched';
      readonly closure: string;
      readonly from: number;
      readonly generation: number;
      readonly changed: number;
    }
  | { readonly event: 'refused'; readonly closure: string; readonly conflicts: readonly Conflict[] };

/** A message of the log, with its fields. */
export interface Entry {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An event as entries of the log; content of files is never in them. */
export function logEntries(seen: WatchEvent): readonly Entry[] {
  const { event: _, ...fields } = seen;
  switch (seen.event) {
    case 'watching':
      return [{ level: 'info', message: seen.generation === 0 ? 'watching; nothing is managed' : 'watching', fields }];
    case 'drift':
      return [{ level: 'warn', message: 'drift', fields }];
    case 'right':
      return [{ level: 'info', message: 'right again', fields }];
    case 'repaired':
      return [{ level: 'info', message: 'put right', fields }];
    case 'held back':
      return [
        {
          level: 'warn',
          message: 'left alone for now: a path is put right once a minute at most',
          fields,
        },
      ];
    case 'in the way': {
      const { conflict, generation } = seen;
      const what = describeConflict(conflict);
      return [{ level: 'error', message: 'cannot be put right', fields: { path: conflict.path, what, generation } }];
    }
    case 'interrupted':
      return [
        { level: 'error', message: 'a transition was interrupted; drift cannot be told until it is resumed', fields },
      ];
    case 'unwatched':
    case 'failed': {
      const { event: _, message, ...rest } = seen;
      return [{ level: 'error', message, fields: rest }];
    }
    case 'new closure': {
      const { from, changes, conflicts, touched } = seen.preview;
      const counts = { changed: changes.length, touched, conflicts: conflicts.length };
      return [
        { level: 'info', message: 'new closure', fields: { closure: seen.closure, generation: from, ...counts } },
      ];
    }
    case 'switched':
      return [{ level: 'info', message: 'switched to a new closure', fields }];
    case 'refused':
      return seen.conflicts.map((conflict) => ({
        level: 'error',
        message: 'a new closure was refused; nothing was changed',
        fields: { closure: seen.closure, path: conflict.path, what: describeConflict(conflict) },
      }));
  }
}

/** An event as a JSON object on a line of its own. */
export function eventToJson(seen: WatchEvent, time: string): Record<string, unknown> {
  const head = { schema: 1, time, event: seen.event };
  if (seen.event === 'in the way')
    return { ...head, path: seen.conflict.path, conflict: conflictToJson(seen.conflict), generation: seen.generation };
  if (seen.event === 'refused')
    return { ...head, closure: seen.closure, conflicts: seen.conflicts.map(conflictToJson) };
  if (seen.event !== 'new closure') return { ...head, ...seen };
  const { from, to, changes, conflicts, kept, touched } = seen.preview;
  return {
    ...head,
    closure: seen.closure,
    from,
    to,
    changes: changes.map((change) => ({ path: change.path, status: statusOf(change) })),
    conflicts: conflicts.map(conflictToJson),
    kept,
    touched,
  };
}
