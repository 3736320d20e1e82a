/**
 * What can go wrong, as codes; each code has the exit status that people and scripts see.
 *
 * 0 and 1 are answers of a command and have no code.
 */
export const exitStatuses = {
  /** The command line makes no sense. */
  USAGE: 2,
  /** Something of the machine's is in the way, or was edited; nothing was changed. */
  CONFLICT: 3,
  /** A check before the first write failed; nothing was changed. */
  REFUSED: 3,
  /** A step failed; everything done was undone. */
  FAILED: 4,
  /** A step failed, and undoing it failed as well. */
  UNDO_FAILED: 5,
  /** The new generation is live, but not all that it does not need could be removed. */
  UNFINISHED: 5,
  /** The closure cannot be shown. */
  CLOSURE: 65,
  /** The policy cannot be used. */
  POLICY: 65,
  /** A record below the state directory cannot be used. */
  STATE: 65,
  /** `activate` itself is wrong. */
  BUG: 70,
  /** The machine cannot read or write something. */
  IO: 74,
  /** Another activation is running. */
  LOCKED: 75,
  /** The user may not do this. */
  PERMISSION: 77,
} as const;

export type ErrorCode = keyof typeof exitStatuses;

export interface ErrorDetails {
  /** The path that the message is about, as the user knows it. */
  readonly path?: string;
  /** What to do about it, as a whole sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A failure that the person at the keyboard can act on. Everything else that is thrown is a bug. */
export class ActivateError extends Error {
  override readonly name = 'ActivateError';
  readonly code: ErrorCode;
  readonly path: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.path = details.path;
    this.hint = details.hint;
  }
}

/** The exit status that tells a script what happened; 70 for anything that is not an `ActivateError`. */
export function exitStatusOf(error: unknown): number {
  return exitStatuses[error instanceof ActivateError ? error.code : 'BUG'];
}
