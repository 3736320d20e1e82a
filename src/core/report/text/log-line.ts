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

/** A line of the log as an entry of the journal of systemd, its fields with names of their own: `ACTIVATE_PATH`. */
export function journalFields(line: string): Record<string, string> {
  const { level: _, time: __, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const named = Object.entries(fields).map(([name, value]) => {
    const suffix = name.replaceAll(/[^A-Za-z0-9]+/gu, '_').toUpperCase();
    return [`ACTIVATE_${suffix}`, textOf(value)] as const;
  });
  return {
    MESSAGE: withDetails(String(msg), fields),
    PRIORITY: String(priorityOf(line)),
    SYSLOG_IDENTIFIER: 'activate',
    ...Object.fromEntries(named),
  };
}

/** A line of the log, as JSON, in words: `activate: warning: could not … (path /etc/x)`. */
export function renderLogLine(line: string): string {
  const { level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  return `activate: ${labels[String(level)] ?? ''}${withDetails(String(msg), fields)}\n`;
}

function withDetails(message: string, fields: Readonly<Record<string, unknown>>): string {
  const details = Object.entries(fields).map(([name, value]) => `${name} ${displayName(textOf(value))}`);
  return details.length === 0 ? message : `${message} (${details.join(', ')})`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
