import { describe, expect, test } from 'bun:test';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { readStatus } from '../../../src/system/tree/reading';
import { closeRoot, openRoot } from '../../../src/system/tree/rooted';
import { at, failureOf, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

describe('openRoot', () => {
  test('resolves symlinks', () => {
    mkdirSync(root.on('/real'));
    symlinkSync('real', root.on('/link'));
    const opened = openRoot(root.on('/./link/../link'));
    expect(opened.path as string).toBe(root.on('/real'));
    closeRoot(opened);
  });

  test('works below directories whose names are not UTF-8', () => {
    mkdirSync(Buffer.concat([Buffer.from(root.on('/')), Buffer.of(0xff)]));
    const opened = openRoot(root.on('/\udcff'));
    expect(opened.path as string).toBe(root.on('/\udcff'));
    closeRoot(opened);
  });

  test('stays with the directory when it is renamed', () => {
    mkdirSync(root.on('/before'));
    writeFileSync(root.on('/before/file'), '');
    const opened = openRoot(root.on('/before'));
    renameSync(root.on('/before'), root.on('/after'));
    expect(readStatus(opened, at('/file'))?.kind).toBe('file');
    closeRoot(opened);
  });

  test('refuses what is no directory', () => {
    writeFileSync(root.on('/file'), '');
    const path = root.on('/file');
    expect(failureOf(() => openRoot(path))).toEqual([
      'IO',
      'ENOTDIR',
      path,
      'cannot open the root directory: not a directory',
    ]);
    const missing = root.on('/missing');
    expect(failureOf(() => openRoot(missing))).toEqual([
      'IO',
      'ENOENT',
      missing,
      'cannot open the root directory: no such file or directory',
    ]);
  });
});
