import { beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { followInStore, type Led, resolveInRoot, storeOf } from '../../../src/system/tree/following';
import { useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

beforeEach(() => {
  mkdirSync(root.on('/nix/store/directory'), { recursive: true });
  mkdirSync(root.on('/etc'));
  writeFileSync(root.on('/nix/store/file'), '');
  writeFileSync(root.on('/nix/store/directory/one'), '');
  writeFileSync(root.on('/etc/hosts'), '');
  for (const [name, text] of Object.entries(links)) symlinkSync(text, root.on(`/nix/store/${name}`));
});

const links = {
  chain: '/nix/store/chain-2',
  'chain-2': 'file',
  through: 'directory',
  out: '/etc/hosts',
  'out-directory': '/etc',
  up: '../../etc/hosts',
  gone: '/nix/store/nothing',
  loop: 'loop',
};

describe('followInStore', () => {
  test.each<[string, Led]>([
    ['/nix/store/file', { state: 'found', path: '/nix/store/file' as never }],
    ['/nix/store/chain', { state: 'found', path: '/nix/store/file' as never }],
    ['/nix/store/through/one', { state: 'found', path: '/nix/store/directory/one' as never }],
    ['/nix/store/through/../file', { state: 'found', path: '/nix/store/file' as never }],
    ['/nix/store/out', { state: 'outside', path: '/etc/hosts' }],
    ['/nix/store/out-directory/nothing/there', { state: 'outside', path: '/etc/nothing/there' }],
    ['/nix/store/up', { state: 'outside', path: '/etc/hosts' }],
    ['/etc/hosts', { state: 'outside', path: '/etc/hosts' }],
    ['/nix/store/gone', { state: 'nowhere' }],
    ['/nix/store/loop', { state: 'loop' }],
  ])('%s', (path, led) => {
    expect(followInStore(root.current, path)).toEqual(led);
  });
});

test.each([
  ['/nix/store/up', '/etc/hosts'],
  ['/nix/store/out-directory/hosts', '/etc/hosts'],
  ['/nix/store/out/../../../../../etc', '/etc'],
  ['/nix/store/gone', undefined],
  ['/nix/store/loop', undefined],
])('in the tree at the root %s is %p', (path, found) => {
  expect(resolveInRoot(root.current, path)).toBe(found as never);
});

test.each([
  ['/nix/store/a/b', '/nix/store'],
  ['/gnu/store/a', '/gnu/store'],
  ['/nix/store', undefined],
  ['/nix/storehouse/a', undefined],
])('%s is in %p', (path, store) => {
  expect(storeOf(path)).toBe(store);
});
