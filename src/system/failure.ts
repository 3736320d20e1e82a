import { ActivateError } from '../core/errors';
import { type ErrnoError, isErrnoError } from './syscalls/errno';
import { describeErrno, effectiveUser } from './syscalls/libc';

/**
 * What `action` returns.
 *
 * @param what completes "cannot …", e.g. `create the link`.
 * @param path what the failure is about, unless the failing call names a path itself.
 * @throws {ActivateError} `PERMISSION` or `IO` where a system call failed, the errno in the cause; see `errnoOf`.
 */
export function attempt<Value>(what: string, path: string, action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    throw isErrnoError(error) ? explain(what, path, error) : error;
  }
}

function explain(what: string, path: string, error: ErrnoError): ActivateError {
  const details = { path: error.path ?? path, cause: error };
  const message = `cannot ${what}: ${describe(error)}`;
  if (error.code !== 'EACCES' && error.code !== 'EPERM') return new ActivateError('IO', message, details);
  return new ActivateError(
    'PERMISSION',
    message,
    effectiveUser() === 0 ? details : { ...details, hint: 'Run as root.' },
  );
}

/** No path here is followed through a symlink, so "too many levels" would be misleading. */
function describe(error: ErrnoError): string {
  return error.code === 'ELOOP' ? 'a symlink is in the way' : describeErrno(error.errno);
}
