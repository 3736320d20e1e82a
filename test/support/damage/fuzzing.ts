import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { activateOn, type Ran } from '../cli';
import type { Mutation } from './mutations';
import type { Sandbox } from '../sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../snapshot';
import { adaptedTo, copyMachine, originals, strangers, treasures } from './worn-machine';

/** One file of a machine that is not what `activate` wrote. */
export interface Damage {
  readonly file: string;
  readonly what: string;
  /** `adapt` makes of the content for the machine that was copied the one for the copy. */
  readonly put: (host: string, adapt?: (bytes: Buffer) => Buffer) => void;
}

/** Something that may not happen, and the damage that it happened after. */
export interface Harm {
  readonly file: string;
  readonly what: string;
  readonly harm: string;
}

export function rewritten(file: string, { what, bytes }: Mutation): Damage {
  return {
    file,
    what,
    put: (host, adapt = (same) => same) => {
      const { mode } = lstatSync(host);
      rmSync(host);
      writeFileSync(host, adapt(bytes), { mode });
    },
  };
}

/** What can be in a file's place, and what a link that should not be there can lead to. */
export function otherKinds(file: string): Damage[] {
  const put = (what: string, make: (host: string) => void): Damage => ({
    file,
    what,
    put: (host) => {
      rmSync(host, { recursive: true, force: true });
      mkdirSync(dirname(host), { recursive: true });
      make(host);
    },
  });
  const link = (text: string): Damage => put(`a link to ${text}`, (host) => symlinkSync(text, host));
  return [
    put('a directory in its place', (host) => mkdirSync(host)),
    put('a directory with something in it', (host) => mkdirSync(`${host}/x`, { recursive: true })),
    put('a fifo in its place', (host) => run('mkfifo', host)),
    put('a device in its place', (host) => run('mknod', host, 'c', '1', '3')),
    link('/root/canary'),
    link('../../../root/canary'),
    link('/etc/own'),
    link('generations/2'),
    link('generations/9'),
    link('nowhere'),
    link('.'),
    link('/proc/self/mem'),
  ];
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** What commands did: how many of them ended how, and all harm. */
export interface Tally {
  trials: number;
  readonly statuses: Record<number, number>;
  readonly harms: Harm[];
}

export function newTally(): Tally {
  return { trials: 0, statuses: {}, harms: [] };
}

const documented = new Set([0, 2, 3, 4, 5, 65, 74]);

/**
 * Runs commands one after the other on a copy of a machine with one damaged file, and notes every harm.
 *
 * @param culprit what a message about broken input has to name
 */
export async function attempt(
  tally: Tally,
  machine: Sandbox,
  damage: Damage,
  commands: readonly (readonly string[])[],
  culprit: 'the file' | 'the closure' = 'the file',
): Promise<void> {
  tally.trials += 1;
  const sandbox = copyMachine(machine);
  const note = (harm: string): void => void tally.harms.push({ file: damage.file, what: damage.what, harm });
  try {
    damage.put(sandbox.on(damage.file), adaptedTo(machine, sandbox));
    const before = takeSnapshot(sandbox.root);
    let isGivenBack = false;
    for (const argv of commands) {
      const began = performance.now();
      const ran = await activateOn(sandbox)(...argv);
      tally.statuses[ran.status] = (tally.statuses[ran.status] ?? 0) + 1;
      isGivenBack = argv.join(' ') === 'rollback 0' && ran.status === 0;
      for (const harm of wrongIn(ran, culprit === 'the file' ? sandbox.on(damage.file) : undefined))
        note(`${argv[0]}: ${harm}`);
      if (performance.now() - began > 10_000) note(`${argv[0]}: takes too long`);
    }
    for (const harm of lossesIn(before, sandbox)) note(harm);
    if (isGivenBack) for (const harm of notGivenBack(sandbox)) note(harm);
  } finally {
    sandbox.remove();
  }
}

/** What is wrong with an answer, whatever the question was; broken input is named, where `file` says what. */
export function* wrongIn({ status, stderr }: Ran, file = ''): Generator<string> {
  const [first = ''] = stderr.split('\n');
  if (!documented.has(status)) yield `status ${status}: ${stderr.slice(0, 300)}`;
  if (/^\s+at .*[:(]\d+/mu.test(stderr)) yield `a stack: ${stderr.slice(0, 300)}`;
  // A line may follow the file's name.
  const namesFile = first.startsWith(`activate: ${file}`) && /:(?:\d+:)? .|^activate: [^:]+: ./u.test(first);
  if (status === 65 && !namesFile) yield `status 65 does not name the file: ${first}`;
}

/** What no transition may touch, and what it may move but not lose. */
export function* lossesIn(before: readonly Seen[], sandbox: Sandbox): Generator<string> {
  const after = takeSnapshot(sandbox.root);
  const touched = compareSnapshots(before.filter(isOut), after.filter(isOut), { times: true });
  for (const difference of touched) yield `touched: ${difference}`;
  const held = new Set(after.map(({ sha256 }) => sha256));
  for (const treasure of treasures) if (!held.has(hashOf(treasure))) yield `lost: ${JSON.stringify(treasure)}`;
}

/** Once nothing is managed, the machine has what it had before, where it had it. */
function* notGivenBack(sandbox: Sandbox): Generator<string> {
  const after = new Map(takeSnapshot(sandbox.on('/etc')).map((seen) => [`etc${seen.path}`, seen]));
  for (const [path, content] of Object.entries(originals)) {
    const text = typeof content === 'string' ? content : 'file' in content ? content.file : undefined;
    const seen = after.get(path);
    if (text !== undefined && seen?.sha256 !== hashOf(text))
      yield `not given back: /${path} (${seen?.kind ?? 'absent'})`;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Where `activate` writes, and what the tests put beside it. */
const WRITABLE =
  /^\/(?:(?:etc|run\/activate|var\/lib\/activate|closures|bundle|nix)(?:\/|$)|run(?:\/filesystem-overlay)?$)/u;

function isOut({ path }: Seen): boolean {
  return path in strangerPaths || !WRITABLE.test(path);
}

const strangerPaths: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.keys(strangers).map((path) => [`/${path}`, true]),
);

/** Each kind of harm once, with the shortest damage that leads to it and how many do. */
export function summarise({ trials, statuses, harms }: Tally): string[] {
  console.log(`${trials} trials, statuses ${JSON.stringify(statuses)}`);
  const groups = Map.groupBy(harms, ({ file, harm }) => `${nameOf(file)} ${shorten(harm)}`);
  return [...groups.values()].map((group) => {
    const { file, what, harm } = group.toSorted((a, b) => a.what.length - b.what.length)[0] as Harm;
    return `${nameOf(file)} [${what}] ${shorten(harm)} (${group.length} times)`;
  });
}

function nameOf(file: string): string {
  return file.replace('/var/lib/activate/', '');
}

/** Without what differs from one sandbox to the next. */
function shorten(harm: string): string {
  return harm.replaceAll(/\/\S*activate-test-\w+/gu, '').trim();
}
