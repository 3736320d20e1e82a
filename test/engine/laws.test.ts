import { describe, expect, test } from 'bun:test';
import { mkdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ActivateError } from '../../src/core/errors';
import { compareTargets } from '../../src/engine/previewing/comparing';
import { withMachine } from '../../src/engine/state/machine';
import { previewTransition } from '../../src/engine/previewing/preview';
import { carryOut } from '../../src/engine/transition/transition';
import { closureAt, contextOn, planOn, switchOn, withPrepared } from '../support/engine';
import { backup, countSteps, hold, seeEtc, stepsToTry, withoutSeeds } from '../support/laws';
import type { Sandbox } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

describe('a transition', () => {
  test('followed by the same again changes nothing', async () => {
    await hold(1, async (sandbox, [closure = '']) => {
      await switchOn(sandbox.root, closureAt(closure), backup);
      const before = seeEtc(sandbox);
      expect((await planOn(sandbox.root, closureAt(closure))).decisions).toEqual([]);
      expect((await switchOn(sandbox.root, closureAt(closure))).state).toBe('nothing to do');
      expect(compareSnapshots(before, seeEtc(sandbox), { times: true })).toEqual([]);
    });
  }, 120_000);

  test('there and back restores everything', async () => {
    await hold(2, async (sandbox, [first = '', second = '']) => {
      await switchOn(sandbox.root, closureAt(first), backup);
      const before = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(second), backup);
      await switchOn(sandbox.root, closureAt(first), backup);
      expect(compareSnapshots(withoutSeeds(before), withoutSeeds(seeEtc(sandbox)), { times: true })).toEqual([]);
    });
  }, 120_000);

  test('to generation 0 gives everything back', async () => {
    await hold(2, async (sandbox, [first = '', second = '']) => {
      const before = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(first), backup);
      await switchOn(sandbox.root, closureAt(second), backup);
      await switchOn(sandbox.root, { kind: 'generation', number: 0 }, backup);
      expect(compareSnapshots(withoutSeeds(before), withoutSeeds(seeEtc(sandbox)), { times: true })).toEqual([]);
    });
  }, 120_000);

  test('shows the closure, and nothing else of it', async () => {
    await hold(1, async (sandbox, [closure = '']) => {
      await switchOn(sandbox.root, closureAt(closure), backup);
      const shown = seeEtc(sandbox).map((seen) => lookThrough(sandbox, seen));
      const wanted = withoutSeeds(takeSnapshot(join(closure, 'etc')));
      const missing = wanted.filter((want) => !shown.some((seen) => seen.path === want.path && isSame(seen, want)));
      expect(missing.filter(({ kind }) => kind !== 'directory')).toEqual([]);
    });
  }, 120_000);

  test('never touches what no generation names', async () => {
    await hold(2, async (sandbox, [first = '', second = '']) => {
      const entries = [first, second].flatMap((closure) => takeSnapshot(join(closure, 'etc')));
      const named = new Set(entries.map(({ path }) => path));
      const covering = new Set(entries.filter(({ kind }) => kind !== 'directory').map(({ path }) => path));
      const isOthers = ({ path, kind }: Seen): boolean =>
        kind !== 'directory' && !named.has(path) && !isBelowAny(path, covering);
      const before = seeEtc(sandbox).filter(isOthers);
      await switchOn(sandbox.root, closureAt(first), backup);
      expect(compareSnapshots(before, seeEtc(sandbox).filter(isOthers), { times: true })).toEqual([]);
      await switchOn(sandbox.root, closureAt(second), backup);
      expect(compareSnapshots(before, seeEtc(sandbox).filter(isOthers), { times: true })).toEqual([]);
    });
  }, 120_000);

  test('is the same as what is said of two closures, on a machine that had nothing', async () => {
    await hold(2, async (sandbox, [first = '', second = '']) => {
      rmSync(sandbox.on('/etc'), { recursive: true });
      mkdirSync(sandbox.on('/etc'));
      const [from, to] = [closureAt(first), closureAt(second)];
      const context = contextOn(sandbox.root);
      const said = await compareTargets(context, { from, to }, backup, { secrets: 'shown' });
      await switchOn(sandbox.root, from, backup);
      const { changes, conflicts } = await previewTransition(context, to, backup, { secrets: 'shown' });
      expect({ changes: said.changes, conflicts: said.conflicts }).toEqual({ changes, conflicts });
    });
  }, 120_000);

  test('that fails at any step is undone', async () => {
    let points = 0;
    await hold(2, async (sandbox, [first = '', second = '']) => {
      await switchOn(sandbox.root, closureAt(first), backup);
      const before = seeEtc(sandbox);
      const records = takeSnapshot(sandbox.on('/var/lib/activate'));
      const steps = await countSteps(sandbox, second);
      for (const at of stepsToTry(steps)) {
        points += 1;
        expect(await failAt(sandbox, second, at)).toBe('FAILED');
        expect(compareSnapshots(before, seeEtc(sandbox), { times: true })).toEqual([]);
        const left = compareSnapshots(records, takeSnapshot(sandbox.on('/var/lib/activate')), { times: false });
        expect(left.filter((line) => !line.startsWith('/generations/1/times.json'))).toEqual([]);
      }
    });
    console.log(`${points} steps failed, and everything was undone each time`);
  }, 240_000);
});

/** What a process that opens the path sees: links through the pointer are looked through. */
function lookThrough(sandbox: Sandbox, seen: Seen): Seen {
  if (seen.linkText?.startsWith('/run/filesystem-overlay/') !== true) return seen;
  const shown = takeSnapshot(sandbox.on(`${readlinkSync(sandbox.on('/run/filesystem-overlay'))}/etc`));
  return shown.find(({ path }) => path === seen.path) ?? seen;
}

function isSame(a: Seen, b: Seen): boolean {
  return (
    a.kind === b.kind && a.mode === b.mode && a.uid === b.uid && a.sha256 === b.sha256 && a.linkText === b.linkText
  );
}

/** Whether a file or link takes the place of one of the directories above a path. */
function isBelowAny(path: string, covering: ReadonlySet<string>): boolean {
  return path.split('/').some((_, index, names) => covering.has(names.slice(0, index).join('/')));
}

/** Switches with a machine that breaks at one step, and returns the code of the error. */
async function failAt(sandbox: Sandbox, closure: string, at: number): Promise<string> {
  const context = contextOn(sandbox.root);
  let count = 0;
  try {
    await withMachine(context, (machine) =>
      withPrepared({ context, machine, attitudes: backup }, closureAt(closure), (prepared) =>
        carryOut(context, machine, prepared, 'live and default', (perform) => async (step) => {
          count += 1;
          if (count === at + 1) throw new Error('the disk is on fire');
          await perform(step);
        }),
      ),
    );
  } catch (error) {
    if (error instanceof ActivateError) return error.code;
    throw error;
  }
  return 'done';
}
