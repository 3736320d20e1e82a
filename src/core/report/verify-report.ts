import type { TargetPath } from '../path';
import { displayName } from './display';
import { plural } from './report';

/** A path that is not as it was recorded, and in what way. */
export interface Wrong {
  readonly path: TargetPath;
  readonly what: string;
}

/** What `verify` found. */
export interface Verified {
  readonly generation: number;
  /** How many paths are managed. */
  readonly paths: number;
  readonly wrong: readonly Wrong[];
  /** What this user could not read. */
  readonly unread: readonly TargetPath[];
}

/** A line for each path that is wrong, and one that sums up; or one JSON document. */
export function renderVerified(verified: Verified, form: 'text' | 'json'): string {
  if (form === 'json') return `${JSON.stringify({ schema: 1, ...verified }, undefined, 1)}\n`;
  const { generation, paths, wrong, unread } = verified;
  if (generation === 0) return 'Nothing is managed.\n';
  const lines = wrong.map(({ path, what }) => `${displayName(path)}: ${what}`);
  for (const path of unread) lines.push(`${displayName(path)}: not read`);
  lines.push(
    wrong.length === 0
      ? `${plural(paths, 'path')} of generation ${generation} as recorded.`
      : `${wrong.length} not as recorded, of ${plural(paths, 'path')} of generation ${generation}.`,
  );
  return lines.map((line) => `${line}\n`).join('');
}
