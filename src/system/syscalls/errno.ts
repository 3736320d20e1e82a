import { constants } from 'node:os';
import { ActivateError } from '../../core/errors';

/**
 * What a system call gives back, as the kernel itself says it: zero or more where it worked, the negated errno where it
 * did not. {@link must} turns failures into errors.
 */
export type Outcome = number;

const { ENOENT, ENOTDIR, ELOOP, EINTR } = constants.errno;

/** What is thrown for a failed system call, here and by `node:fs`: `code` is the name (`ENOENT`), `errno` its number, negated. */
export interface ErrnoError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall?: string;
  readonly path?: string;
}

export function isErrnoError(error: unknown): error is ErrnoError {
  if (!(error instanceof Error) || !('code' in error) || !('errno' in error)) return false;
  return typeof error.code === 'string' && typeof error.errno === 'number';
}

/** The error for an errno, which may be negated. */
export function systemCallError(syscall: string, errno: number, path: string): ErrnoError {
  const number = Math.abs(errno);
  const code = names.get(number) ?? `errno ${number}`;
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, errno: -number, syscall, path });
}

/** The name of the errno that `error` is about, or that an `ActivateError` was made from. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof ActivateError) return errnoOf(error.cause);
  return isErrnoError(error) ? error.code : undefined;
}

/**
 * What worked, unchanged.
 *
 * @throws an error of {@link systemCallError} where `outcome` is a negated errno.
 */
export function must<Value>(outcome: Value | Outcome, syscall: string, path: string): Value {
  if (typeof outcome === 'number' && outcome < 0) throw systemCallError(syscall, outcome, path);
  return outcome as Value;
}

/** Whether the outcome says that nothing is there, or nothing that can be reached without following a symlink. */
export function isAbsence(outcome: unknown): boolean {
  return outcome === -ENOENT || outcome === -ENOTDIR || outcome === -ELOOP;
}

/** Makes a call again for as long as signals interrupt it. */
export function uninterrupted(call: () => Outcome): Outcome {
  for (;;) {
    const outcome = call();
    if (outcome !== -EINTR) return outcome;
  }
}

/** The first name of a number is the usual one: EAGAIN and not EWOULDBLOCK, ENOTSUP and not EOPNOTSUPP. */
const names = new Map<number, string>(
  Object.entries(constants.errno)
    .toReversed()
    .map(([name, number]) => [number, name]),
);
