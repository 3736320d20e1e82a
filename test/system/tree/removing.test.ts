import { describe, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { encodeName } from '../../../src/core/bytes';
import { makeDirectories } from '../../../src/system/tree/changing';
import { removeTree } from '../../../src/system/tree/removing';
import { at, failureOf, hostileNames, rootTest, run, runInNamespace, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

function busy(path: string): readonly string[] {
  return ['IO', 'EBUSY', path, 'cannot remove this: device or resource busy'];
}

describe('removeTree', () => {
  test('removes everything, and what links lead to stays', () => {
    mkdirSync(root.on('/outside'));
    writeFileSync(root.on('/outside/precious'), '');
    makeDirectories(root.current, at('/tree/a/b/c/d'), 0o755);
    symlinkSync('../outside', root.on('/tree/link'));
    symlinkSync(root.on('/outside'), root.on('/tree/a/link'));
    run('mkfifo', root.on('/tree/a/fifo'));
    for (const name of hostileNames) {
      writeFileSync(Buffer.from(encodeName(root.on(`/tree/a/${name}`))), '');
      mkdirSync(Buffer.from(encodeName(root.on(`/tree/a/b/${name}`))));
    }
    removeTree(root.current, at('/tree'));
    expect([readdirSync(root.on('/')), readdirSync(root.on('/outside'))]).toEqual([['outside'], ['precious']]);
  });

  test('removes a single file, or a link itself', () => {
    writeFileSync(root.on('/file'), '');
    symlinkSync('file', root.on('/link'));
    removeTree(root.current, at('/link'));
    expect(readdirSync(root.on('/'))).toEqual(['file']);
    removeTree(root.current, at('/file'));
    expect(readdirSync(root.on('/'))).toEqual([]);
  });

  test('is content where nothing is, and does not look behind symlinks', () => {
    mkdirSync(root.on('/directory'));
    writeFileSync(root.on('/directory/file'), '');
    symlinkSync('directory', root.on('/link'));
    for (const path of ['/missing', '/missing/x', '/directory/file/x', '/link/file'])
      removeTree(root.current, at(path));
    expect(readdirSync(root.on('/directory'))).toEqual(['file']);
  });

  rootTest('says which path cannot be removed', () => {
    makeDirectories(root.current, at('/tree/a'), 0o755);
    writeFileSync(root.on('/tree/a/file'), '');
    run('chattr', '+i', root.on('/tree/a/file'));
    const failure = failureOf(() => removeTree(root.current, at('/tree')));
    run('chattr', '-i', root.on('/tree/a/file'));
    expect(failure).toEqual(['PERMISSION', 'EPERM', '/tree/a/file', 'cannot remove this: operation not permitted']);
  });

  rootTest('stops at mount points before anything is removed', () => {
    const hostile = 'a b\\c\td\ne#ä';
    const { EXDEV } = constants.errno;
    expect(runInNamespace('mounts.ts', root.current.path)).toEqual({
      directory: busy(`/tree/${hostile}`),
      itself: busy(`/tree/${hostile}`),
      file: busy('/tree/file'),
      mountRoot: true,
      listed: [[root.on(`/tree/${hostile}`), false]],
      covered: [['ramfs', true]],
      crossing: [
        [-EXDEV, -EXDEV, true, true],
        [-EXDEV, -EXDEV, true, true],
      ],
      left: [[hostile, 'file', 'plain'].sort(), ['file'], ['precious']],
    });
  });
});
