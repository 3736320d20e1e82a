import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { encodeName } from '../../../src/core/bytes';
import {
  changeMode,
  changeOwner,
  changeTimes,
  exchangePaths,
  makeDirectories,
  makeDirectory,
  makeSymlink,
  removeDirectory,
  removeFile,
  renamePath,
  replacePath,
  syncFilesystem,
} from '../../../src/system/tree/changing';
import { listDirectory, readLinkText, readStatus } from '../../../src/system/tree/reading';
import type { Root } from '../../../src/system/tree/rooted';
import { at, failureOf, hostileNames, rootTest, run, runInNamespace, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

let umask = 0;
beforeEach(() => {
  umask = process.umask(0o077);
});
afterEach(() => {
  process.umask(umask);
});

function modeOf(path: string): string | undefined {
  return readStatus(root.current, at(path))?.mode.toString(8);
}

function namesIn(path: string): string[] {
  return readdirSync(root.on(path)).sort();
}

describe('every change', () => {
  const changes: readonly (readonly [string, (root: Root, path: string) => unknown])[] = [
    ['makeDirectory', (root, path) => makeDirectory(root, at(path), 0o755)],
    ['makeDirectories', (root, path) => makeDirectories(root, at(path), 0o755)],
    ['makeSymlink', (root, path) => makeSymlink(root, at(path), 'x')],
    ['removeFile', (root, path) => removeFile(root, at(path))],
    ['removeDirectory', (root, path) => removeDirectory(root, at(path))],
    ['exchangePaths from', (root, path) => exchangePaths(root, at(path), at('/file'))],
    ['renamePath to', (root, path) => renamePath(root, at('/file'), at(path))],
    ['replacePath to', (root, path) => replacePath(root, at('/file'), at(path))],
    ['changeOwner', (root, path) => changeOwner(root, at(path), 1, 1)],
    ['changeMode', (root, path) => changeMode(root, at(path), 0o600)],
    ['changeTimes', (root, path) => changeTimes(root, at(path), 1n)],
    ['syncFilesystem', (root, path) => syncFilesystem(root, at(path))],
  ];

  test.each(changes)('%s does not go through a symlink, nor below a file', (_, change) => {
    mkdirSync(root.on('/outside'));
    writeFileSync(root.on('/outside/victim'), 'as it was');
    writeFileSync(root.on('/file'), '');
    mkdirSync(root.on('/directory'));
    symlinkSync('../outside', root.on('/directory/relative'));
    symlinkSync(root.on('/outside'), root.on('/directory/absolute'));
    const before = lstatSync(root.on('/outside/victim'), { bigint: true });
    for (const [path, errno] of [
      ['/directory/relative/victim', 'ELOOP'],
      ['/directory/absolute/victim', 'ELOOP'],
      ['/directory/absolute/new', 'ELOOP'],
      ['/file/new', 'ENOTDIR'],
    ] as const) {
      const [code, found] = failureOf(() => change(root.current, path));
      expect([code, found]).toEqual(['IO', errno]);
    }
    expect(lstatSync(root.on('/outside/victim'), { bigint: true })).toEqual(before);
    expect(namesIn('/outside')).toEqual(['victim']);
  });

  test('works with hostile names', () => {
    for (const name of hostileNames) {
      const path = at(`/${name}`);
      makeDirectory(root.current, path, 0o755);
      makeSymlink(root.current, at(`${path}/${name}`), name);
      expect(readlinkSync(Buffer.from(encodeName(root.on(`/${name}/${name}`))), 'buffer')).toEqual(
        Buffer.from(encodeName(name)),
      );
      renamePath(root.current, at(`${path}/${name}`), at('/aside'));
      exchangePaths(root.current, path, at('/aside'));
      expect(readLinkText(root.current, path)).toBe(name);
      removeFile(root.current, path);
      removeDirectory(root.current, at('/aside'));
    }
    expect(namesIn('/')).toEqual([]);
  });

  test('refuses a NUL', () => {
    expect(failureOf(() => makeSymlink(root.current, at('/link'), 'a\0b')).slice(0, 2)).toEqual(['IO', 'EINVAL']);
    expect(namesIn('/')).toEqual([]);
  });

  rootTest('is refused with a hint to whoever may not make it', () => {
    expect(runInNamespace('as-nobody.ts', root.current.path)).toEqual({
      link: ['PERMISSION', 'EACCES', '/theirs/link', 'cannot create the link: permission denied'],
      hint: 'Run as root.',
      mode: ['PERMISSION', 'EPERM', '/theirs', 'cannot change the mode: operation not permitted'],
      file: ['PERMISSION', 'EACCES', '/secret', 'cannot read the file: permission denied'],
      closed: ['PERMISSION', 'EACCES', '/closed/x', 'cannot look at this: permission denied'],
      answers: ['denied', 'yes'],
      own: '2770',
    });
  });
});

describe('directories', () => {
  test.each([0o755, 0o777, 0o1777, 0o2755, 0o0, 0o500])('get exactly the mode, whatever the umask (%o)', (mode) => {
    makeDirectory(root.current, at('/directory'), mode);
    makeDirectories(root.current, at('/a/b'), (mode & 0o777) | 0o700);
    expect([modeOf('/directory'), modeOf('/a'), modeOf('/a/b')]).toEqual([
      mode.toString(8),
      ((mode & 0o777) | 0o700).toString(8),
      ((mode & 0o777) | 0o700).toString(8),
    ]);
  });

  test('do not inherit a set-group-ID bit that was not asked for', () => {
    makeDirectory(root.current, at('/shared'), 0o2775);
    makeDirectory(root.current, at('/shared/plain'), 0o755);
    expect(modeOf('/shared/plain')).toBe('755');
  });

  test('are made with their parents, and left alone where they exist', () => {
    makeDirectory(root.current, at('/a'), 0o700);
    makeDirectories(root.current, at('/a/b/c'), 0o755);
    makeDirectories(root.current, at('/a/b/c'), 0o700);
    makeDirectories(root.current, at('/'), 0o700);
    expect(['/a', '/a/b', '/a/b/c'].map(modeOf)).toEqual(['700', '755', '755']);
  });

  test('are not taken for made where a file or symlink is', () => {
    writeFileSync(root.on('/file'), '');
    symlinkSync('.', root.on('/link'));
    const failures = ['/file', '/link'].map(
      (path) => failureOf(() => makeDirectories(root.current, at(path), 0o755))[1],
    );
    expect(failures).toEqual(['ENOTDIR', 'ELOOP']);
    expect(failureOf(() => makeDirectory(root.current, at('/link'), 0o755))[1]).toBe('EEXIST');
  });

  test('are removed when empty only', () => {
    makeDirectories(root.current, at('/a/b'), 0o755);
    expect(failureOf(() => removeDirectory(root.current, at('/a')))).toEqual([
      'IO',
      'ENOTEMPTY',
      '/a',
      'cannot remove the directory: directory not empty',
    ]);
    removeDirectory(root.current, at('/a/b'));
    removeDirectory(root.current, at('/a'));
    expect(namesIn('/')).toEqual([]);
  });
});

describe('files and links', () => {
  test('are removed without looking where a link leads', () => {
    mkdirSync(root.on('/directory'));
    symlinkSync('directory', root.on('/link'));
    removeFile(root.current, at('/link'));
    expect(namesIn('/')).toEqual(['directory']);
    expect(failureOf(() => removeFile(root.current, at('/directory')))[1]).toBe('EISDIR');
    expect(failureOf(() => removeFile(root.current, at('/link')))[1]).toBe('ENOENT');
  });

  test('are never made over something', () => {
    writeFileSync(root.on('/file'), 'kept');
    expect(failureOf(() => makeSymlink(root.current, at('/file'), 'x'))).toEqual([
      'IO',
      'EEXIST',
      '/file',
      'cannot create the link: file exists',
    ]);
    expect(failureOf(() => makeSymlink(root.current, at('/empty'), ''))[1]).toBe('ENOENT');
  });
});

describe('names', () => {
  test('are exchanged, a directory with a symlink', () => {
    makeDirectories(root.current, at('/a/directory/inside'), 0o755);
    makeSymlink(root.current, at('/link'), 'target');
    exchangePaths(root.current, at('/a/directory'), at('/link'));
    expect(readLinkText(root.current, at('/a/directory'))).toBe('target');
    expect(listDirectory(root.current, at('/link'))).toEqual([{ name: 'inside', kind: 'directory' }]);
    expect(failureOf(() => exchangePaths(root.current, at('/link'), at('/missing')))).toEqual([
      'IO',
      'ENOENT',
      '/link',
      'cannot exchange this with /missing: no such file or directory',
    ]);
  });

  test('are renamed over nothing, or replaced', () => {
    makeSymlink(root.current, at('/a'), 'a');
    makeSymlink(root.current, at('/b'), 'b');
    expect(failureOf(() => renamePath(root.current, at('/a'), at('/b')))).toEqual([
      'IO',
      'EEXIST',
      '/a',
      'cannot rename this to /b: file exists',
    ]);
    replacePath(root.current, at('/a'), at('/b'));
    renamePath(root.current, at('/b'), at('/c'));
    expect(namesIn('/')).toEqual(['c']);
    expect(readLinkText(root.current, at('/c'))).toBe('a');
  });
});

describe('owner, mode and times', () => {
  rootTest('the owner of a link is its own', () => {
    writeFileSync(root.on('/file'), '');
    symlinkSync('file', root.on('/link'));
    changeOwner(root.current, at('/link'), 1234, 4_000_000_000);
    const owners = ['/file', '/link'].map((path) => readStatus(root.current, at(path)));
    expect(owners.map((status) => [status?.uid, status?.gid])).toEqual([
      [0, 0],
      [1234, 4_000_000_000],
    ]);
  });

  test.each([0o0, 0o4755, 0o2755, 0o1644, 0o7777])('the mode is set exactly (%o)', (mode) => {
    writeFileSync(root.on('/file'), '');
    mkdirSync(root.on('/directory'));
    for (const path of ['/file', '/directory']) {
      changeMode(root.current, at(path), mode);
      expect(modeOf(path)).toBe(mode.toString(8));
    }
  });

  rootTest('the mode of a file that nobody may open is changed', () => {
    writeFileSync(root.on('/file'), '');
    chmodSync(root.on('/file'), 0);
    changeMode(root.current, at('/file'), 0o640);
    expect(modeOf('/file')).toBe('640');
  });

  test('only files and directories have modes, and nothing hangs', () => {
    writeFileSync(root.on('/file'), '', { mode: 0o600 });
    symlinkSync('file', root.on('/link'));
    run('mkfifo', root.on('/fifo'));
    expect(failureOf(() => changeMode(root.current, at('/link'), 0o777)).slice(1, 3)).toEqual(['ELOOP', '/link']);
    expect(failureOf(() => changeMode(root.current, at('/fifo'), 0o777)).slice(1, 3)).toEqual(['EINVAL', '/fifo']);
    expect(modeOf('/file')).toBe('600');
  });

  test.each([0n, 1n, 999_999_999n, 1_700_000_000_123_456_789n, -1n, -1_500_000_001n])(
    'times are set to the nanosecond, of files, directories and links (%d)',
    (mtimeNs) => {
      writeFileSync(root.on('/file'), '');
      mkdirSync(root.on('/directory'));
      symlinkSync('file', root.on('/link'));
      for (const path of ['/link', '/directory', '/file']) {
        const { atimeNs } = lstatSync(root.on(path), { bigint: true });
        changeTimes(root.current, at(path), mtimeNs);
        expect([
          readStatus(root.current, at(path))?.mtimeNs,
          lstatSync(root.on(path), { bigint: true }).atimeNs,
        ]).toEqual([mtimeNs, atimeNs]);
      }
    },
  );
});

describe('syncFilesystem', () => {
  test('takes a file or a directory', () => {
    writeFileSync(root.on('/file'), '');
    syncFilesystem(root.current, at('/'));
    syncFilesystem(root.current, at('/file'));
    expect(failureOf(() => syncFilesystem(root.current, at('/missing')))[1]).toBe('ENOENT');
  });
});
