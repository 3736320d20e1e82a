import { afterAll, beforeAll, expect, test } from 'bun:test';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { makeTemporaryDirectory } from '../support/sandbox';
import { scenarios } from '../support/sweep/scenarios';
import type { Swept } from '../support/sweep/worker';

const WORKERS = 2;
/** Tries one of so many points alone, where somebody is in a hurry. */
const SPARSE = Number(process.env['SPARSE'] ?? 1);

let directory = '';
beforeAll(() => {
  directory = makeTemporaryDirectory();
});
afterAll(() => rmSync(directory, { recursive: true }));

test.each(Object.keys(scenarios))(
  'nothing is lost, whichever system call that changes the machine fails or is the last: %s',
  async (name) => {
    const begun = performance.now();
    const count = scenarios[name]?.workers ?? WORKERS;
    const workers = Array.from({ length: count }, (_, part) => startWorker(name, part, count));
    const parts = await Promise.all(workers);
    const [calls = 0] = parts.map((part) => part.calls);
    // Every worker counts for itself: did they count differently, some points would be nobody's.
    expect(parts.map((part) => part.calls)).toEqual(parts.map(() => calls));
    const total = (of: (part: Swept) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
    const tried = (['kills', 'errors', 'looks'] as const)
      .map((what) => `${total((part) => part[what])} ${what}`)
      .join(', ');
    const lost = parts.flatMap((part) => part.lost);
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.log(`swept ${name}: ${calls} calls, ${tried}, ${lost.length} lost (${seconds} s)`);
    expect(lost).toEqual([]);
  },
  3_600_000,
);

/** Sweeps a part of the points in a mount namespace of its own; what it mounts is gone when it ends. */
async function startWorker(name: string, part: number, count: number): Promise<Swept> {
  const where = mkdtempSync(join(directory, 'worker-'));
  // strace and what it traces take turns: on one processor that takes a third of the time.
  const processor = String(part % availableParallelism());
  const script = join(import.meta.dir, '../support/sweep/worker.ts');
  const worker = [process.execPath, script, where, name, String(part), String(count * SPARSE)];
  const child = spawn('unshare', ['--mount', 'taskset', '--cpu-list', processor, ...worker], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (bytes: Buffer) => (output.stdout += String(bytes)));
  child.stderr.on('data', (bytes: Buffer) => (output.stderr += String(bytes)));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject).on('close', resolve);
  const status = await promise;
  if (status !== 0) throw new Error(`a worker ended with status ${status}: ${output.stderr}`);
  return JSON.parse(output.stdout) as Swept;
}
