import { describe, expect, test } from 'bun:test';
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { removeFile } from '../../../src/system/tree/changing';
import { protectTree, removeProtected } from '../../../src/system/tree/protecting';
import { readStatus } from '../../../src/system/tree/reading';
import { at, failureOf, rootTest, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

function makeTree(): void {
  mkdirSync(root.on('/tree/inner'), { recursive: true });
  writeFileSync(root.on('/outside'), 'as it was');
  writeFileSync(root.on('/tree/inner/file'), 'content');
  linkSync(root.on('/tree/inner/file'), root.on('/tree/second-name'));
  symlinkSync('../outside', root.on('/tree/link'));
}

describe('protectTree', () => {
  rootTest('guards files, directories and links against everything, and follows no link', () => {
    makeTree();
    expect(protectTree(root.current, at('/tree'))).toBe('immutable');
    expect(protectTree(root.current, at('/tree'))).toBe('immutable');
    const failures = ['/tree/inner/file', '/tree/link'].map(
      (path) => failureOf(() => removeFile(root.current, at(path)))[1],
    );
    expect(failures).toEqual(['EPERM', 'EPERM']);
    expect(() => writeFileSync(root.on('/tree/inner/file'), 'other')).toThrow('EPERM');
    expect(readStatus(root.current, at('/outside'))?.immutable).toBe(false);
    removeProtected(root.current, at('/tree'));
    expect(readStatus(root.current, at('/tree'))).toBeUndefined();
    expect(readFileSync(root.on('/outside'), 'utf8')).toBe('as it was');
  });
});

describe('removeProtected', () => {
  test('takes what was never protected, and nothing at all', () => {
    makeTree();
    removeProtected(root.current, at('/tree'));
    removeProtected(root.current, at('/tree'));
    expect(readStatus(root.current, at('/tree'))).toBeUndefined();
  });
});
