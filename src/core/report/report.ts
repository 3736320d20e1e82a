import type { Conflict } from '../plan/decision';
import { displayName } from './text/display';
import { ActivateError, exitStatusOf } from '../errors';
import { describeFound } from '../found';

/** What stands in the way, a line each, and what each policy would do about it. */
export function renderConflicts(conflicts: readonly Conflict[]): string {
  const lines = conflicts.map((conflict) => `  ${displayName(conflict.path)}: ${describeConflict(conflict)}`);
  const count = conflicts.length === 1 ? '1 conflict' : `${conflicts.length} conflicts`;
  return [`${count}; nothing was changed:`, ...lines, ...adviceOn(conflicts), ''].join('\n');
}

export function describeConflict(conflict: Conflict): string {
  if (conflict.reason === 'blocked') return describeObstacle(conflict.obstacle);
  if (conflict.reason === 'contradicted')
    return `the closure wants ${conflict.wanted}, and the machine has ${conflict.there}`;
  if (conflict.reason === 'managed') return 'a generation places this file, and sysusers.d would add to it';
  const there = conflict.found === undefined ? 'nothing' : describeFound(conflict.found);
  if (conflict.reason === 'unmanaged')
    return `${conflict.found === undefined ? 'something' : there} of the machine's is there`;
  const merge = conflict.merge === undefined ? '' : `; ${conflict.merge}`;
  return `it was changed since it was placed: ${there} is there now${merge}`;
}

function describeObstacle(obstacle: string): string {
  return obstacle === 'a mount point inside'
    ? 'there is a mount point inside'
    : `it is or lies in ${ARTICLES.has(obstacle) ? `an ${obstacle} place` : obstacle}`;
}

const ARTICLES = new Set(['immutable', 'append-only']);

/** What stands in the way of wrappers alone. */
const ABOUT_WRAPPERS = new Set([
  'a mount with nosuid',
  'a mount with noexec',
  'a directory that others may write',
  "a directory of somebody else's wrappers",
]);

/** What each policy would do about the conflicts. */
export function adviceOn(conflicts: readonly Conflict[]): string[] {
  const reasons = new Set(conflicts.map(({ reason }) => reason));
  const lines: string[] = [];
  if (reasons.has('unmanaged')) {
    lines.push(
      '--on-conflict backup  takes these over; the originals come back when the paths are given up',
      "--on-conflict keep    leaves the machine's in place",
    );
  }
  if (reasons.has('drifted')) {
    lines.push(
      '--on-drift backup     puts ours back, and keeps the changes as backups',
      '--on-drift keep       leaves the changes in place',
      '--on-drift merge      merges changes of text, where they do not meet ours',
    );
  }
  if (reasons.has('contradicted'))
    lines.push('Users, groups and their ids are never changed: change the line of the closure, or the machine, first.');
  if (reasons.has('managed')) lines.push('Place it as a seed, or leave sysusers.d out of the closure.');
  const obstacles = conflicts.flatMap((conflict) => (conflict.reason === 'blocked' ? [conflict.obstacle] : []));
  if (obstacles.some((obstacle) => ABOUT_WRAPPERS.has(obstacle)))
    lines.push(
      'Wrappers need /run/wrappers for themselves: unmount or move away what is there, or leave them out of the policy.',
    );
  if (obstacles.some((obstacle) => !ABOUT_WRAPPERS.has(obstacle)))
    lines.push('Blocked paths: unmount, `chattr -i -a`, or remount read-write first.');
  return lines;
}

export function conflictToJson(conflict: Conflict): Record<string, unknown> {
  const message = describeConflict(conflict);
  if (!('found' in conflict) || conflict.found === undefined || !('mode' in conflict.found))
    return { ...conflict, message };
  // As everywhere in documents, a mode is octal.
  const mode = conflict.found.mode.toString(8).padStart(4, '0');
  return { ...conflict, found: { ...conflict.found, mode }, message };
}

/** An error as people see it: the path, what could not be done, and what to do about it. */
export function renderError(error: unknown): string {
  if (!(error instanceof ActivateError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `activate: this is a bug in activate, please report it\n${stack}\n`;
  }
  const path = error.path === undefined ? '' : `${displayName(error.path)}: `;
  return `activate: ${path}${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`;
}

export function errorToJson(error: unknown): Record<string, unknown> {
  const status = exitStatusOf(error);
  if (!(error instanceof ActivateError)) return { schema: 1, error: { code: 'BUG', status, message: String(error) } };
  const { code, message, path, hint } = error;
  return {
    schema: 1,
    error: { code, status, message, ...(path === undefined ? {} : { path }), ...(hint === undefined ? {} : { hint }) },
  };
}

/** A duration for people: `48 ms`, `0.31 ms`, `2.4 s`. */
export function renderDuration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return milliseconds >= 10
    ? `${Math.round(milliseconds)} ms`
    : `${milliseconds.toFixed(milliseconds >= 1 ? 1 : 2)} ms`;
}

export function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}
