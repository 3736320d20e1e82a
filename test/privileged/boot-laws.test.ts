import { describe, expect, test } from 'bun:test';
import { resume } from '../../src/engine/switching';
import { type BootOptions, bootSandbox, type Shell, shells } from '../support/boot';
import { closureAt, contextOn, switchOn } from '../support/engine';
import { backup, hold, seeEtc, withoutSeeds } from '../support/laws';
import type { Sandbox } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

describe.each([...shells])('a boot run by %s', (shell) => {
  test('of an older generation shows what a switch back to it would, and is settled afterwards', async () => {
    await hold(2, async (sandbox, [first = '', second = '']) => {
      const machine = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(first), backup);
      const before = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(second), backup);
      boot(sandbox, { shell, cmdline: 'quiet activate.generation=1' }, 1);
      insistOnSame(before, withoutAsides(seeEtc(sandbox)), shell);
      await settle(sandbox);
      insistOnSame(before, seeEtc(sandbox));
      await switchOn(sandbox.root, { kind: 'generation', number: 0 }, backup);
      insistOnSame(machine, seeEtc(sandbox));
    });
  }, 600_000);

  test('of a generation that was never live shows it', async () => {
    await hold(2, async (sandbox, [first = '', second = '']) => {
      const machine = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(first), backup);
      const before = seeEtc(sandbox);
      const next = await switchOn(sandbox.root, closureAt(second), backup, 'default');
      if (next.state !== 'done') return;
      boot(sandbox, { shell }, 2);
      const booted = withoutAsides(seeEtc(sandbox));
      await settle(sandbox);
      insistOnSame(booted, seeEtc(sandbox), shell);
      const settled = seeEtc(sandbox);
      await switchOn(sandbox.root, { kind: 'generation', number: 1 }, backup);
      insistOnSame(before, seeEtc(sandbox));
      await switchOn(sandbox.root, { kind: 'generation', number: 2 }, backup);
      insistOnSame(settled, seeEtc(sandbox));
      await switchOn(sandbox.root, { kind: 'generation', number: 0 }, backup);
      insistOnSame(machine, seeEtc(sandbox));
    });
  }, 600_000);
});

function boot(sandbox: Sandbox, options: BootOptions & { readonly shell: Shell }, chosen: number): void {
  const { status, stderr, record } = bootSandbox(sandbox, options);
  expect({ status, chosen: record?.['chosen'], stderr }).toEqual({ status: 0, chosen, stderr: expect.any(String) });
}

/** Settles twice: the second time there is nothing to do, and nothing is left. */
async function settle(sandbox: Sandbox): Promise<void> {
  await resume(contextOn(sandbox.root));
  expect(await resume(contextOn(sandbox.root))).toEqual({ state: 'nothing to do' });
  const seen = [...seeEtc(sandbox), ...takeSnapshot(sandbox.on('/var/lib/activate'))];
  const litter = seen.map(({ path }) => path).filter((path) => /\.activate\.|boot\.journal/u.test(path));
  expect(litter).toEqual([]);
}

/** Where there is no chmod, modes of directories are left to `activate resume`. */
function insistOnSame(before: Seen[], after: Seen[], shell: Shell = 'dash'): void {
  const differences = compareSnapshots(withoutSeeds(before), withoutSeeds(after), { times: false });
  const isLeft = (line: string): boolean => shell === 'dash with few tools' && line.includes(': mode ');
  expect(differences.filter((line) => !isLeft(line))).toEqual([]);
}

/** What the boot put aside waits for `activate resume`. */
function withoutAsides(seen: Seen[]): Seen[] {
  return seen.filter(({ path }) => !path.includes('/.activate.boot.'));
}
