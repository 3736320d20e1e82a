import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { openMachine, type TestMachine } from '../support/machine';
import { type Contents, writeClosure } from '../support/closures';
import { environment, type Finished } from '../support/namespace';

const ROUNDS = Number(process.env['RUNS'] ?? 25);
const EIGHT = Array.from({ length: 8 }, (_, index) => index);

let machine: TestMachine;
let closures: string[];
beforeEach(async () => {
  machine = await openMachine();
  closures = EIGHT.map((index) => writeOne(index));
});
afterEach(async () => machine.close());

/** Each has links, copies and direct links that all have, and some that only it has, or that are of another kind. */
function writeOne(index: number): string {
  const text = `${index}\n`;
  const contents: Record<string, Contents[string]> = {
    'activation.toml': 'schema = 1\n[[path]]\nmatch = "copy*"\nplace = "copy"\n',
    'etc/common/link': text,
    'etc/common/copy': text,
    'etc/common/direct': { link: `to-${index}` },
    [`etc/only-${index}/file`]: text,
    [`etc/only-${index}/copy`]: text,
    [index % 2 === 0 ? 'etc/kind' : 'etc/kind/file']: text,
  };
  for (let file = 0; file < 40; file += 1) contents[`etc/many/${(file * 7 + index) % 60}`] = text;
  const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
  writeClosure(sandbox, String(index), contents);
  return `/closures/${index}`;
}

