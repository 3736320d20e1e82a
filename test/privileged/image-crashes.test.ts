import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import type { ImageKind } from '../../src/core/records/overlay';
import { writeContents } from '../support/closures';
import { cutPower, imageOn, kinds, loopsOn, mountedOn, shownOn } from '../support/images';
import { openMachine, type TestMachine } from '../support/machine';
import { compareSnapshots } from '../support/snapshot';

const GENERATIONS = '/var/lib/activate/generations';
const JOURNAL = '/var/lib/activate/transition.json';
/** How many moments a transition is killed at. */
const MOMENTS = Number(process.env['MOMENTS'] ?? 4);

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  mkdirSync(machine.on('/var/images'));
  for (const name of ['one', 'two', 'three']) {
    const many = Array.from({ length: 200 }, (_, index) => [`etc/many/${name}/${index}`, `${index}\n`]);
    const copies = Array.from({ length: 20 }, (_, index) => [`etc/copied.d/${index}`, `${name}\n`]);
    writeContents(machine.on(`/var/images/${name}`), {
      'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/copied.d/*"\nplace = "copy"\n',
      'etc/shown': `${name}\n`,
      'etc/direct': { link: name },
      ...(Object.fromEntries([...many, ...copies]) as Record<string, string>),
    });
  }
});
afterEach(async () => machine.close());

interface Transition {
  readonly what: string;
  /** What is live before, from nothing; a kill may leave that or what the command leads to. */
  readonly before: readonly (readonly string[])[];
  readonly args: readonly string[];
  readonly names: readonly [old: string, fresh: string];
  /** Everything below /run is gone before it begins. */
  readonly afterPowerCut?: true;
}

function transitionsOf(images: Record<'one' | 'two' | 'three', string>): readonly Transition[] {
  const both = [
    ['switch', images.one],
    ['switch', images.two],
  ];
  return [
    { what: 'to another image', before: [['switch', images.one]], args: ['switch', images.two], names: ['one', 'two'] },
    {
      what: 'back to an image that has to be mounted again',
      before: both,
      args: ['switch', '1'],
      names: ['two', 'one'],
    },
    {
      what: 'to a copy in memory',
      before: [['switch', images.one]],
      args: ['switch', images.two, '--resident'],
      names: ['one', 'two'],
    },
    {
      what: 'to what the next boot shows, a copy in memory',
      before: [
        ['switch', images.one],
        ['boot', images.two, '--resident'],
      ],
      args: ['switch', '2'],
      names: ['one', 'two'],
    },
    {
      what: 'to what was live before a power cut',
      before: both,
      args: ['switch', '2'],
      names: ['two', 'two'],
      afterPowerCut: true,
    },
    {
      what: 'to the copy in memory that was live before a power cut',
      before: [
        ['switch', images.one],
        ['switch', images.two, '--resident'],
      ],
      args: ['switch', '2'],
      names: ['two', 'two'],
      afterPowerCut: true,
    },
  ];
}

async function begin({ before, afterPowerCut }: Transition): Promise<void> {
  if (existsSync(machine.on('/var/lib/activate/live'))) await machine.activate('rollback', '0');
  await machine.activate('gc', '--keep', '0');
  for (const args of before) await machine.activate(...args);
  if (afterPowerCut === true) await cutPower(machine);
}

/** How long a transition takes to its journal, and from there to its end. */
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

/** Kills a transition: the first of the moments is before there is a journal. What it started goes on to its end. */
async function kill(
  args: readonly string[],
  moment: number,
  times: { staging: number; journal: number },
): Promise<void> {
  const running = machine.start(['activate', ...args]);
  let isRunning = true;
  void running.finished.finally(() => (isRunning = false));
  if (moment === 0) await Bun.sleep(times.staging * 0.8);
  else {
    await untilJournal(() => isRunning);
    await Bun.sleep((times.journal * (moment - 1)) / (MOMENTS - 1));
  }
  running.kill('SIGKILL');
  await running.finished;
}

