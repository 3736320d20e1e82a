import { describe, expect, test } from 'bun:test';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '../../src/system/locking';
import { readStatus } from '../../src/system/reading';
import { at, failureOf, useTemporaryRoot } from './temporary-root';

const root = useTemporaryRoot();

describe('tryLock', () => {
  test('gives the lock to one at a time', () => {
    const first = tryLock(root.current, at('/lock'));
    expect(tryLock(root.current, at('/lock'))).toBeUndefined();
    first?.release();
    const second = tryLock(root.current, at('/lock'));
    expect(second).toBeDefined();
    first?.release();
    expect(tryLock(root.current, at('/lock'))).toBeUndefined();
    second?.release();
  });

  test('makes a file that only its owner reads', () => {
    const umask = process.umask(0);
    tryLock(root.current, at('/lock'))?.release();
    process.umask(umask);
    expect(readStatus(root.current, at('/lock'))?.mode).toBe(0o600);
  });

  test('is held until the other process ends, though that leaves a child', async () => {
    const script = join(import.meta.dir, 'children', 'hold-lock.ts');
    const holder = spawn(process.execPath, [script, root.current.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(holder.stdout, 'data')) as [Buffer];
    const { held, sleeper } = JSON.parse(line.toString()) as { held: boolean; sleeper: number };
    const during = tryLock(root.current, at('/lock'));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const after = tryLock(root.current, at('/lock'));
    process.kill(sleeper, 0);
    process.kill(sleeper);
    expect([held, during, after === undefined]).toEqual([true, undefined, false]);
    after?.release();
  });

  test.each([
    ['/link', 'ELOOP'],
    ['/alias/lock', 'ELOOP'],
    ['/missing/lock', 'ENOENT'],
    ['/directory', 'EISDIR'],
  ])('refuses %s with %s', (path, errno) => {
    mkdirSync(root.on('/directory'));
    symlinkSync('elsewhere', root.on('/link'));
    symlinkSync('directory', root.on('/alias'));
    expect(failureOf(() => tryLock(root.current, at(path))).slice(0, 3)).toEqual(['IO', errno, path]);
  });
});
