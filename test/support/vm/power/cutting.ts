import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeTemporaryDirectory, removeTree } from '../../sandbox';
import type { Cut } from '../qemu';
import { insist } from '../running';
import { closures } from './closures';
import { type Expected, judgeBoot, readWork, type Woken } from './history';
import { compareSight, type Look, parseLook } from './looking';
import type { Powered, Stock } from './stock';

const saved = resolve(import.meta.dir, '../../../../.cache/power');

/** What came of cutting the power again and again. */
export interface Figures {
  readonly cuts: number;
  readonly duringBoot: number;
  /** How many boots were looked at. */
  readonly looked: number;
  readonly acknowledged: number;
  /** After how many cuts what was under way came to be, and after how many it did not. */
  readonly finished: number;
  readonly undone: number;
  /** How many boots brought /etc to another generation. */
  readonly brought: number;
  /** What was not as promised. */
  readonly wrong: readonly string[];
}

interface Cutting {
  readonly cuts: number;
  readonly seed: number;
  /** Takes a line about each boot. */
  readonly say: (line: string) => void;
  /** Options of the root filesystem, such as `barrier=0`, with which a power cut does lose what was acknowledged. */
  readonly mounted?: string | undefined;
}

/**
 * Cuts the power off one machine, again and again, while it switches; each time the next boot is looked at.
 *
 * @param seed the same one cuts at the same moments, as far as a machine takes the same time twice
 */
export async function cutAgainAndAgain(stock: Stock, { cuts, seed, say, mounted }: Cutting): Promise<Figures> {
  const directory = makeTemporaryDirectory();
  const random = randomFrom(seed);
  const history: History = {
    expected: { either: [undefined] },
    pace: { commandMs: 4000, bootMs: 8000 },
    figures: { cuts, duringBoot: 0, looked: 0, acknowledged: 0, finished: 0, undone: 0, brought: 0, wrong: [] },
  };
  try {
    const base = join(directory, 'disk.raw');
    await insist(['cp', '--sparse=always', stock.disk, base]);
    for (let count = 0; count <= cuts; count += 1) {
      const cut = count === cuts ? undefined : momentFrom(random, history.pace);
      const booted = await stock.power(base, { run: runOf(stock.work, cut, random), cut, mounted });
      const name = `${seed}.${count}`;
      const { line, wrong } = lookAt(stock, history, { booted, isLast: cut === undefined });
      say(`${name}: ${booted.seconds.toFixed(1)} s, ${line}${wrong.map((each) => `\n  WRONG ${each}`).join('')}`);
      if (wrong.length > 0 || process.env['KEEP'] !== undefined) keep(name, booted.console);
      history.figures.wrong.push(...wrong.map((each) => `${name}: ${each}`));
    }
    return history.figures;
  } finally {
    removeTree(directory);
  }
}

/** What is known of a machine from one boot to the next. */
interface History {
  expected: Expected;
  readonly pace: Pace;
  readonly figures: { -readonly [Name in keyof Figures]: Figures[Name] } & { wrong: string[] };
}

/** Holds what a boot showed against what may be, and remembers what the next one may show. */
function lookAt(
  { own: before }: Stock,
  history: History,
  { booted, isLast }: { readonly booted: Powered; readonly isLast: boolean },
): { readonly line: string; readonly wrong: readonly string[] } {
  const { figures, pace, expected } = history;
  const { woken, problems } = readBoot(booted, isLast);
  if (woken === undefined) {
    figures.duringBoot += 1;
    // Whether it came far enough to be blessed is not known.
    history.expected = { either: expected.either };
    return { line: 'cut before it was up', wrong: problems };
  }
  const { shown, wrong } = judgeBoot(woken, expected, before);
  const work = readWork(booted.console, shown);
  figures.looked += 1;
  figures.acknowledged += work.done;
  if (new Set(expected.either).size > 1) figures[shown === expected.either[1] ? 'finished' : 'undone'] += 1;
  if (woken.boot?.brought === true) figures.brought += 1;
  history.expected = work.expected;
  pace.commandMs = work.longestMs ?? pace.commandMs * 1.5;
  pace.bootMs = booted.seconds * 500;
  const line = `shows ${shown ?? 'nothing'} of ${expected.either.map((each) => each ?? 'nothing').join(' or ')}, ${work.done} done`;
  const back = isLast ? compareBack(booted.console, before) : [];
  return { line, wrong: [...problems, ...wrong, ...work.failed, ...back] };
}

