import { describe, expect, test } from 'bun:test';
import { constants } from 'node:os';
import { ActivateError } from '../../src/core/errors';
import { attempt } from '../../src/system/failure';
import { systemCallError } from '../../src/system/syscalls/errno';
import { failureOf } from './temporary-root';

const { ENOSPC, EROFS, EPERM, ELOOP } = constants.errno;

describe('attempt', () => {
  test('gives back what worked', () => {
    expect(attempt('do this', '/x', () => 7)).toBe(7);
  });

  test.each([
    [ENOSPC, 'IO', 'ENOSPC', 'no space left on device'],
    [EROFS, 'IO', 'EROFS', 'read-only file system'],
    [ELOOP, 'IO', 'ELOOP', 'a symlink is in the way'],
    [EPERM, 'PERMISSION', 'EPERM', 'operation not permitted'],
  ])('says what errno %d means', (errno, code, name, text) => {
    const fail = () =>
      attempt('do this', '/x', () => {
        throw systemCallError('call', errno, '/y');
      });
    expect(failureOf(fail)).toEqual([code, name, '/y', `cannot do this: ${text}`]);
  });

  test.each(['a bug', 'known already'])('leaves %s alone', (text) => {
    const error = text === 'a bug' ? new TypeError(text) : new ActivateError('LOCKED', text);
    const fail = () =>
      attempt('do this', '/x', () => {
        throw error;
      });
    expect(fail).toThrow(error);
  });
});
