import { describe, expect, test } from 'bun:test';
import {
  detectFormat,
  isSidecarName,
  type Item,
  itemsBelow,
  type Listing,
  readSidecars,
  refuseLoops,
} from '../../../src/core/closure/listing';
import { path } from '../../support/entries';

const plain = { mode: 0o644, uid: 0, gid: 0 };

/** A listing: a text is a link, `true` a directory, a number the size of a file. */
function listingOf(items: Readonly<Record<string, string | number | true>>): Listing {
  return { closure: '/c', items: Object.entries(items).map(([at, what]) => itemOf(at, what)) };
}

function itemOf(at: string, what: string | number | true): Item {
  if (typeof what === 'string') return { path: path(at), kind: 'symlink', linkText: what };
  if (what === true) return { path: path(at), kind: 'directory', ...plain, mode: 0o755 };
  return { path: path(at), kind: 'file', ...plain, sizeBytes: what };
}

function sidecar(at: string, text?: string): Item {
  return { path: path(at), kind: 'file', ...plain, sizeBytes: 5, ...(text === undefined ? {} : { text }) };
}

function loopIn(items: Readonly<Record<string, string | number | true>>): string {
  try {
    refuseLoops(listingOf(items));
    return 'fine';
  } catch (error) {
    return (error as { path?: string }).path ?? String(error);
  }
}

describe('a link that leads back to itself is refused:', () => {
  test.each<[string, Readonly<Record<string, string | number | true>>, string]>([
    ['to itself', { '/etc/a': 'a' }, '/etc/a'],
    ['by an absolute text', { '/etc/a': '/etc/a' }, '/etc/a'],
    ['by a detour', { '/etc/a': '../etc/./b/../a' }, '/etc/a'],
    ['with others', { '/etc/a': 'b', '/etc/b': '/etc/c', '/etc/c': 'a' }, '/etc/a'],
    ['through a directory that is a link', { '/etc/a': 'b', '/etc/b/x': 1, '/etc/b': 'a' }, '/etc/a'],
    ['into itself', { '/etc/a': 'a/b/c' }, '/etc/a'],
    ['through the pointer', { '/etc/a': '/run/filesystem-overlay/etc/a' }, '/etc/a'],
    ['through the pointer and another', { '/etc/a': '/run/filesystem-overlay/etc/b', '/etc/b': 'a' }, '/etc/a'],
    ['in another root', { '/etc/a': '/opt/b', '/opt/b': '/etc/a' }, '/etc/a'],
  ])('%s', (_, items, expected) => {
    expect(loopIn(items)).toBe(expected);
  });

  test.each<[string, Readonly<Record<string, string | number | true>>]>([
    ['a dangling link', { '/etc/a': 'nowhere' }],
    ['a link out of the closure', { '/etc/a': '/usr/share/x', '/etc/b': '../../../x' }],
    ['a link with the name of another', { '/etc/a': '/run/x/etc/a', '/etc/b': '/etc/c' }],
    ['a link to its own directory', { '/etc/a': '.', '/etc/b': '..' }],
    ['many links in a row', Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`/etc/${at}`, `${at + 1}`]))],
    ['a link through the pointer to something else', { '/etc/a': '/run/filesystem-overlay/etc/b', '/etc/b': 1 }],
    ['the pointer itself', { '/etc/a': '/run/filesystem-overlay' }],
  ])('and this is none: %s', (_, items) => {
    expect(loopIn(items)).toBe('fine');
  });
});

describe('a format is seen', () => {
  const nix = { store: '/nix/store', names: new Set(['etc']) };

  test.each<[string, Readonly<Record<string, string | number | true>>, Parameters<typeof detectFormat>[1], string]>([
    ['in the Guix store', {}, { store: '/gnu/store', names: new Set() }, 'guix'],
    ['by what is beside etc', {}, { store: undefined, names: new Set(['etc', 'profile', 'parameters']) }, 'guix'],
    ['outside a store', { '/etc/a': '/nix/store/x' }, { store: undefined, names: new Set() }, 'tree'],
    ['in the Nix store, of links alone', { '/etc': true, '/etc/a': '/nix/store/x' }, nix, 'nixos'],
    ['in the Nix store, of links with sidecars', { '/etc/a': 'x', '/etc/a.mode': 4, '/etc/a.uid': 2 }, nix, 'nixos'],
    ['in the Nix store, of files', { '/etc/a': 1 }, nix, 'tree'],
    ['in the Nix store, of files that look like sidecars', { '/etc/a.mode': 1 }, nix, 'tree'],
    ['in the Nix store, of a file among links', { '/etc/a': 'x', '/etc/b': 1 }, nix, 'tree'],
  ])('%s', (_, items, hints, format) => {
    expect(detectFormat(listingOf(items), hints)).toBe(format as 'tree');
  });
});

test('a sidecar has a name of its own before the ending', () => {
  expect(['a.mode', 'a.b.uid', '.x.gid', 'a\n.mode'].map(isSidecarName)).toEqual([true, true, true, true]);
  expect(['.mode', 'a.modes', 'mode', 'a.MODE'].map(isSidecarName)).toEqual([false, false, false, false]);
});

test('sidecars are read without the newline at their end', () => {
  const items = [
    sidecar('/etc/a.gid', '+3'),
    sidecar('/etc/a.mode', '0440\n'),
    sidecar('/etc/b.uid', ' x '),
    sidecar('/etc/c.mode'),
  ];
  expect(readSidecars({ closure: '/c', items })).toEqual(
    new Map([
      ['/etc/a', { gid: '+3', mode: '0440' }],
      ['/etc/b', { uid: 'x' }],
    ]),
  );
});

test('what is below a directory is found, and neither it nor its neighbours', () => {
  const listing = listingOf({ '/etc/a': true, '/etc/a/b': 1, '/etc/a/c/d': 1, '/etc/ab': 1 });
  expect(itemsBelow(listing, path('/etc/a')).map((item) => String(item.path))).toEqual(['/etc/a/b', '/etc/a/c/d']);
});
