import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ActivateError } from '../../src/core/errors';
import type { Step } from '../../src/core/plan/step';
import { withMachine } from '../../src/engine/state/machine';
import { prepareTransition, type Target } from '../../src/engine/deciding/prepare';
import { previewTransition } from '../../src/engine/previewing/preview';
import { readMachineStatus } from '../../src/engine/checking/status';
import { resume } from '../../src/engine/switching';
import { carryOut } from '../../src/engine/transition/transition';
import { verify } from '../../src/engine/checking/verifying';
import { closureAt, contextOn, switchOn } from '../support/engine';
import { makeTemporaryDirectory, removeTree, type Sandbox } from '../support/sandbox';
import { compareSnapshots } from '../support/snapshot';
import {
  bootWithout,
  loseRun,
  seeLiveWrappers,
  seeWrappers,
  type WrapperText,
  withWrapperSandbox,
  writeWrapperClosure,
} from '../support/wrapper-closures';

const closures = {
  few: { same: {}, first: { lines: 'capabilities = "cap_net_raw,cap_chown+ep"' } },
  other: { same: { lines: 'mode = "2755"\ngroup = 42' }, second: { content: 'two\n', lines: 'owner = 7' } },
  none: {},
} satisfies Readonly<Record<string, Readonly<Record<string, WrapperText>>>>;

let top = '';
beforeAll(() => {
  top = makeTemporaryDirectory();
  for (const [name, wrappers] of Object.entries(closures)) writeWrapperClosure(join(top, name), wrappers);
});
afterAll(() => removeTree(top));

type State = keyof typeof closures | 'nothing';

function targetOf(state: State): Target {
  return state === 'nothing' ? { kind: 'generation', number: 0 } : closureAt(join(top, state));
}

/** Every way from one state to another. */
const states: readonly State[] = ['nothing', 'few', 'other', 'none'];
const ways = states.flatMap((from) =>
  states.filter((to) => to !== from && (to !== 'nothing' || from !== 'none')).map((to): [State, State] => [from, to]),
);

async function goTo(sandbox: Sandbox, state: State): Promise<void> {
  if (state !== 'nothing') await switchOn(sandbox.root, targetOf(state));
}

/** What people find once a state was reached without trouble. */
async function wantedIn(state: State): Promise<string[]> {
  let seen: string[] = [];
  await withWrapperSandbox(async (sandbox) => {
    await goTo(sandbox, state);
    seen = seeLiveWrappers(sandbox);
  });
  return seen;
}

async function run(
  sandbox: Sandbox,
  to: State,
  wrap: (perform: (step: Step) => void | Promise<void>) => (step: Step) => void | Promise<void>,
): Promise<void> {
  const context = contextOn(sandbox.root);
  await withMachine(context, async (machine) => {
    const prepared = prepareTransition(context, machine, targetOf(to));
    await carryOut(context, machine, prepared, 'live and default', wrap);
  });
}

async function failAt(sandbox: Sandbox, to: State, at: number): Promise<string> {
  let count = 0;
  try {
    await run(sandbox, to, (perform) => async (step) => {
      count += 1;
      await perform(step);
      if (count === at + 1) throw new Error('the disk is on fire');
    });
  } catch (error) {
    if (error instanceof ActivateError) return error.code;
    throw error;
  }
  return 'done';
}

/** Leaves the machine as it is after a step, for good. */
async function crashAt(sandbox: Sandbox, to: State, at: number): Promise<'crashed' | 'done'> {
  const { promise: dead, resolve: die } = Promise.withResolvers<'crashed'>();
  let count = 0;
  const done = run(sandbox, to, (perform) => async (step) => {
    if (count === at) {
      die('crashed');
      return new Promise<void>(() => undefined);
    }
    count += 1;
    return perform(step);
  });
  return Promise.race([dead, done.then(() => 'done' as const)]);
}

