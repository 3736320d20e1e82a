import { describe, expect, test } from 'bun:test';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { openBeneath, openInOneCall, openStepByStep } from '../../../src/system/syscalls/beneath';
import { close, open } from '../../../src/system/syscalls/files';
import { statusOf } from '../../../src/system/syscalls/status';
import { useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();
const { ENOENT, ENOTDIR, ELOOP } = constants.errno;
const handle = open.handle | open.noFollow;
const directory = open.handle | open.directory;

/** What the path leads to, or the negated errno. */
function kindAt(openAs: typeof openInOneCall, path: string, flags: number): string | number {
  const opened = openAs(root.current.fd, path, flags, 'cross mounts');
  if (opened < 0) return opened;
  const status = statusOf(opened);
  close(opened);
  return typeof status === 'number' ? status : status.kind;
}

describe.each<[string, typeof openInOneCall]>([
  ['whatever the kernel can', openBeneath],
  ['in one call', openInOneCall],
  ['step by step', openStepByStep],
])('opening %s', (_, openAs) => {
  test.each<[string, number, string | number]>([
    ['.', directory, 'directory'],
    ['a', directory, 'directory'],
    ['a/b/file', open.readOnly, 'file'],
    ['a/b/link', handle, 'symlink'],
    ['a/b/dangling', handle, 'symlink'],
    ['a/b/link', open.readOnly | open.noFollow, -ELOOP],
    ['a/b/link', open.readOnly, -ELOOP],
    ['a/b/alias', directory, -ELOOP],
    ['a/b/alias', open.readOnly | open.directory, -ELOOP],
    ['a/b/alias/file', open.readOnly, -ELOOP],
    ['a/b/absolute/file', open.readOnly, -ELOOP],
    ['a/b/file', directory, -ENOTDIR],
    ['a/b/file/x', handle, -ENOTDIR],
    ['a/missing', handle, -ENOENT],
    ['missing/x', handle, -ENOENT],
  ])('%s with flags %d gives %p', (path, flags, expected) => {
    mkdirSync(root.on('/a/b'), { recursive: true });
    writeFileSync(root.on('/a/b/file'), '');
    symlinkSync('file', root.on('/a/b/link'));
    symlinkSync('.', root.on('/a/b/alias'));
    symlinkSync(root.on('/a/b'), root.on('/a/b/absolute'));
    symlinkSync('nowhere', root.on('/a/b/dangling'));
    expect(kindAt(openAs, path, flags)).toBe(expected);
  });

  test('refuses a NUL', () => {
    expect(() => kindAt(openAs, 'a\0b', handle)).toThrow('EINVAL');
  });
});
