import * as v from 'valibot';
import { STATE } from '../entry';
import { joinTarget, parseTargetPath, type TargetPath } from '../path';
import type { SaveReason } from '../plan/decision';
import { parseRecord } from './generation';

/** Something that a transition took out of the way, and kept. */
export interface Backup {
  readonly number: number;
  readonly path: TargetPath;
  /** The machine's own from before us, or an edit of ours. */
  readonly reason: SaveReason;
  /** The generation that took its place. */
  readonly generation: number;
  /** ISO 8601 in UTC. */
  readonly created: string;
}

export const BACKUPS = joinTarget(STATE, 'backups');

export function backupDirectory(number: number): TargetPath {
  return joinTarget(BACKUPS, String(number));
}

/** Where the thing itself is, with its owner, mode, times and extended attributes. */
export function backupContent(number: number): TargetPath {
  return joinTarget(backupDirectory(number), 'content');
}

export function backupRecord(number: number): TargetPath {
  return joinTarget(backupDirectory(number), 'backup.json');
}

const schema = v.strictObject({
  schema: v.literal(1),
  number: v.pipe(v.number(), v.integer(), v.minValue(1)),
  path: v.custom<TargetPath>((value) => typeof value === 'string' && parseTargetPath(value) === value),
  reason: v.picklist(['displaced', 'drifted']),
  generation: v.pipe(v.number(), v.integer(), v.minValue(0)),
  created: v.string(),
});

export function renderBackup(backup: Backup): string {
  return `${JSON.stringify({ schema: 1, ...backup })}\n`;
}

/**
 * The inverse of {@link renderBackup}.
 *
 * @throws {ActivateError} `STATE`
 */
export function parseBackup(text: string, file: string): Backup {
  const { schema: _, ...backup } = parseRecord(text, file, schema);
  return backup;
}
