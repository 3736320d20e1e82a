import { describe, expect, test } from 'bun:test';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Lock, tryLock, tryRecordLock } from '../../src/system/locking';
import { readStatus } from '../../src/system/tree/reading';
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

describe('tryRecordLock', () => {
  test('gives the lock to one at a time', () => {
    const first = tryRecordLock(root.current, at('/lock'));
    expect([first.state, tryRecordLock(root.current, at('/lock')).state]).toEqual(['held', 'busy']);
    if (first.state === 'held') first.lock.release();
    const second = tryRecordLock(root.current, at('/lock'));
    expect(second.state).toBe('held');
    if (second.state === 'held') second.lock.release();
  });

  test('keeps out those who lock as lckpwdf does, and is kept out by them', async () => {
    const script = [
      'use Fcntl; open(my $file, "+>>", $ARGV[0]) or die;',
      'my $lock = pack("s s x4 q q l x4", F_WRLCK, 0, 0, 0, 0);',
      'print fcntl($file, F_SETLK, $lock) ? "held" : "busy"; $| = 1; print ""; sleep 60;',
    ].join('\n');
    const lock = async (): Promise<{ state: string; stop: () => Promise<unknown> }> => {
      const child = spawn('perl', ['-e', script, root.on('/lock')], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [state] = (await once(child.stdout, 'data')) as [Buffer];
      const stop = async (): Promise<unknown> => {
        child.kill('SIGKILL');
        return once(child, 'exit');
      };
      return { state: state.toString(), stop };
    };
    const ours = tryRecordLock(root.current, at('/lock'));
    const during = await lock();
    await during.stop();
    if (ours.state === 'held') ours.lock.release();
    const theirs = await lock();
    const busy = tryRecordLock(root.current, at('/lock'));
    await theirs.stop();
    expect([ours.state, during.state, theirs.state, busy.state]).toEqual(['held', 'busy', 'held', 'busy']);
    expect(busy.state === 'busy' && busy.holder?.command.startsWith('perl')).toBe(true);
  });
});
