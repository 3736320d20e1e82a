import type { PathChange } from './change/change';
import type { Conflict } from '../plan/decision';
import { displayName, escapeLine } from './text/display';
import { fold } from './text/fold';
import type { Paint } from './text/paint';
import { renderPatch } from './change/patch';
import type { TargetPath } from '../path';
import { adviceOn, conflictToJson, describeConflict, plural } from './report';
import { changeToJson, renderNameStatus, renderStat } from './summary';

/** What a switch would do, for people and programs. */
export interface Preview {
  /** A generation's number; where any two are compared, the path of a closure that is none. */
  readonly from: number | string;
  readonly to: number | string;
  /** The closures that they were made from. */
  readonly closures: { readonly from: string | undefined; readonly to: string | undefined };
  readonly changes: readonly PathChange[];
  readonly conflicts: readonly Conflict[];
  /** Files that this user may not read: there the preview may say too much or too little. */
  readonly unread: readonly { readonly path: TargetPath; readonly why: string }[];
  /** Paths where the machine's own stays. */
  readonly kept: readonly TargetPath[];
  /** How many paths the switch would touch, those included where only the store path differs. */
  readonly touched: number;
}

export type PreviewForm = 'patch' | 'stat' | 'name-status' | 'json';

/** Where text goes: a terminal obeys what is in it, so content is made harmless there; elsewhere its bytes are kept. */
export interface Screen {
  readonly paint: Paint;
  readonly columns: number;
  readonly isTerminal: boolean;
}

/** The preview as text for standard output. */
export function renderPreview(preview: Preview, form: PreviewForm, { paint, columns, isTerminal }: Screen): string {
  switch (form) {
    case 'patch':
      return preview.changes.map((change) => renderPatch(change, paint, isTerminal ? escapeLine : undefined)).join('');
    case 'stat':
      return isTerminal
        ? fold(renderStat(preview.changes, columns, paint), columns)
        : renderStat(preview.changes, columns, paint);
    case 'name-status':
      return renderNameStatus(preview.changes);
    case 'json':
      return `${JSON.stringify(previewToJson(preview), undefined, 1)}\n`;
  }
}

/** What goes beside the preview, to standard error: what is in the way, what stays, what could not be read. */
export function renderRemarks({ conflicts, unread, kept, changes, touched }: Preview): string {
  const lines: string[] = [];
  for (const conflict of conflicts)
    lines.push(`conflict: ${displayName(conflict.path)}: ${describeConflict(conflict)}`);
  if (conflicts.length > 0)
    lines.push(`${plural(conflicts.length, 'conflict')}: a switch would change nothing.`, ...adviceOn(conflicts));
  for (const path of kept) lines.push(`kept: ${displayName(path)}: the machine's own stays`);
  for (const { path, why } of unread) lines.push(`not read: ${displayName(path)}: ${why}`);
  const alike = touched - changes.length;
  if (alike > 0) lines.push(`${plural(alike, 'path')} with the same content as now, from another place.`);
  return lines.map((line) => `${line}\n`).join('');
}

function previewToJson({ from, to, changes, conflicts, unread, kept, touched }: Preview): Record<string, unknown> {
  return {
    schema: 1,
    from,
    to,
    changes: changes.map(changeToJson),
    conflicts: conflicts.map(conflictToJson),
    kept,
    unread,
    touched,
  };
}
