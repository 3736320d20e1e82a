import { afterAll, beforeAll, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { attempt, type Damage, newTally, otherKinds, rewritten, summarise } from '../support/damage/fuzzing';
import {
  mutateBytes,
  mutateJson,
  pick,
  type Random,
  randomFrom,
  replaceNumbers,
  replaceTexts,
  type Values,
} from '../support/damage/mutations';
import type { Sandbox } from '../support/sandbox';
import { interruptMachine, JOURNAL, type Moment, STATE, wearMachine } from '../support/damage/worn-machine';

/** Another one each day would find more; the same one each time shows which change broke it. */
const SEED = Number(process.env['SEED'] ?? 1);
const TRIALS = Number(process.env['TRIALS'] ?? 60);
console.log(`SEED=${SEED} TRIALS=${TRIALS}`);

const MOMENTS: readonly Moment[] = ['create', 'swap', 'remove', 'undo'];

let worn: Sandbox;
const hit = new Map<Moment, Sandbox>();
beforeAll(async () => {
  worn = await wearMachine();
  for (const moment of MOMENTS) hit.set(moment, await interruptMachine(worn, moment));
}, 60_000);
afterAll(() => {
  for (const sandbox of [worn, ...hit.values()]) sandbox.remove();
});

function machineAt(moment: Moment): Sandbox {
  return hit.get(moment) as Sandbox;
}

/** Good for something else, or for nothing at all. */
const paths = [
  '/root/canary',
  '/root',
  '/usr/bin/canary',
  '/home/alice',
  '/etc/own',
  '/etc/own.d',
  '/etc/own-empty',
  '/etc/passwd',
  '/etc/d/stranger',
  '/etc',
  '/',
  '',
  '/etc/../root/canary',
  '/etc//own',
  '/etc/own/',
  '/etc/./own',
  'etc/own',
  '/etc/own\0',
  '/etc/\ud800',
  `/etc/${'x'.repeat(300)}`,
  `/etc${'/x'.repeat(3000)}`,
  '/etc/motd',
  '/etc/copy',
  '/etc/.activate.0.1',
  '/etc/own.d/link/../own',
  '/run/filesystem-overlay',
  '/run/activate',
  '/var/lib/activate',
  '/var/lib/activate/backups',
  '/var/lib/activate/generations/1',
  '/var/lib/activate/live',
  '/var/log/canary',
];
const numbers = [
  0,
  -0,
  -1,
  1,
  2,
  3,
  4,
  5,
  9,
  1.5,
  0o777,
  0o7777,
  0o10000,
  65535,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e21,
  1e300,
  -1e300,
];
const values: Values = { paths, numbers };

const looking = [['status'], ['list'], ['backups'], ['diff'], ['diff', '1'], ['switch', '--dry-run', 'closures/three']];
const acting = [
  ['switch', 'closures/three', '--on-conflict', 'backup'],
  ['rollback', '1'],
  ['rollback'],
  ['rollback', '0'],
  ['resume'],
  ['gc', '--keep', '1'],
  ['switch', '2', '--on-conflict', 'backup'],
];

/** All that look, then three of those that act, whatever becomes of the machine in between. */
function commandsFor(random: Random): (readonly string[])[] {
  return [...looking, pick(random, acting), pick(random, acting), pick(random, acting), ['status']];
}

const recovering = [['status'], ['list'], ['diff'], ['resume'], ['resume'], ['status'], ['rollback', '0']];

/** Some of many, so that each run takes about as long, and each seed has others. */
function sample<Item>(random: Random, items: readonly Item[], count: number): Item[] {
  const left = [...items];
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random(left.length), 1)[0] as Item);
}

const records = [1, 2].flatMap((number) =>
  ['generation.json', 'manifest.json', 'ledger.json', 'withheld.json', 'times.json'].map(
    (name) => `${STATE}/generations/${number}/${name}`,
  ),
);
const backups = [2, 3].map((number) => `${STATE}/backups/${number}/backup.json`);

const isPath = (text: string): boolean => text.startsWith('/');

/** Every path of a record replaced by every path that is none of its business, and every number by others. */
function aimedAt(machine: Sandbox, file: string): Damage[] {
  const bytes = readFileSync(machine.on(file));
  const mutations = [...replaceTexts(bytes, isPath, paths), ...replaceNumbers(bytes, numbers)];
  return mutations.map((mutation) => rewritten(file, mutation));
}

