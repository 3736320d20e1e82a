import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  ancestorsOf,
  comparePaths,
  type HostPath,
  hostPath,
  isBelow,
  joinTarget,
  nameOf,
  parentOf,
  parseTargetPath,
  type TargetPath,
} from '../../src/core/path';

/** Few characters, around the slash in every order there is, so that paths share beginnings. */
const name = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '.', '!', '0', '\u0001', 'ä', '\udcff'),
  minLength: 1,
  maxLength: 3,
});
const names = fc.array(
  name.filter((each) => each !== '.' && each !== '..'),
  { maxLength: 4 },
);
const path = names.map((each) => `/${each.join('/')}` as TargetPath);

describe('parseTargetPath', () => {
  test.each([
    ['/', '/'],
    ['//', '/'],
    ['/etc/', '/etc'],
    ['//etc/./ssh//x/.', '/etc/ssh/x'],
    ['/etc/...', '/etc/...'],
    ['/etc/a b\n\udcff', '/etc/a b\n\udcff'],
  ])('reads %j', (text, expected) => {
    expect(parseTargetPath(text)).toBe(expected as TargetPath);
  });

  test.each([
    [''],
    ['etc'],
    ['./etc'],
    ['/etc/../x'],
    ['/..'],
    ['/etc\0/x'],
    ['/etc/\udcc3\udca4'],
    ['/etc/\ud800'],
    ['/etc/\udc2f'],
  ])('refuses %j', (text) => {
    expect(parseTargetPath(text)).toBeUndefined();
  });

  test('leaves what it made as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('/', '.', 'a', '\0') }), (text) => {
        const parsed = parseTargetPath(`/${text}`);
        if (parsed !== undefined) expect(parseTargetPath(parsed)).toBe(parsed);
      }),
    );
  });
});

describe('parts of a path', () => {
  test('parent and name make the path again', () => {
    fc.assert(
      fc.property(path, (each) => {
        if (each !== '/') expect(joinTarget(parentOf(each), nameOf(each))).toBe(each);
      }),
    );
  });

  test('the root is its own parent and has no name', () => {
    expect([parentOf('/' as TargetPath), nameOf('/')] as string[]).toEqual(['/', '']);
  });

  test('ancestors are what the path is below, the topmost first', () => {
    expect(ancestorsOf('/etc/ssh/x' as TargetPath) as string[]).toEqual(['/', '/etc', '/etc/ssh']);
    expect(ancestorsOf('/' as TargetPath)).toEqual([]);
    fc.assert(
      fc.property(path, path, (a, b) => expect(isBelow(a, b)).toBe(ancestorsOf(a).includes(b))),
      { numRuns: 1000 },
    );
  });
});

describe('hostPath', () => {
  test.each([
    ['/', '/', '/'],
    ['/', '/etc', '/etc'],
    ['/mnt', '/', '/mnt'],
    ['/mnt', '/etc', '/mnt/etc'],
  ])('%s and %s', (root, target, expected) => {
    expect(hostPath(root as HostPath, target as TargetPath)).toBe(expected as HostPath);
  });
});

describe('comparePaths', () => {
  test('is a total order', () => {
    fc.assert(
      fc.property(path, path, path, (a, b, c) => {
        expect(comparePaths(a, b) === 0).toBe(a === b);
        expect(Math.sign(comparePaths(a, b)) + Math.sign(comparePaths(b, a))).toBe(0);
        if (comparePaths(a, b) <= 0 && comparePaths(b, c) <= 0) expect(comparePaths(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  test('puts a directory right before what is below it', () => {
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 40 }), (paths) => {
        const sorted = paths.toSorted(comparePaths);
        for (const [index, directory] of sorted.entries()) {
          const below = paths.filter((each) => isBelow(each, directory));
          expect(new Set(sorted.slice(index + 1, index + 1 + below.length))).toEqual(new Set(below));
        }
      }),
    );
  });

  test.each([
    ['/a', '/a/b', '/a-b'],
    ['/', '/!', '/a'],
  ])('%s, %s, %s', (first, second, third) => {
    const sorted = [first, second, third];
    expect(sorted.toReversed().toSorted(comparePaths)).toEqual(sorted);
  });
});
