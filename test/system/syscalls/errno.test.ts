import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { ActivateError } from '../../../src/core/errors';
import { errnoOf, must, systemCallError, uninterrupted } from '../../../src/system/syscalls/errno';

function caught(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

function fields(error: unknown) {
  const { code, errno, syscall, path } = error as NodeJS.ErrnoException;
  return { code, errno, syscall, path };
}

describe('systemCallError', () => {
  test('looks like what node:fs throws', () => {
    const theirs = caught(() => readFileSync('/missing'));
    const ours = systemCallError('open', constants.errno.ENOENT, '/missing');
    expect(fields(ours)).toEqual(fields(theirs));
  });

  test('uses the usual one of two names', () => {
    const codes = [constants.errno.EWOULDBLOCK, -constants.errno.EOPNOTSUPP, 9999].map(
      (errno) => systemCallError('call', errno, '/x').code,
    );
    expect(codes).toEqual(['EAGAIN', 'ENOTSUP', 'errno 9999']);
  });
});

describe('errnoOf', () => {
  test('looks through what it became', () => {
    const error = systemCallError('call', constants.errno.EXDEV, '/x');
    const wrapped = new ActivateError('IO', 'cannot', { cause: new ActivateError('IO', 'cannot', { cause: error }) });
    expect([error, wrapped].map(errnoOf)).toEqual(['EXDEV', 'EXDEV']);
  });

  test('knows none for anything else', () => {
    expect([new ActivateError('IO', 'x'), new Error('x'), 'EXDEV', undefined].map(errnoOf)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('outcomes', () => {
  test('are values or errors', () => {
    expect([must(0, 'call', '/x'), must(7, 'call', '/x'), must('text', 'call', '/x')]).toEqual([0, 7, 'text']);
    expect(errnoOf(caught(() => must(-constants.errno.EIO, 'call', '/x')))).toBe('EIO');
  });

  test('of interrupted calls are not taken for failures', () => {
    const outcomes = [-constants.errno.EINTR, -constants.errno.EINTR, 3];
    expect(uninterrupted(() => outcomes.shift() ?? -1)).toBe(3);
  });
});
