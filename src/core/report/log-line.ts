import { displayName } from './display';

const labels: Readonly<Record<string, string>> = { '20': 'debug: ', '30': '', '40': 'warning: ', '50': 'error: ' };

/** Priorities of syslog(3). */
export const ERROR = 3;
export const WARNING = 4;
const priorities: Readonly<Record<string, number>> = { '20': 7, '30': 6, '40': WARNING, '50': ERROR };
const byLabel: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: WARNING, error: ERROR };

/** How important a line of the log is, by syslog(3). */
export function priorityOf(line: string): number {
  const { level } = JSON.parse(line) as { level?: unknown };
  return priorities[String(level)] ?? byLabel[String(level)] ?? WARNING;
}

/** A line of the log, as JSON, in words: `activate: warning: could not … (path /etc/x)`. */
export function renderLogLine(line: string): string {
  const { level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(fields).map(
    ([name, value]) => `${name} ${displayName(typeof value === 'string' ? value : JSON.stringify(value))}`,
  );
  return `activate: ${labels[String(level)] ?? ''}${String(msg)}${details.length === 0 ? '' : ` (${details.join(', ')})`}\n`;
}
