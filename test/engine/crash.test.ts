import { expect, test } from 'bun:test';
import { resume } from '../../src/engine/switching';
import { crashAt } from '../support/crash';
import { closureAt, contextOn, switchOn } from '../support/engine';
import { backup, countSteps, hold, seeEtc, stepsToTry, withoutSeeds } from '../support/laws';
import type { Sandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

test('a crash before any step is recovered from: all old or all new, and a second time changes nothing', async () => {
  const ends = { undone: 0, finished: 0 };
  await hold(2, async (sandbox, [first = '', second = '']) => {
    await switchOn(sandbox.root, closureAt(first), backup);
    const old = seeEtc(sandbox);
    const steps = await countSteps(sandbox, second);
    for (const at of stepsToTry(steps)) {
      // A seed is made once: the second time there are fewer steps, and the last may not be reached.
      if ((await crashAt(sandbox, second, { at })) === 'done') await switchOn(sandbox.root, closureAt(first), backup);
      else {
        const end = await recover(sandbox);
        ends[end] += 1;
        if (end === 'finished') await insistOnNew(sandbox, second, first);
      }
      expect(compareSnapshots(withoutSeeds(old), withoutSeeds(seeEtc(sandbox)), { times: true })).toEqual([]);
      expect(litter(sandbox)).toEqual([]);
    }
  });
  console.log(`crashes: ${ends.undone} undone, ${ends.finished} finished`);
}, 240_000);

test('a crash while a failed transition is being undone is recovered from: all old', async () => {
  let crashes = 0;
  await hold(2, async (sandbox, [first = '', second = '']) => {
    await switchOn(sandbox.root, closureAt(first), backup);
    const old = seeEtc(sandbox);
    const steps = await countSteps(sandbox, second);
    for (const at of stepsToTry(steps)) {
      if ((await crashAt(sandbox, second, { fail: steps - 1, at: steps + at })) !== 'crashed') break;
      crashes += 1;
      expect(await recover(sandbox)).toBe('undone');
      expect(compareSnapshots(withoutSeeds(old), withoutSeeds(seeEtc(sandbox)), { times: true })).toEqual([]);
      expect(litter(sandbox)).toEqual([]);
    }
  });
  console.log(`crashes while undoing: ${crashes}`);
}, 240_000);

/** Resumes twice: the second time there is nothing to do. */
async function recover(sandbox: Sandbox): Promise<'undone' | 'finished'> {
  const resumed = await resume(contextOn(sandbox.root));
  if (resumed.state === 'nothing to do' || resumed.state === 'settled') throw new Error('nothing was interrupted');
  const left = seeEtc(sandbox);
  expect(await resume(contextOn(sandbox.root))).toEqual({ state: 'nothing to do' });
  expect(compareSnapshots(left, seeEtc(sandbox), { times: true })).toEqual([]);
  return resumed.state;
}

/** The new closure is live, as it would have been without the crash; then goes back. */
async function insistOnNew(sandbox: Sandbox, second: string, first: string): Promise<void> {
  expect((await switchOn(sandbox.root, closureAt(second), backup)).state).toBe('nothing to do');
  await switchOn(sandbox.root, closureAt(first), backup);
}

function litter(sandbox: Sandbox): string[] {
  const seen = [...takeSnapshot(sandbox.on('/etc')), ...takeSnapshot(sandbox.on('/var/lib/activate'))];
  return seen
    .map(({ path }) => path)
    .filter((path) => /\.activate\.|\.staging|\.next\.|\.partial|transition\.json/u.test(path));
}