async function shownName(): Promise<string> {
  return machine
    .shell('cat /etc/shown /etc/copied.d/* /etc/many/*/7 | sort -u; readlink /etc/direct; ls /etc/many')
    .then((text) => text.replaceAll('\n', ' ').trim());
}

const whats = [
  'to another image',
  'back to an image that has to be mounted again',
  'to what was live before a power cut',
] as const;

/** A copy in memory is made in the same way of each kind. */
const cases: readonly (readonly [ImageKind, string])[] = [
  ...kinds.flatMap((kind) => whats.map((what) => [kind, what] as const)),
  ['erofs', 'to a copy in memory'],
  ['squashfs', 'to what the next boot shows, a copy in memory'],
  ['squashfs', 'to the copy in memory that was live before a power cut'],
];

test.each([...cases])(
  'a switch of %s %s that is killed leaves all old or all new once it is resumed',
  async (kind, what) => {
    const images = {
      one: imageOn(machine, kind, '/var/images/one'),
      two: imageOn(machine, kind, '/var/images/two'),
      three: imageOn(machine, kind, '/var/images/three'),
    };
    const transition = transitionsOf(images).find((each) => each.what === what);
    if (transition === undefined) throw new Error(what);
    const nothing = { etc: machine.etc(), mounts: await mountedOn(machine) };
    await begin(transition);
    const times = await measure(transition.args);
    const ends: Record<string, number> = {};
    for (let moment = 0; moment < MOMENTS; moment += 1) {
      await begin(transition);
      await kill(transition.args, moment, times);
      const { state } = JSON.parse(await machine.activate('resume', '--json', '--wait', '60')) as { state: string };
      ends[state] = (ends[state] ?? 0) + 1;
      // Without a journal there is nothing that `resume` could point at: a boot does, or the next switch.
      if (transition.afterPowerCut === true && state === 'nothing to do') await machine.activate(...transition.args);
      const [old, fresh] = transition.names.map((name) => `7 ${name} ${name} ${name}`);
      expect({ moment, state, shown: await shownName() }).toEqual({
        moment,
        state,
        shown: expect.stringMatching(new RegExp(`^(?:${old}|${fresh})$`, 'u')) as string,
      });
      expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({
        interrupted: null,
        pointer: 'right',
        content: 'there',
        drifted: [],
      });
      expect(await machine.activate('verify')).toContain('as recorded');
      await expectTidy();
      // And from there it goes on.
      await machine.activate(...transition.args);
      expect(await shownName()).toBe(fresh ?? '');
      await expectTidy();
    }
    await machine.activate('rollback', '0');
    expect(compareSnapshots(nothing.etc, machine.etc(), { times: true })).toEqual([]);
    expect(await mountedOn(machine)).toEqual(nothing.mounts);
    console.log(`${kind}, ${what}, killed: ${JSON.stringify(ends)}`);
  },
  240_000,
);

/** Only what is live or default is mounted, each once, and no half generation is left. */
async function expectTidy(): Promise<void> {
  const {
    live,
    default: next,
    generations,
  } = JSON.parse(await machine.activate('list', '--json')) as {
    live: number;
    default: number;
    generations: readonly { number: number }[];
  };
  const shown = await shownOn(machine);
  expect(shown).toEqual([...new Set(shown)]);
  expect(shown).toContain(String(live));
  expect([String(live), String(next)]).toEqual(expect.arrayContaining([...shown]) as string[]);
  expect(readdirSync(machine.on('/run/activate/gen')).toSorted()).toEqual([...shown]);
  expect(readdirSync(machine.on(GENERATIONS)).toSorted()).toEqual(
    generations.map(({ number }) => String(number)).toSorted(),
  );
  expect(existsSync(machine.on(JOURNAL))).toBe(false);
  // What looked into an image ends a moment after the one that was killed.
  for (let tries = 0; tries < 100 && (await loopsOn(machine)).length > shown.length; tries += 1) await Bun.sleep(20);
  expect((await loopsOn(machine)).length).toBeLessThanOrEqual(shown.length);
}