test('a damaged record gives a clear error or a correct run', async () => {
  const random = randomFrom(SEED);
  const tally = newTally();
  const files = [...records, ...backups].filter((file) => existsSync(worn.on(file)));
  for (let trial = 0; trial < TRIALS; trial += 1) {
    const file = pick(random, files);
    const mutation = mutateJson(readFileSync(worn.on(file)), random, values);
    await attempt(tally, worn, rewritten(file, mutation), commandsFor(random));
  }
  expect(summarise(tally)).toEqual([]);
}, 600_000);

test('a record that names what it has no business with harms nobody', async () => {
  const random = randomFrom(SEED);
  const tally = newTally();
  const files = [...records, ...backups].filter((file) => existsSync(worn.on(file)));
  const aimed = files.flatMap((file) => sample(random, aimedAt(worn, file), TRIALS / 6));
  for (const damage of aimed) {
    const going = pick(random, acting.slice(0, 4));
    await attempt(tally, worn, damage, [['status'], ['diff', '0'], going, ['status'], ['rollback', '0']]);
  }
  expect(summarise(tally)).toEqual([]);
}, 600_000);

test('something else in the place of a record or link gives a clear error or a correct run', async () => {
  const random = randomFrom(SEED);
  const tally = newTally();
  const links = [`${STATE}/live`, `${STATE}/default`, '/run/filesystem-overlay', JOURNAL];
  const stray = `${STATE}/generations/2/ledger.next.json`;
  const damages = [...records, ...backups, ...links, stray].flatMap(otherKinds);
  for (const damage of sample(random, damages, TRIALS / 2)) await attempt(tally, worn, damage, commandsFor(random));
  expect(summarise(tally)).toEqual([]);
}, 600_000);

test.each(MOMENTS)(
  'a damaged journal of a transition hit in %s is refused or carried out without harm',
  async (moment) => {
    const random = randomFrom(SEED);
    const tally = newTally();
    const machine = machineAt(moment);
    const bytes = readFileSync(machine.on(JOURNAL));
    for (const damage of sample(random, aimedAt(machine, JOURNAL), TRIALS / 5))
      await attempt(tally, machine, damage, recovering);
    for (let trial = 0; trial < TRIALS / 5; trial += 1) {
      await attempt(tally, machine, rewritten(JOURNAL, mutateJson(bytes, random, values)), recovering);
    }
    expect(summarise(tally)).toEqual([]);
  },
  600_000,
);

test.each(MOMENTS)(
  'whatever else is damaged where a transition was hit in %s, nothing is lost',
  async (moment) => {
    const random = randomFrom(SEED);
    const tally = newTally();
    const machine = machineAt(moment);
    const generation = `${STATE}/generations/3`;
    const files = [`${generation}/ledger.next.json`, `${generation}/manifest.json`, `${generation}/generation.json`];
    for (let trial = 0; trial < TRIALS / 10; trial += 1) {
      const file = pick(
        random,
        [...files, `${STATE}/backups/4/backup.json`].filter((each) => existsSync(machine.on(each))),
      );
      const mutation = mutateJson(readFileSync(machine.on(file)), random, values);
      await attempt(tally, machine, rewritten(file, mutation), recovering);
    }
    for (const damage of sample(random, [JOURNAL, ...files].flatMap(otherKinds), TRIALS / 20)) {
      await attempt(tally, machine, damage, recovering);
    }
    expect(summarise(tally)).toEqual([]);
  },
  600_000,
);

/** Lines that systemd-tmpfiles would carry out as they are. */
const lines = [
  'f /root/written 0644 root root - x',
  'f+ /etc/own 0644 root root - x',
  'r /root/canary',
  'R /home/alice',
  'R! /home/alice',
  'r /etc/own',
  'R /etc/own.d',
  'L+ /etc/own - - - - /nowhere',
  'z /root/canary 0777 12 12',
  'Z /etc 0777 12 12',
  'w /etc/own - - - - x',
  'rm -rf /',
];

test.each(MOMENTS)(
  'a damaged snippet of a transition hit in %s harms nobody',
  async (moment) => {
    const random = randomFrom(SEED);
    const tally = newTally();
    const machine = machineAt(moment);
    const file = `${STATE}/generations/3/transition.conf`;
    const bytes = readFileSync(machine.on(file));
    for (const line of lines) {
      await attempt(
        tally,
        machine,
        rewritten(file, { what: line, bytes: Buffer.from(`${String(bytes)}${line}\n`) }),
        recovering,
      );
    }
    for (let trial = 0; trial < TRIALS / 20; trial += 1) {
      await attempt(tally, machine, rewritten(file, mutateBytes(bytes, random)), recovering);
    }
    expect(summarise(tally)).toEqual([]);
  },
  600_000,
);
