import { lstatSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'bun:test';
import { type Ended, resume } from '../../src/engine/switching';
import { type BootOptions, bootSandbox, type Shell, shells } from '../support/boot';
import { closureAt, contextOn, switchOn } from '../support/engine';
import { crashAt } from '../support/crash';
import { backup, countSteps, hold, seeEtc, stepsToTry, withoutSeeds } from '../support/laws';
import type { Sandbox } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

/** Each run boots several times. */
const RUNS = Number(process.env['RUNS'] ?? 12);

describe.each([...shells])('a boot run by %s', (shell) => {
  test('of an older generation shows what a switch back to it would, and is settled afterwards', async () => {
    await hold(
      2,
      async (sandbox, [first = '', second = '']) => {
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
      },
      RUNS,
    );
  }, 600_000);

  test('of a generation that was never live shows it', async () => {
    await hold(
      2,
      async (sandbox, [first = '', second = '']) => {
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
      },
      RUNS,
    );
  }, 600_000);
});

test('a boot after a crash shows all that is old or all that is new, and what is left to do is done afterwards', async () => {
  const ends: Record<string, number> = {};
  await hold(
    2,
    async (sandbox, [first = '', second = '']) => {
      const machine = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(first), backup);
      const old = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(second), backup);
      const after = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(first), backup);
      const steps = await countSteps(sandbox, second);
      for (const at of stepsToTry(steps)) {
        if ((await crashAt(sandbox, second, { at })) === 'crashed') {
          const { status, stderr, record } = bootSandbox(sandbox);
          expect({ status, stderr }).toEqual({ status: 0, stderr });
          expect(dangling(sandbox)).toEqual([]);
          const there = new Set(seeEtc(sandbox).map(({ path }) => path));
          const both = old.filter(({ path }) => after.some((seen) => seen.path === path));
          expect(withoutSeeds(both).filter(({ path }) => !there.has(path))).toEqual([]);
          const resumed = await settle(sandbox);
          ends[resumed.state] = (ends[resumed.state] ?? 0) + 1;
          expect({ live: 'live' in resumed ? resumed.live : undefined }).toEqual({
            live: record?.['chosen'] as number,
          });
        }
        await switchOn(sandbox.root, closureAt(first), backup);
        insistOnSame(old, seeEtc(sandbox));
      }
      await switchOn(sandbox.root, { kind: 'generation', number: 0 }, backup);
      insistOnSame(machine, seeEtc(sandbox));
    },
    RUNS,
  );
  console.log(`boots after a crash: ${JSON.stringify(ends)}`);
}, 900_000);

test('a boot that the power leaves in the middle is finished by the next one', async () => {
  let cuts = 0;
  await hold(
    2,
    async (sandbox, [first = '', second = '']) => {
      const machine = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(first), backup);
      const before = seeEtc(sandbox);
      await switchOn(sandbox.root, closureAt(second), backup);
      const after = seeEtc(sandbox);
      for (const cutAfter of [0, 1, 2, 3, 5, 8]) {
        if (bootSandbox(sandbox, { cmdline: 'activate.generation=1', cutAfter }).record === undefined) cuts += 1;
      }
      boot(sandbox, { shell: 'dash', cmdline: 'activate.generation=1' }, 1);
      insistOnSame(before, withoutAsides(seeEtc(sandbox)));
      // It may be another one that the machine comes back to, and still nobody ran `activate`.
      bootSandbox(sandbox, { cutAfter: 4 });
      boot(sandbox, { shell: 'dash' }, readNumber(sandbox));
      insistOnSame(after, withoutAsides(seeEtc(sandbox)));
      await settle(sandbox);
      insistOnSame(after, seeEtc(sandbox));
      await switchOn(sandbox.root, { kind: 'generation', number: 0 }, backup);
      insistOnSame(machine, seeEtc(sandbox));
    },
    RUNS,
  );
  console.log(`boots that were cut: ${cuts}`);
}, 900_000);

function readNumber(sandbox: Sandbox): number {
  return Number(readlinkSync(sandbox.on('/var/lib/activate/default')).split('/').at(-1));
}

/** Links through the pointer that lead nowhere. */
function dangling(sandbox: Sandbox): string[] {
  const overlay = readlinkSync(sandbox.on('/run/filesystem-overlay'));
  return seeEtc(sandbox)
    .filter(({ path }) => !path.includes('/.activate.'))
    .filter(({ linkText = '' }) => linkText.startsWith('/run/filesystem-overlay/'))
    .filter(
      ({ path }) => lstatSync(bytesOf(sandbox.on(`${overlay}/etc${path}`)), { throwIfNoEntry: false }) === undefined,
    )
    .map(({ path }) => path);
}

/** The bytes of a path that a snapshot wrote. */
function bytesOf(path: string): Buffer {
  const parts = path.split(/(\\x[0-9a-f]{2})/u);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 1 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part))),
  );
}

function boot(sandbox: Sandbox, options: BootOptions & { readonly shell: Shell }, chosen: number): void {
  const { status, stderr, record } = bootSandbox(sandbox, options);
  expect({ status, chosen: record?.['chosen'], stderr }).toEqual({ status: 0, chosen, stderr: expect.any(String) });
}

/** Settles twice: the second time there is nothing to do, and nothing is left. */
async function settle(sandbox: Sandbox): Promise<Ended> {
  const ended = await resume(contextOn(sandbox.root));
  expect(await resume(contextOn(sandbox.root))).toEqual({ state: 'nothing to do' });
  const seen = [...seeEtc(sandbox), ...takeSnapshot(sandbox.on('/var/lib/activate'))];
  const litter = seen.map(({ path }) => path).filter((path) => /\.activate\.|boot\.journal/u.test(path));
  expect(litter).toEqual([]);
  return ended;
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
