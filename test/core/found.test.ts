import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { overlayLinkText } from '../../src/core/entry';
import { describeFound, type Found, foundAt, foundOf, sameFound, sameOwnership } from '../../src/core/found';
import {
  actualOf,
  anyEntries,
  copied,
  direct,
  directory,
  foundDirectory,
  foundFile,
  foundLink,
  linked,
  path,
  seeded,
  whole,
} from '../support/entries';

test('an entry that is in place looks like this', () => {
  expect(foundOf(linked('/etc/a'))).toEqual(foundLink('/run/filesystem-overlay/etc/a'));
  expect(foundOf(whole('/etc/a'))).toEqual(foundLink(overlayLinkText(path('/etc/a'))));
  expect(foundOf(direct('/etc/a', 'x'))).toEqual(foundLink('x'));
  expect(foundOf(copied('/etc/a', 'd', 0o600))).toEqual(foundFile('d', 0o600));
  expect(foundOf(seeded('/etc/a', 'd'))).toEqual(foundFile('d'));
  expect(foundOf(directory('/etc/a', { mode: 0o700, named: true }))).toEqual(foundDirectory(0o700));
});

test('what is there is what was recorded, unless it deviates', () => {
  const actual = actualOf({ deviations: { '/etc/a': foundFile(), '/etc/b': 'absent' } });
  const entry = direct('/etc/c');
  expect(foundAt(actual, path('/etc/a'), entry)).toEqual(foundFile());
  expect(foundAt(actual, path('/etc/b'), entry)).toBeUndefined();
  expect(foundAt(actual, path('/etc/c'), entry)).toEqual(foundLink('x'));
  expect(foundAt(actual, path('/etc/c'), undefined)).toBeUndefined();
});

describe('two things are the same', () => {
  const things: readonly Found[] = [
    foundLink('x'),
    foundLink('y'),
    foundFile('a'),
    foundFile('b'),
    foundFile('a', 0o600),
    { kind: 'file', mode: 0o644, uid: 0, gid: 0, sizeBytes: 2, digest: 'a' },
    foundDirectory(),
    foundDirectory(0o700),
    foundDirectory(0o755, 7),
    { kind: 'special', what: 'fifo' },
    { kind: 'special', what: 'socket' },
  ];

  test('where they cannot be told apart', () => {
    for (const a of things) for (const b of things) expect(sameFound(a, { ...b })).toBe(a === b);
  });

  test('but files are not whose content was not read', () => {
    expect(sameFound(foundFile(), foundFile())).toBe(false);
    expect(sameFound(foundFile('a'), foundFile())).toBe(false);
  });

  test('and every entry is as it was placed, where its content is known', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        for (const entry of entries) {
          const [a, b] = [foundOf(entry), foundOf({ ...entry })];
          expect(sameFound(a, b)).toBe(true);
        }
      }),
    );
  });
});

test('owners are the same in all three', () => {
  const owner = { mode: 0o644, uid: 1, gid: 2 };
  expect(sameOwnership(owner, { ...owner })).toBe(true);
  for (const key of ['mode', 'uid', 'gid']) expect(sameOwnership(owner, { ...owner, [key]: 9 })).toBe(false);
});

test('what is there is said in a few words', () => {
  const things: Found[] = [foundFile(), foundDirectory(), foundLink('/x'), { kind: 'special', what: 'block device' }];
  expect(things.map(describeFound)).toEqual(['a file', 'a directory', 'a link to /x', 'a block device']);
});
