import { describe, expect, test } from 'bun:test';
import type { Item } from '../../../src/core/closure/listing';
import type { Entry } from '../../../src/core/entry';
import { imageNodes, isPrivate } from '../../../src/core/image/node';
import { directoryOf, isUsersOwn } from '../../../src/core/image/staging';
import type { TargetPath } from '../../../src/core/path';
import { directory, file, link } from '../../support/image-nodes';

const sourceOf = (path: TargetPath): string => `/closure${path}`;
const at = (path: string): TargetPath => path as TargetPath;

describe('imageNodes', () => {
  test('has each item, with the owner and mode of its entry, and the directories above', () => {
    const plain = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 3 };
    const items: Item[] = [
      { path: at('/usr/local/bin'), kind: 'directory', mode: 0o755, uid: 0, gid: 0 },
      { path: at('/usr/local/bin/b'), kind: 'file', ...plain },
      { path: at('/usr/local/bin/l'), kind: 'symlink', linkText: 'b' },
      { path: at('/usr/local/bin/a'), kind: 'file', ...plain },
    ];
    const copy: Entry = {
      path: at('/usr/local/bin/b'),
      place: 'copy',
      kind: 'file',
      ...plain,
      mode: 0o4755,
      uid: 5,
      digest: '',
      restyled: true,
    };
    expect(imageNodes({ items, entries: [copy], sourceOf, additions: [] })).toEqual([
      { path: at('/usr'), kind: 'directory', mode: 0o755, uid: 0, gid: 0 },
      { path: at('/usr/local'), kind: 'directory', mode: 0o755, uid: 0, gid: 0 },
      directory('/usr/local/bin'),
      { ...file('/usr/local/bin/a'), sizeBytes: 3 },
      { ...file('/usr/local/bin/b'), sizeBytes: 3, mode: 0o4755, uid: 5 },
      link('/usr/local/bin/l', 'b'),
    ]);
  });

  test('lets additions win', () => {
    const items: Item[] = [{ path: at('/etc/passwd'), kind: 'symlink', linkText: 'x' }];
    const content = { bytes: new Uint8Array([1]) };
    const addition = { path: at('/etc/passwd'), mode: 0o600, uid: 1, gid: 2, content };
    expect(imageNodes({ items, entries: [], sourceOf, additions: [addition] })).toEqual([
      { path: at('/etc'), kind: 'directory', mode: 0o755, uid: 0, gid: 0 },
      { kind: 'file', sizeBytes: 0, ...addition },
    ]);
  });
});

test.each([
  ['a file that everybody reads', [file('/a'), link('/l', 'a')], false],
  ['a file of root alone', [{ ...file('/a'), mode: 0o640 }], true],
  ['a directory that others may list, and not enter', [{ ...directory('/d'), mode: 0o754 }], true],
])('%s makes an image private: %#', (_, nodes, isHidden) => {
  expect(isPrivate(nodes)).toBe(isHidden);
});

test.each([
  ['all is of root', [directory('/d'), file('/d/a')], true],
  ['a file is of another', [{ ...file('/a'), gid: 5 }], false],
  ['its owner may not read a file', [{ ...file('/a'), mode: 0o044 }], false],
  ['its owner may not enter a directory', [{ ...directory('/d'), mode: 0o455 }], false],
])('a user can make the files of an image: %s', (_, nodes, can) => {
  expect(isUsersOwn(nodes)).toBe(can);
});

test.each([
  ['everything is in it', [directory('/etc'), file('/etc/a'), link('/etc/l', 'a')], '/closure'],
  ['a file is elsewhere', [file('/etc/a'), { ...file('/etc/b'), content: { hostPath: '/store/b' } }], undefined],
  ['a file is nowhere', [file('/etc/a'), { ...file('/etc/b'), content: { bytes: new Uint8Array() } }], undefined],
  ['there is nothing', [], undefined],
])('the directory that has an image: %s', (_, nodes, top) => {
  expect(directoryOf(nodes)).toBe(top as never);
});
