import { expect, test } from 'bun:test';
import type { Context } from '../../src/context';
import { runActivate } from '../support/cli';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';
import { writeDiskClosures, writeMachineEtc } from '../support/disks/closures';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A clock that a test sets; it does not go on by itself. */
interface Clock {
  ms: number;
}

type Run = (...argv: readonly string[]) => Promise<string>;

async function withClock(task: (sandbox: Sandbox, clock: Clock, run: Run) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    const clock: Clock = { ms: Date.parse('2026-06-15T12:00:00Z') };
    const overrides: Partial<Context> = { now: () => clock.ms, workingDirectory: sandbox.root };
    writeDiskClosures(sandbox.on('/closures'));
    writeMachineEtc(sandbox.on('/etc'));
    await task(sandbox, clock, async (...argv) => {
      const { status, stdout, stderr } = await runActivate(['--root', sandbox.root, ...argv], overrides);
      if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}\n${stderr}${stdout}`);
      return stdout;
    });
  });
}

const closures = ['closures/first', 'closures/second'] as const;
const switchTo = (index: number): string[] => ['switch', closures[index % 2] ?? '', '--on-conflict', 'backup'];

test.each([
  ['stands still', () => 0],
  ['goes back by days', () => -3 * DAY_MS],
  ['goes back before 1970', () => -20_000 * DAY_MS],
  ['jumps to and fro', (index: number) => (index % 2 === 0 ? -400 : 300) * DAY_MS],
])('a clock that %s between switches changes nothing', async (_, jump) => {
  await withClock(async (sandbox, clock, run) => {
    const own = takeSnapshot(sandbox.on('/etc'));
    const seen = [];
    for (let index = 0; index < 6; index += 1) {
      await run(...switchTo(index));
      seen.push(takeSnapshot(sandbox.on('/etc')));
      clock.ms += jump(index);
    }
    // Seeds are there from the second closure on.
    expect(compareSnapshots(seen[1] ?? [], seen[3] ?? [], { times: true })).toEqual([]);
    expect(compareSnapshots(seen[2] ?? [], seen[4] ?? [], { times: true })).toEqual([]);
    const { generations } = JSON.parse(await run('list', '--json')) as { generations: { number: number }[] };
    expect(generations.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
    clock.ms += jump(6);
    await run('rollback', '0');
    const left = takeSnapshot(sandbox.on('/etc')).filter(({ path }) => !path.startsWith('/seeded'));
    expect(compareSnapshots(own, left, { times: true })).toEqual([]);
  });
});

test('what was made while the clock was ahead is not taken for old', async () => {
  await withClock(async (_, clock, run) => {
    const removed = async (age: string): Promise<unknown> => JSON.parse(await run('gc', '--older-than', age, '--json'));
    await run(...switchTo(0));
    clock.ms += 100 * DAY_MS;
    await run(...switchTo(1));
    clock.ms -= 70 * DAY_MS;
    await run(...switchTo(2));
    // Generation 1 is 30 days old to the hour, 2 was made 70 days from now, 3 is live.
    expect(await removed('31d')).toEqual({ schema: 1, removed: [] });
    clock.ms -= 60 * DAY_MS;
    expect(await removed('1d')).toEqual({ schema: 1, removed: [] });
    clock.ms += 62 * DAY_MS;
    expect(await removed('31d')).toEqual({ schema: 1, removed: [1] });
  });
});
