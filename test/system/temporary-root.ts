import { afterEach, beforeEach, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActivateError } from '../../src/core/errors';
import type { TargetPath } from '../../src/core/path';
import { closeRoot, openRoot, type Root } from '../../src/system/tree/rooted';
import { errnoOf } from '../../src/system/syscalls/errno';

/** A path that a test takes for granted. */
export function at(text: string): TargetPath {
  return text as TargetPath;
}

/** Names that break programs which quote, split, expand or decode names carelessly. */
export const hostileNames = [
  'with space',
  ' ',
  "it's",
  '"quoted"',
  '%h%%',
  '*',
  '[a-z]?',
  '~',
  '$HOME',
  '`id`',
  '-rf',
  'back\\slash',
  'tab\tnewline\nreturn\r',
  '\u0001\u001b[31m\u007f',
  'ä€😀',
  '\ufffd',
  '\ufeff',
  '\udcff',
  'cut\udce2\udc82',
  '...',
  'x'.repeat(255),
];

/** A fresh root directory for each test of a file, removed afterwards. */
export function useTemporaryRoot(): { readonly current: Root; on(path: string): string } {
  let current: Root | undefined;
  beforeEach(() => {
    current = openRoot(mkdtempSync(join(tmpdir(), 'activate-test-')));
  });
  afterEach(() => {
    if (current === undefined) return;
    closeRoot(current);
    run('rm', '-rf', '--', current.path);
  });
  const root = (): Root => {
    if (current === undefined) throw new Error('there is a root only while a test runs');
    return current;
  };
  return {
    get current() {
      return root();
    },
    /** The path for other programs than `activate`. */
    on: (path) => root().path + path,
  };
}

/** What a program prints; a failure of it is one of the test. */
export function run(name: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(name, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Runs a script of test/system/children, in a mount namespace of its own, and gives the JSON that it prints. */
export function runInNamespace(script: string, ...args: readonly string[]): unknown {
  const child = join(import.meta.dir, 'children', script);
  return JSON.parse(run('unshare', '--mount', '--propagation', 'private', process.execPath, child, ...args));
}

/** What a failing call tells: code, errno, path, message. */
export function failureOf(action: () => unknown): readonly (string | undefined)[] {
  try {
    action();
  } catch (error) {
    if (error instanceof ActivateError) return [error.code, errnoOf(error), error.path, error.message];
    throw error;
  }
  throw new Error('this was expected to fail');
}

/** A test of what only root can do or set up: other owners, mounts, immutable files. */
export const rootTest = test.skipIf(process.geteuid?.() !== 0);
if (process.geteuid?.() !== 0)
  console.warn('Not root: tests with other owners, mounts and immutable files are skipped.');
