import { fstatSync } from 'node:fs';
import { pino } from 'pino';
import { runCli } from './cli';
import type { Context, Log, LogFormat, LogLevel } from './context';
import type { GlobalOptions } from './cli';
import { encodeName } from './core/bytes';
import { exitStatuses } from './core/errors';
import { fold } from './core/report/text/fold';
import { ERROR, journalFields, priorityOf, renderLogLine, WARNING } from './core/report/text/log-line';
import { sendToJournal } from './system/host/journald';

declare const ACTIVATE_VERSION: string | undefined;

/** Set by the build; run from source it is no release. */
const version = typeof ACTIVATE_VERSION === 'string' ? ACTIVATE_VERSION : 'source';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interruption.abort(signal));

// Whoever reads our output may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  warn(`activate: cannot write the output: ${error.message}\n`);
  process.exit(exitStatuses.IO);
});

// A message that nobody takes is no reason to stop half way.
process.stderr.on('error', () => undefined);

const isTerminal = process.stdout.isTTY;
const columns = process.stdout.columns ?? 80;

function write(text: string): void {
  if (text !== '') process.stdout.write(encodeName(text));
}

/** Whether standard error is read by the journal of systemd, which takes a priority at the beginning of each line. */
const isJournal = isJournalStream(process.env['JOURNAL_STREAM']);

/** @see systemd.exec(5), JOURNAL_STREAM */
function isJournalStream(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(2);
  return stream === `${dev}:${ino}`;
}

function warn(message: string, priority = WARNING): void {
  if (message === '') return;
  const text = process.stderr.isTTY ? fold(message, process.stderr.columns) : message;
  process.stderr.write(encodeName(isJournal ? text.replaceAll(/^(?=.)/gmu, `<${priority}>`) : text));
}

/** Where the journal reads along, it gets the fields as well; where it does not take them, words. */
function logLine(line: string, format: LogFormat): void {
  if (format === 'text' && isJournal && sendToJournal(journalFields(line))) return;
  warn(format === 'text' ? renderLogLine(line) : line, priorityOf(line));
}

function newLog(level: LogLevel, format: LogFormat): Log {
  const isText = format === 'text';
  const formatters = isText ? {} : { level: (label: string) => ({ level: label }) };
  const logger = pino(
    { level, base: null, timestamp: isText ? false : pino.stdTimeFunctions.isoTime, formatters },
    { write: (line) => logLine(line, format) },
  );
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      logger[name](fields, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function contextFor({ root, json, logLevel, logFormat, color, quiet, wait }: GlobalOptions): Context {
  const isColourful = isTerminal && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  const colour = color === 'auto' ? (isColourful ? 'always' : 'never') : color;
  return {
    root,
    workingDirectory: process.cwd(),
    uid: process.geteuid?.() ?? 0,
    version,
    executable: version === 'source' ? undefined : process.execPath,
    lockWaitMs: wait * 1000,
    json,
    now: () => Date.now(),
    elapsed: () => performance.now(),
    log: newLog(quiet && logLevel !== 'silent' ? 'error' : logLevel, logFormat),
    signal: interruption.signal,
    write: quiet ? () => undefined : write,
    warn: quiet ? () => undefined : (text) => warn(text),
    terminal: { isTerminal, columns, colour },
    messageTerminal: { isTerminal: process.stderr.isTTY, columns: process.stderr.columns ?? 80 },
  };
}

process.exitCode = await runCli(process.argv.slice(2), {
  version,
  contextFor,
  write,
  warn: (text) => warn(text, ERROR),
  columns,
});
