import { displayWidth } from './display';
import { plural } from '../report';

/** Rows with aligned columns; the first row is the head. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - displayWidth(cell)))
      .join('  ')
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join('');
}

const spans = [
  { unit: 'day', ms: 86_400_000 },
  { unit: 'hour', ms: 3_600_000 },
  { unit: 'minute', ms: 60_000 },
] as const;

/**
 * How long ago something was, in its largest unit: `3 days ago`.
 *
 * @param elapsed in milliseconds; clocks may go back, so that it is below 0
 */
export function renderAge(elapsed: number): string {
  const span = spans.find(({ ms }) => elapsed >= ms);
  if (span === undefined) return elapsed < 0 ? 'just now' : 'less than a minute ago';
  return `${plural(Math.floor(elapsed / span.ms), span.unit)} ago`;
}

/** `2026-11-21T08:00:12.345Z` → `2026-11-21 08:00:12`, still UTC. */
export function shortTime(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