/** What a process sees of /etc, without what /etc began with. */
async function seen(): Promise<string> {
  const all = await machine.visible();
  const ours = Object.entries(all).filter(([path]) => /^\/etc\/(?:common|only|kind|many)/u.test(path));
  return JSON.stringify(ours.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** What /etc looks like with each of the closures alone. */
async function looks(): Promise<string[]> {
  const each: string[] = [];
  for (const closure of closures) {
    await machine.activate('switch', closure);
    each.push(await seen());
  }
  expect(new Set(each).size).toBe(EIGHT.length);
  return each;
}

interface Watch {
  readonly stop: () => Promise<{ readonly reads: number; readonly failures: readonly string[] }>;
}

/** Runs what only reads, over and over: none of it may fail, nor print half a document. */
function watch(commands: readonly (readonly string[])[]): Watch {
  const failures: string[] = [];
  let reads = 0;
  const stopping = new AbortController();
  const read = async (command: readonly string[]): Promise<void> => {
    reads += 1;
    const { status, stdout, stderr } = await machine.attempt(command);
    if (status !== 0) failures.push(`${command.join(' ')}: status ${status}: ${stderr}`);
    else if (command.includes('--json') && !isDocument(stdout)) failures.push(`${command.join(' ')}: ${stdout}`);
  };
  const loop = (async () => {
    while (!stopping.signal.aborted) for (const command of commands) await read(command);
  })();
  return {
    stop: async () => {
      stopping.abort();
      await loop;
      return { reads, failures };
    },
  };
}

function isDocument(text: string): boolean {
  try {
    return (JSON.parse(text) as { schema: number }).schema === 1;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Eight at the same time, each to its own closure. */
async function race(flags: readonly string[]): Promise<Finished[]> {
  return Promise.all(closures.map(async (closure) => machine.attempt(['switch', closure, ...flags])));
}

async function insistOnOneOf(each: readonly string[], winners: readonly number[]): Promise<void> {
  expect(winners.map((index) => each[index])).toContain(await seen());
  await machine.activate('diff', '--exit-code');
  await machine.activate('resume');
  expect(existsSync(machine.on('/var/lib/activate/transition.json'))).toBe(false);
  expect(readlinkSync(machine.on('/var/lib/activate/live'))).toBe(
    readlinkSync(machine.on('/var/lib/activate/default')),
  );
}

const reading = [
  ['diff', '0', '--name-status'],
  ['status'],
  ['list'],
  ['status', '--json'],
  ['list', '--json'],
  ['diff', '0', '--json'],
];

test('of eight that switch at once each succeeds or says that another one is at it, and the end is one of the eight', async () => {
  const each = await looks();
  const ends: Record<string, number> = {};
  const readers = watch(reading);
  for (let round = 0; round < ROUNDS; round += 1) {
    const finished = await race([]);
    for (const { status } of finished) ends[status] = (ends[status] ?? 0) + 1;
    expect(finished.filter(({ status }) => status !== 0 && status !== 75)).toEqual([]);
    const winners = EIGHT.filter((index) => finished[index]?.status === 0);
    expect(winners.length).toBeGreaterThan(0);
    await insistOnOneOf(each, winners);
  }
  const { reads, failures } = await readers.stop();
  console.log(`${ROUNDS} rounds of eight: ${JSON.stringify(ends)}; ${reads} reads beside them`);
  expect(failures).toEqual([]);
}, 1_800_000);

test('of eight that wait for each other all succeed', async () => {
  const each = await looks();
  for (let round = 0; round < Math.ceil(ROUNDS / 5); round += 1) {
    const finished = await race(['--wait', '60']);
    expect(finished.filter(({ status }) => status !== 0)).toEqual([]);
    await insistOnOneOf(each, EIGHT);
  }
}, 1_800_000);

test('eight that are killed at random leave what one resume makes one of the eight, and the others can go on', async () => {
  const each = await looks();
  const ends: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = closures.map((closure) => machine.start(['activate', 'switch', closure]));
    await Bun.sleep(60 + ((round * 37) % 300));
    for (const { kill } of started) kill('SIGKILL');
    for (const { finished } of started) await finished;
    const state = await resumed();
    ends[state] = (ends[state] ?? 0) + 1;
    expect(each).toContain(await seen());
    await machine.activate('diff', '--exit-code');
  }
  console.log(`${ROUNDS} rounds of eight killed: resume ended ${JSON.stringify(ends)}`);
}, 1_800_000);

test('what a killed switch had cp do is over before anybody else begins', async () => {
  // The real cp, which takes its time.
  mkdirSync(machine.on('/slow'));
  writeFileSync(machine.on('/slow/cp'), '#!/bin/sh\ntouch /slow/begun\nsleep 2\nexec /bin/cp "$@"\n', { mode: 0o755 });
  const { kill, finished } = machine.start(['activate', 'switch', closures[0] ?? ''], {
    environment: { PATH: `/slow:${environment.PATH}` },
  });
  while (!existsSync(machine.on('/slow/begun'))) await Bun.sleep(5);
  kill('SIGKILL');
  await finished;
  expect(await machine.attempt(['resume'])).toMatchObject({ status: 75 });
  expect(await machine.activate('resume', '--json', '--wait', '60')).toContain('"undone"');
  expect(readdirSync(machine.on('/var/lib/activate/generations'))).toEqual([]);
  await Bun.sleep(100);
  expect(readdirSync(machine.on('/var/lib/activate/generations'))).toEqual([]);
});

test('whoever reads while generations come and go sees whole records', async () => {
  const readers = [
    watch([['list'], ['list', '--json']]),
    watch([
      ['status', '--json'],
      ['diff', '0', '--json'],
    ]),
  ];
  for (let round = 0; round < ROUNDS * 4; round += 1) {
    await machine.activate('switch', closures[round % closures.length] ?? '');
    await machine.activate('gc', '--keep', '1');
  }
  const ends = await Promise.all(readers.map(async ({ stop }) => stop()));
  console.log(`${ROUNDS * 4} switches and gcs, ${ends.map(({ reads }) => reads).join(' + ')} reads beside them`);
  expect(ends.flatMap(({ failures }) => failures)).toEqual([]);
}, 1_800_000);

/** cp and systemd-tmpfiles hold the lock until they have ended. */
async function resumed(): Promise<string> {
  for (;;) {
    const finished = await machine.attempt(['resume', '--json']);
    if (finished.status !== 75) {
      expect(finished.status).toBe(0);
      return (JSON.parse(finished.stdout) as { state: string }).state;
    }
    await Bun.sleep(5);
  }
}
