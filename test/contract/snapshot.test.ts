import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { copyRealEtc, mutateTree } from '../support/debian';
import { makeSandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const SHA256_OF_X = '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881';
const BEGINNING = new Date(1_000_000_000_000);

test('a snapshot holds everything that can be seen of a tree', async () => {
  await withSandbox(({ root, on }) => {
    chmodSync(root, 0o755);
    rmSync(on('/run'), { recursive: true });
    rmSync(on('/var'), { recursive: true });
    writeFileSync(on('/etc/file'), 'x');
    chownSync(on('/etc/file'), 1, 2);
    chmodSync(on('/etc/file'), 0o4750);
    utimesSync(on('/etc/file'), BEGINNING, BEGINNING);
    symlinkSync('no where', on('/etc/link'));
    lutimesSync(on('/etc/link'), BEGINNING, BEGINNING);
    spawnSync('setfattr', ['-n', 'user.colour', '-v', 'red', on('/etc/file')]);
    const time = `${BEGINNING.getTime()}000000`;
    expect(takeSnapshot(root)).toEqual([
      { path: '/', kind: 'directory', mode: '0755', uid: 0, gid: 0 },
      { path: '/etc', kind: 'directory', mode: '0755', uid: 0, gid: 0 },
      {
        path: '/etc/file',
        kind: 'file',
        mode: '4750',
        uid: 1,
        gid: 2,
        sha256: SHA256_OF_X,
        mtimeNs: time,
        xattrs: { 'user.colour': '0x726564' },
      },
      { path: '/etc/link', kind: 'symlink', uid: 0, gid: 0, linkText: 'no where', mtimeNs: time },
    ]);
  });
});

test('a snapshot tells all names apart, and finds their attributes', async () => {
  await withSandbox(({ on }) => {
    const names = [[0xff], [0xfe], [0x5c], [0x5c, 0x78, 0x66, 0x66], [0x0a], [0xc3, 0xa4], [0x20], [0x3d]].map(
      (bytes) => Buffer.from(bytes),
    );
    for (const name of names) {
      writeFileSync(Buffer.concat([Buffer.from(`${on('/etc')}/`), name]), name);
    }
    spawnSync('sh', ['-c', 'for f in *; do setfattr -n user.x -v y "$f"; done'], { cwd: on('/etc') });
    const seen = takeSnapshot(on('/etc')).slice(1);
    const expected = ['/\\x0a', '/ ', '/=', '/\\x5c', '/\\x5cxff', '/\\xfe', '/\\xff', '/ä'];
    expect(seen.map(({ path }) => path)).toEqual(expected.toSorted());
    expect(seen.map(({ xattrs }) => xattrs)).toEqual(seen.map(() => ({ 'user.x': '0x79' })));
  });
});

const etcWithFile = { path: '/file', kind: 'file', mode: '0644', uid: 0, gid: 0, sha256: 'aa', mtimeNs: '1' } as const;
const differing: readonly [string, (file: string) => void, string[]][] = [
  ['nothing', () => {}, []],
  ['content', (file) => appendFileSync(file, 'x'), ['sha256', 'mtimeNs']],
  ['a time', (file) => utimesSync(file, BEGINNING, BEGINNING), ['mtimeNs']],
  ['a mode', (file) => chmodSync(file, 0o600), ['mode']],
  ['an owner', (file) => chownSync(file, 1, 1), ['uid', 'gid']],
  ['an ACL', (file) => spawnSync('setfacl', ['-m', 'u:1:rw', file]), ['mode', 'xattrs']],
  ['an attribute', (file) => spawnSync('setfattr', ['-n', 'user.x', '-v', '1', file]), ['xattrs']],
  ['the object', (file) => replaceByItself(file), ['inode']],
];

test.each(differing)('comparing finds a difference in %s', (_, change, fields) => {
  const { on, remove } = makeSandbox();
  writeFileSync(on('/etc/file'), 'x');
  const before = takeSnapshot(on('/etc'), { inodes: true });
  change(on('/etc/file'));
  const differences = compareSnapshots(before, takeSnapshot(on('/etc'), { inodes: true }), { times: true });
  remove();
  expect(differences.map((difference) => difference.split(' ').slice(0, 2).join(' '))).toEqual(
    fields.map((field) => `/file: ${field}`),
  );
});

function replaceByItself(file: string): void {
  spawnSync('cp', ['-a', file, `${file}.new`]);
  renameSync(`${file}.new`, file);
}

test('comparing names what appeared, went and changed its kind, and leaves times out where they do not count', () => {
  const link = { path: '/file', kind: 'symlink', uid: 0, gid: 0, linkText: 'x' } as const;
  expect(compareSnapshots([etcWithFile], [], { times: true })).toEqual(['/file: disappeared (file)']);
  expect(compareSnapshots([], [etcWithFile], { times: true })).toEqual(['/file: appeared (file)']);
  expect(compareSnapshots([etcWithFile], [link], { times: true })).toEqual(['/file: file became symlink']);
  expect(compareSnapshots([etcWithFile], [{ ...etcWithFile, mtimeNs: '2' }], { times: false })).toEqual([]);
});

test('a real /etc has a thousand paths, and its second version differs exactly where it is said to', async () => {
  await withSandbox(({ root }) => {
    const tree = join(root, 'closure');
    copyRealEtc(tree);
    const before = takeSnapshot(tree);
    expect(before.length).toBeGreaterThan(1_000);
    const mutations = mutateTree(tree);
    const differences = compareSnapshots(before, takeSnapshot(tree), { times: false });
    const isNamed = (path: string): boolean =>
      mutations.some(
        (mutation) =>
          path === mutation.path || path.startsWith(`${mutation.path}/`) || mutation.path.startsWith(`${path}/`),
      );
    const changed = differences.map((difference) => difference.slice(0, difference.indexOf(': ')));
    expect(changed.filter((path) => !isNamed(path))).toEqual([]);
    const isSeen = (path: string): boolean => changed.some((each) => each === path || each.startsWith(`${path}/`));
    expect(mutations.filter(({ path }) => !isSeen(path))).toEqual([]);
    expect(readFileSync('/etc/hosts')).toEqual(readFileSync(join(tree, 'etc/hosts')));
  });
});

test('a sandbox goes away, immutable files and strange names included', () => {
  const { root, on, remove } = makeSandbox();
  expect(readdirSync(root).toSorted()).toEqual(['etc', 'run', 'var']);
  mkdirSync(on('/etc/kept'));
  writeFileSync(Buffer.concat([Buffer.from(`${on('/etc/kept')}/`), Buffer.from([0xff])]), '');
  spawnSync('chattr', ['-R', '+i', on('/etc/kept')]);
  remove();
  expect(() => readdirSync(root)).toThrow('ENOENT');
});
