import { displayName } from './display';

const labels: Readonly<Record<string, string>> = { '20': 'debug: ', '30': '', '40': 'warning: ', '50': 'error: ' };

/** A line of the log, as JSON, in words: `activate: warning: could not … (path /etc/x)`. */
export function renderLogLine(line: string): string {
  const { level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(fields).map(
    ([name, value]) => `${name} ${displayName(typeof value === 'string' ? value : JSON.stringify(value))}`,
  );
  return `activate: ${labels[String(level)] ?? ''}${String(msg)}${details.length === 0 ? '' : ` (${details.join(', ')})`}\n`;
}
