import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyRealEtc, mutateTree } from '../support/debian';
import { openMachine, type TestMachine } from '../support/machine';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { compareSnapshots, type Seen } from '../support/snapshot';

const FIRST = '/var/closures/first';
const SECOND = '/var/closures/second';
const JOURNAL = '/var/lib/activate/transition.json';
/** Moments at which a transition is hit: while it is staged, and while there is a journal. */
const MOMENTS = Number(process.env['MOMENTS'] ?? 6);

let source = '';
beforeAll(() => {
  source = makeTemporaryDirectory();
  copyRealEtc(join(source, 'first'));
  copy(join(source, 'first'), join(source, 'second'));
  mutateTree(join(source, 'second'));
});
afterAll(() => removeTree(source));

function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', '--', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** From nothing managed to a closure that takes the machine's files over, on to another, and back to nothing. */
const transitions: readonly { readonly what: string; readonly before: readonly string[][]; readonly args: string[] }[] =
  [
    { what: 'the first switch', before: [['rollback', '0']], args: ['switch', FIRST] },
    { what: 'a switch to another closure', before: [['switch', FIRST]], args: ['switch', SECOND] },
    {
      what: 'a rollback to generation 0',
      before: [
        ['switch', FIRST],
        ['switch', SECOND],
      ],
      args: ['rollback', '0'],
    },
  ];

const places: readonly [string, string[]][] = [
  ['on one filesystem', []],
  ['with /etc as a mount of its own', ['/etc']],
];

/** Each of many moments takes a transition of its own, so a part of the machine has to do. */
const PART = /^(?:specimens|pam\.d|polkit-1|postgresql|security|passwd|group|hosts)$/u;

describe.each(places)('%s, a transition', (place, mounts) => {
  let machine: TestMachine;
  beforeAll(async () => {
    machine = await openMachine({ etc: join(source, 'first/etc'), mounts });
    mkdirSync(machine.on('/var/closures'));
    for (const name of ['first', 'second']) copy(join(source, name), machine.on(`/var/closures/${name}`));
    for (const etc of ['/etc', `${FIRST}/etc`, `${SECOND}/etc`].map(machine.on)) {
      for (const name of readdirSync(etc)) if (!PART.test(name)) rmSync(join(etc, name), { recursive: true });
    }
  });
  afterAll(async () => machine.close());

  /** Goes to where a transition begins, without minding whether that is where the machine is. */
  async function goTo(before: readonly string[][]): Promise<Seen[]> {
    for (const args of before)
      if (args[0] !== 'rollback' || existsSync(machine.on('/var/lib/activate/live'))) await machine.activate(...args);
    return machine.etc();
  }

  /** How long a transition takes to its journal, and how long that is there. */
  async function measure(args: readonly string[]): Promise<{ staging: number; journal: number }> {
    const begun = performance.now();
    const running = machine.start(['activate', ...args]);
    let isRunning = true;
    void running.finished.finally(() => (isRunning = false));
    await untilJournal(() => isRunning);
    const staged = performance.now();
    const { status, stderr } = await running.finished;
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return { staging: staged - begun, journal: performance.now() - staged };
  }

  async function untilJournal(isRunning: () => boolean): Promise<void> {
    while (!existsSync(machine.on(JOURNAL)) && isRunning()) await Bun.sleep(0.2);
  }

  /** Starts a transition and sends it a signal; a moment below 0 is before there is a journal. */
  async function hit(
    args: readonly string[],
    signal: NodeJS.Signals,
    moment: number,
    times: { staging: number; journal: number },
  ): Promise<number> {
    const running = machine.start(['activate', ...args]);
    let isRunning = true;
    const finished = running.finished.then((result) => {
      isRunning = false;
      return result;
    });
    if (moment < 0) await Bun.sleep((1 + moment) * times.staging);
    else {
      await untilJournal(() => isRunning);
      await Bun.sleep(moment * times.journal);
    }
    running.kill(signal);
    return (await finished).status;
  }

  const moments = Array.from({ length: MOMENTS }, (_each, index) => (index === 0 ? -0.3 : (index - 1) / (MOMENTS - 1)));

  test.each([...transitions])(
    'that is killed leaves all old or all new once it is resumed: $what',
    async ({ before, args }) => {
      await goTo(before);
      const times = await measure(args);
      const after = machine.etc();
      const ends = { undone: 0, finished: 0, 'not begun': 0, done: 0 };
      for (const moment of moments) {
        const old = await goTo(before);
        const status = await hit(args, 'SIGKILL', moment, times);
        const { status: resumed, stdout, stderr } = await machine.attempt(['resume', '--json', '--wait', '60']);
        expect({ moment, status: resumed, stderr }).toEqual({ moment, status: 0, stderr: '' });
        const { state } = JSON.parse(stdout) as { state: 'nothing to do' | 'undone' | 'finished' };
        const isNew =
          state === 'finished' ||
          (state === 'nothing to do' && compareSnapshots(old, machine.etc(), { times: false }).length > 0);
        const differences = compareSnapshots(isNew ? after : old, machine.etc(), { times: !isNew });
        expect({ moment, status, state, differences }).toEqual({ moment, status, state, differences: [] });
        ends[state === 'nothing to do' ? (isNew ? 'done' : 'not begun') : state] += 1;
        const seen = machine.etc();
        expect(JSON.parse(await machine.activate('resume', '--json'))).toEqual({ schema: 1, state: 'nothing to do' });
        expect(compareSnapshots(seen, machine.etc(), { times: true })).toEqual([]);
        expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({
          interrupted: null,
          pointer: 'right',
          drifted: [],
        });
      }
      console.log(`${place}, killed: ${JSON.stringify(ends)}`);
    },
    120_000,
  );

  test.each([...transitions])(
    'that is interrupted is undone at once, or carried out: $what',
    async ({ before, args }) => {
      await goTo(before);
      const times = await measure(args);
      const after = machine.etc();
      const ends: Record<number, number> = {};
      for (const [index, moment] of moments.entries()) {
        const old = await goTo(before);
        const status = await hit(args, index % 2 === 0 ? 'SIGINT' : 'SIGTERM', moment, times);
        ends[status] = (ends[status] ?? 0) + 1;
        const differences = compareSnapshots(status === 0 ? after : old, machine.etc(), { times: status !== 0 });
        expect({ moment, status, differences }).toEqual({ moment, status: status === 0 ? 0 : 4, differences: [] });
        expect(existsSync(machine.on(JOURNAL))).toBe(false);
      }
      console.log(`${place}, interrupted: ${JSON.stringify(ends)}`);
    },
    120_000,
  );

  test('leaves the machine as it was, after all that', async () => {
    const old = await goTo([
      ['switch', FIRST],
      ['rollback', '0'],
    ]);
    const given = machine.etc();
    expect(compareSnapshots(given, old, { times: true })).toEqual([]);
    await machine.activate('gc', '--keep', '0');
    expect(
      await machine.shell('ls -A /var/lib/activate/generations; find /var/lib/activate/backups -name content'),
    ).toBe('');
  });
});