/** What `status` says of a drifted wrapper. */
function lettersOf(what: string): { readonly since: string; readonly next: string } {
  if (what === 'it is missing') return { since: 'D', next: 'A' };
  return what === 'no wrapper has that name' ? { since: 'A', next: 'D' } : { since: 'M', next: 'M' };
}

/** Nothing but the live directory and the one before, both complete. */
function insistOnOrder(sandbox: Sandbox): void {
  const place = sandbox.on('/run/wrappers');
  if (!existsSync(place)) return;
  const names = readdirSync(place);
  expect(names).toContain('bin');
  expect(names).toContain(readlinkSync(join(place, 'bin')));
  expect(names.length).toBeLessThanOrEqual(3);
}

describe('wrappers', () => {
  test('are made with mode, owner and capabilities, and are as recorded', async () => {
    await withWrapperSandbox(async (sandbox) => {
      await goTo(sandbox, 'few');
      expect(seeLiveWrappers(sandbox).map((line) => line.replace(/ \w+$/u, ''))).toEqual([
        '0755 0:0 capabilities first',
        '4755 0:0 same',
      ]);
      expect(seeWrappers(sandbox).mount).toBe('activate-wrappers tmpfs rw,nodev,relatime');
      await goTo(sandbox, 'other');
      expect(seeLiveWrappers(sandbox).map((line) => line.replace(/ \w+$/u, ''))).toEqual([
        '2755 0:42 same',
        '4755 7:0 second',
      ]);
      expect((await verify(contextOn(sandbox.root))).wrong).toEqual([]);
    });
  });

  test('have no rights that their sources had besides', async () => {
    await withWrapperSandbox(async (sandbox) => {
      const store = sandbox.on('/nix/store/0-x');
      writeWrapperClosure(store, { same: { lines: 'mode = "4750"' } });
      const source = join(store, 'bin/same');
      for (const command of [
        ['setfacl', '-m', 'u:12:rwx', source],
        ['setcap', 'cap_chown=ep', source],
        ['setfattr', '-n', 'user.x', '-v', 'y', source],
      ])
        expect(spawnSync(command[0] ?? '', command.slice(1)).status).toBe(0);
      await switchOn(sandbox.root, closureAt(store));
      const { seen } = seeWrappers(sandbox);
      const made = seen.find(({ path }) => path === '/wrappers/gen-1/same');
      expect([made?.mode, made?.xattrs]).toEqual(['4750', undefined]);
    });
  });

  test('that are as they were stay the very files', async () => {
    await withWrapperSandbox(async (sandbox) => {
      await goTo(sandbox, 'few');
      const before = seeWrappers(sandbox);
      expect((await switchOn(sandbox.root, targetOf('few'))).state).toBe('nothing to do');
      writeFileSync(join(top, 'few/etc/version'), 'another\n');
      await goTo(sandbox, 'few');
      writeFileSync(join(top, 'few/etc/version'), `${join(top, 'few')}\n`);
      const after = seeWrappers(sandbox);
      expect(compareSnapshots(before.seen, after.seen, { times: true })).toEqual([]);
    });
  });

  test('are nowhere to be seen once everything is given back', async () => {
    for (const state of ['few', 'other'] as const)
      await withWrapperSandbox(async (sandbox) => {
        await goTo(sandbox, 'few');
        await goTo(sandbox, state);
        await switchOn(sandbox.root, targetOf('nothing'));
        expect(seeWrappers(sandbox)).toEqual({ seen: [], mount: '' });
      });
  });

  test('come back with their generation', async () => {
    await withWrapperSandbox(async (sandbox) => {
      await goTo(sandbox, 'few');
      const before = seeLiveWrappers(sandbox);
      await goTo(sandbox, 'other');
      await switchOn(sandbox.root, { kind: 'previous' });
      expect(seeLiveWrappers(sandbox)).toEqual(before);
      await goTo(sandbox, 'none');
      expect(seeWrappers(sandbox)).toEqual({ seen: [], mount: '' });
      await switchOn(sandbox.root, { kind: 'generation', number: 1 });
      expect(seeLiveWrappers(sandbox)).toEqual(before);
    });
  });

  test.each<[string, string, (live: string) => void]>([
    ['its mode is 0755, not 4755', 'same', (live) => chmodSync(join(live, 'same'), 0o755)],
    ['it is missing', 'first', (live) => rmSync(join(live, 'first'))],
    ['its content is another', 'same', (live) => writeFileSync(join(live, 'same'), 'evil\n')],
    ['no wrapper has that name', 'door', (live) => writeFileSync(join(live, 'door'), '')],
  ])('that drifted are found, and made again: %s', async (what, name, spoil) => {
    await withWrapperSandbox(async (sandbox) => {
      await goTo(sandbox, 'few');
      const before = seeLiveWrappers(sandbox);
      spoil(sandbox.on('/run/wrappers/bin'));
      const { wrong } = await verify(contextOn(sandbox.root));
      const path = `/run/wrappers/bin/${name}`;
      // A write takes setuid away, which is what shows first.
      expect(wrong.map((each) => each.path as string)).toEqual([path]);
      if (!what.includes('content')) expect(wrong[0]?.what).toBe(what);
      const status = await readMachineStatus(contextOn(sandbox.root));
      expect(status.columns).toEqual([{ path, ...lettersOf(what) }] as never);
      const preview = await previewTransition(contextOn(sandbox.root), targetOf('few'), {}, { secrets: 'withheld' });
      expect(preview.changes.map((each) => each.path as string)).toEqual([path]);
      await goTo(sandbox, 'few');
      expect(seeLiveWrappers(sandbox)).toEqual(before);
      expect((await verify(contextOn(sandbox.root))).wrong).toEqual([]);
    });
  });

  test.each(ways)(
    'from %s to %s: a failure after any step is undone',
    async (from, to) => {
      await withWrapperSandbox(async (sandbox) => {
        await goTo(sandbox, from);
        const before = seeWrappers(sandbox);
        let at = 0;
        for (; (await failAt(sandbox, to, at)) === 'FAILED'; at += 1) {
          const after = seeWrappers(sandbox);
          expect(after.mount).toBe(before.mount);
          expect(compareSnapshots(before.seen, after.seen, { times: false })).toEqual([]);
        }
        expect(at).toBeGreaterThan(1);
        expect(seeLiveWrappers(sandbox)).toEqual(await wantedIn(to));
      });
    },
    60_000,
  );

  const hows = ['killed', 'without power', 'booted after that'] as const;
  test.each(ways.flatMap(([from, to]) => hows.map((how) => [from, to, how] as const)))(
    'from %s to %s, %s before any step: all old or all new',
    async (from, to, how) => {
      const [old, next] = [await wantedIn(from), await wantedIn(to)];
      const ends = new Set<string>();
      for (let at = 0; ; at += 1) {
        let isOver = false;
        await withWrapperSandbox(async (sandbox) => {
          await goTo(sandbox, from);
          isOver = (await crashAt(sandbox, to, at)) === 'done';
          if (isOver) return;
          if (how !== 'killed') loseRun(sandbox);
          if (how === 'booted after that') bootWithout(sandbox);
          const { state } = await resume(contextOn(sandbox.root));
          ends.add(state);
          expect({ at, state, seen: seeLiveWrappers(sandbox) }).toEqual({
            at,
            state,
            seen: state === 'finished' ? next : old,
          });
          insistOnOrder(sandbox);
          expect((await resume(contextOn(sandbox.root))).state).toBe('nothing to do');
          expect((await verify(contextOn(sandbox.root))).wrong).toEqual([]);
        });
        if (isOver) break;
      }
      expect(ends).toContain('finished');
    },
    60_000,
  );
});
