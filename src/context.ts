/** How much a command logs. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Whether messages are words, or a JSON object on each line. */
export type LogFormat = 'text' | 'json';

/** Takes messages for people; results never go this way. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Everything that a command is given; nothing reaches for the machine, the clock or the terminal on its own. */
export interface Context {
  /** The directory that is taken for `/`. */
  readonly root: string;
  /** Where relative paths on the command line begin. */
  readonly workingDirectory: string;
  /** Who runs this: 0 is root. */
  readonly uid: number;
  readonly version: string;
  /** Where this program is; `undefined` where it is run from source. */
  readonly executable: string | undefined;
  /** How long to wait for another activation to end, in milliseconds. */
  readonly lockWaitMs: number;
  /** Results are one JSON document. */
  readonly json: boolean;
  /** Now, in milliseconds since 1970. */
  readonly now: () => number;
  /** A clock that never goes back, in milliseconds with fractions. */
  readonly elapsed: () => number;
  readonly log: Log;
  /** Aborted when the user or the system wants this to end. */
  readonly signal: AbortSignal;
  /** Writes a result to standard output; bytes are written as they are. */
  readonly write: (text: string) => void;
  /** Writes what is no result to standard error, for people. */
  readonly warn: (text: string) => void;
  /** Whether standard output is a terminal, and how wide. */
  readonly terminal: { readonly isTerminal: boolean; readonly columns: number; readonly colour: 'always' | 'never' };
  /** Whether standard error is a terminal, and how wide: where progress is shown. */
  readonly messageTerminal: { readonly isTerminal: boolean; readonly columns: number };
}