function runOf(work: string, cut: Cut | undefined, random: () => number): string {
  if (cut !== undefined) return `${work}/work ${pick(random, writers)} <<'E'\n${commandsFrom(random)}\nE\n`;
  const times = `find /etc/site ! -type d -printf 'time %p %TY\\n'`;
  return `${work}/work end\nactivate rollback 0\n${work}/look back\n${times}\necho THE END\n`;
}

const writers = ['nothing', 'late', 'late', 'synced', 'names'] as const;
/** The most commands that come to their end before the power goes. */
const MOST_COMMANDS = 3;

/** How long the machine takes for what it is cut off from; other work makes that much longer at times. */
interface Pace {
  commandMs: number;
  bootMs: number;
}

/** Most cuts are in the middle of a command; some are while the machine comes back from the one before. */
function momentFrom(random: () => number, { commandMs, bootMs }: Pace): Cut {
  if (random() < 0.2) return { after: /activate: generation \d|WORK BEGINS/u, ms: random() * bootMs };
  const number = 1 + Math.floor(random() * MOST_COMMANDS);
  return { after: new RegExp(`^BEGUN ${number} [^\\n]*\\n`, 'mu'), ms: random() * commandMs };
}

function commandsFrom(random: () => number): string {
  const closure = (): string => `/srv/closures/${pick(random, Object.keys(closures))}`;
  const kinds = [
    ...Array<() => string>(5).fill(() => `switch ${closure()}`),
    () => `switch ${closure()} --trial 9`,
    () => `boot ${closure()} --trial 9`,
    () => `boot ${closure()}`,
    () => `test ${closure()}`,
    () => 'rollback',
    () => 'gc --keep 4',
  ];
  return Array.from({ length: 60 }, () => pick(random, kinds)()).join('\n');
}

function readBoot(
  { console, ended }: Powered,
  isLast: boolean,
): { readonly woken?: Woken; readonly problems: readonly string[] } {
  const isUp = isLast ? console.includes('THE END\n') : console.includes('WORK BEGINS\n');
  // Work that was done before the cut came is no worse than work that was cut.
  const problems = ended === 'run' || (ended === 'cut' && !isLast) ? [] : [`the boot ended in ${ended}`];
  if (!isUp) return { problems };
  const [early, late] = [parseLook(console, 'early'), parseLook(console, 'late')];
  if (early === undefined || late === undefined) return { problems: ['the boot did not say what it shows'] };
  const said = (word: string): string => new RegExp(`^${word} ?(.*)$`, 'mu').exec(console)?.[1] ?? '';
  const record = said('BOOT');
  const words = ['UNITS', 'STATUS', 'VERIFY', 'RESUME', 'CLOSURE'] as const;
  const woken = {
    early,
    late,
    boot: record === '' ? undefined : (JSON.parse(record) as Woken['boot']),
    said: Object.fromEntries(words.map((word) => [word, said(word)])) as Woken['said'],
  };
  return { woken, problems };
}

/** In the end all is given back: what the machine had at first, with its times. */
function compareBack(console: string, before: Look): string[] {
  const back = parseLook(console, 'back');
  if (back === undefined) return ['the machine did not say what it was given back'];
  const times = [...console.matchAll(/^time (\S+) (\d+)$/gmu)].filter(([, , year]) => year !== '2020');
  return [
    ...compareSight(back.sight, undefined).map((each) => `given back: ${each}`),
    ...(back.rest === before.rest ? [] : ['given back: something that nobody manages has changed']),
    ...times.map(([, path, year]) => `given back: ${path} is of ${year}`),
  ];
}

function keep(name: string, console: string): void {
  if (!existsSync(saved)) mkdirSync(saved, { recursive: true });
  writeFileSync(join(saved, `${name}.log`), console);
}

function pick<Item>(random: () => number, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

/** Numbers from 0 to 1, the same ones for the same seed. @see mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
