import type { TargetPath } from '../path';
import { displayName } from './text/display';
import { plural } from './report';
import { shortTime } from './text/table';

/** A path that is not as it was recorded, and in what way. */
export interface Wrong {
  readonly path: TargetPath;
  readonly what: string;
  /** Since when, ISO 8601 in UTC, where what is there says so. */
  readonly since?: string;
  /** Where it is wrong: at the `path`, where placing it again puts it right, or in the `record` that it would be placed from. */
  readonly at: 'path' | 'record';
}

/** What `verify` found. */
export interface Verified {
  readonly generation: number;
  /** What the generation was made from. */
  readonly closure?: string;
  /** How many paths are managed. */
  readonly paths: number;
  readonly wrong: readonly Wrong[];
  /** What this user could not read. */
  readonly unread: readonly TargetPath[];
  /** What was put right; `undefined` where nobody asked for that. */
  readonly repaired?: readonly Repair[];
}

/** Something that was put right. */
export interface Repair extends Wrong {
  /** The backup that holds what was there. */
  readonly backup?: number;
}

/** A line for each path that is wrong, and one that sums up; or one JSON document. */
export function renderVerified(verified: Verified, form: 'text' | 'json'): string {
  if (form === 'json') return `${JSON.stringify({ schema: 1, ...verified }, undefined, 1)}\n`;
  const { generation, paths, wrong, unread, repaired = [] } = verified;
  if (generation === 0) return 'Nothing is managed.\n';
  const lines = [...repaired.map(renderRepair), ...wrong.map(renderWrong)];
  for (const path of unread) lines.push(`${displayName(path)}: not read`);
  if (repaired.length > 0) lines.push(`${repaired.length} put right.`);
  lines.push(
    wrong.length === 0
      ? `${plural(paths, 'path')} of generation ${generation} as recorded.`
      : `${wrong.length} not as recorded, of ${plural(paths, 'path')} of generation ${generation}.`,
    ...waysOut(verified),
  );
  return lines.map((line) => `${line}\n`).join('');
}

function renderWrong({ path, what, since }: Wrong): string {
  return `${displayName(path)}: ${what}${since === undefined ? '' : `, since ${shortTime(since)}`}`;
}

function renderRepair(repair: Repair): string {
  const kept = repair.backup === undefined ? '' : `, and what was there is backup ${repair.backup}`;
  return `${renderWrong(repair)}: put right${kept}`;
}

function waysOut({ generation, closure = 'its closure', wrong, repaired }: Verified): string[] {
  const lines: string[] = [];
  if (repaired === undefined && wrong.some((each) => each.at === 'path'))
    lines.push('`activate verify --repair` puts right what drifted.');
  if (wrong.some((each) => each.at === 'record'))
    lines.push(
      `Generation ${generation} was changed itself, which nothing can be placed from: \`activate rollback\`, then \`activate switch ${closure}\` makes it anew.`,
    );
  return lines;
}
