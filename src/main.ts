import { pino } from 'pino';
import { runCli } from './cli';
import type { Context, Log, LogLevel } from './context';
import type { GlobalOptions } from './cli';
import { encodeName } from './core/bytes';
import { exitStatuses } from './core/errors';
import { renderLogLine } from './core/report/log-line';

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

function warn(text: string): void {
  if (text !== '') process.stderr.write(encodeName(text));
}

function newLog(level: LogLevel): Log {
  const logger = pino({ level, base: null, timestamp: false }, { write: (line) => warn(renderLogLine(line)) });
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      logger[name](fields, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function contextFor({ root, json, logLevel, wait }: GlobalOptions): Context {
  const isColourful = isTerminal && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
  return {
    root,
    workingDirectory: process.cwd(),
    uid: process.geteuid?.() ?? 0,
    version,
    lockWaitMs: wait * 1000,
    json,
    now: () => Date.now(),
    elapsed: () => performance.now(),
    log: newLog(logLevel),
    signal: interruption.signal,
    write,
    warn,
    terminal: { isTerminal, columns, colour: isColourful ? 'always' : 'never' },
    messageTerminal: { isTerminal: process.stderr.isTTY, columns: process.stderr.columns ?? 80 },
  };
}

process.exitCode = await runCli(process.argv.slice(2), { version, contextFor, write, warn, columns });
