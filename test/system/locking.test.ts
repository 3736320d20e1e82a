import { describe, expect, test } from 'bun:test';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, tryLock } from '../../src/system/locking';
import { readStatus } from '../../src/system/reading';
import { at, failureOf, useTemporaryRoot } from './temporary-root';

const root = useTemporaryRoot();

/** The lock, or the process that has it. */
function take(path: string): Lock | number {
  const taken = tryLock(root.current, at(path));
  return taken.state === 'held' ? taken.lock : (taken.holder?.pid ?? 0);
}

function release(lock: Lock | number): void {
  if (typeof lock === 'number') throw new Error(`the lock is held by ${lock}`);
  lock.release();
}

describe('tryLock', () => {
  test('gives the lock to one at a time, who is named to the others', () => {
    const first = take('/lock');
    expect(take('/lock')).toBe(process.pid);
    release(first);
    const second = take('/lock');
    expect(take('/lock')).toBe(process.pid);
    release(first);
    expect(take('/lock')).toBe(process.pid);
    release(second);
  });

  test('makes a file that only its owner reads', () => {
    const umask = process.umask(0);
    release(take('/lock'));
    process.umask(umask);
    expect(readStatus(root.current, at('/lock'))?.mode).toBe(0o600);
  });

  test('is held until the other process ends, though that leaves a child', async () => {
    const script = join(import.meta.dir, 'children', 'hold-lock.ts');
    const holder = spawn(process.execPath, [script, root.current.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(holder.stdout, 'data')) as [Buffer];
    const { held, sleeper } = JSON.parse(line.toString()) as { held: boolean; sleeper: number };
    const during = take('/lock');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const after = take('/lock');
    process.kill(sleeper, 0);
    process.kill(sleeper);
    expect([held, during]).toEqual([true, holder.pid ?? 0]);
    release(after);
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
