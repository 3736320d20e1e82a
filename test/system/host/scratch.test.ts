import { expect, test } from 'bun:test';
import { statSync, writeFileSync } from 'node:fs';
import { withScratch } from '../../../src/system/host/scratch';

test("withScratch gives a directory that is this user's alone, and leaves nothing of it", () => {
  let path = '';
  const mode = withScratch((scratch) => {
    path = scratch.path;
    writeFileSync(`${path}/secret`, '');
    return statSync(path).mode & 0o7777;
  });
  expect([mode, statSync(path, { throwIfNoEntry: false })]).toEqual([0o700, undefined]);
});

test('withScratch leaves nothing where the task fails', () => {
  let path = '';
  const failing = (): never =>
    withScratch((scratch) => {
      path = scratch.path;
      throw new Error('it fails');
    });
  expect(failing).toThrow('it fails');
  expect([path !== '', statSync(path, { throwIfNoEntry: false })]).toEqual([true, undefined]);
});
