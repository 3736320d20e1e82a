import type { Look } from './looking';
import { compareSight } from './looking';
import { sightOf } from './closures';

/** What the next boot may show: what was acknowledged last, or what was under way since. */
export interface Expected {
  /** A closure each; `undefined` where nothing is managed. The first was acknowledged. */
  readonly either: readonly (string | undefined)[];
  /** What a `test` that was under way was to show: its copies may be there until `resume` has run. */
  readonly testing?: string | undefined;
  /** Whether the first is on trial; `undefined` where it was blessed perhaps, or something else may have become the default. */
  readonly trial?: boolean | undefined;
}

/** What the commands of one boot came to, as the console says. */
export interface Worked {
  readonly expected: Expected;
  readonly done: number;
  /** How long the longest command took, as far as one came to its end. */
  readonly longestMs: number | undefined;
  readonly failed: readonly string[];
}

/** Reads which commands were acknowledged, and which was under way when the power went. */
export function readWork(console: string, shown: string | undefined): Worked {
  const lines = (console.split('WORK BEGINS\n')[1] ?? '').split('\n').slice(0, -1);
  let acknowledged = shown;
  let trial: boolean | undefined;
  let begunOnTrial: boolean | undefined;
  let [open, testing]: (string | undefined)[] = [];
  let [done, begun] = [0, 0];
  let longestMs: number | undefined;
  const failed: string[] = [];
  for (const line of lines) {
    const [word = '', number = '', first = '', second = '', trust = ''] = line.split(' ');
    const centiseconds = Number(line.split(' ').at(-1));
    if (word === 'BEGUN') {
      testing = first === 'test' ? second : undefined;
      open = ['switch', 'boot', 'rollback'].includes(first) ? second : undefined;
      begunOnTrial = open === undefined ? trial : trust === 'trial';
      begun = centiseconds;
    } else if (word === 'DONE') {
      const wanted = open ?? acknowledged ?? '';
      if (first !== wanted) failed.push(`command ${number}: the default is ${first}, and not ${wanted}`);
      longestMs = Math.max(longestMs ?? 0, (centiseconds - begun) * 10);
      trial = begunOnTrial;
      testing = undefined;
      [acknowledged, open, done] = [first === '' ? undefined : first, undefined, done + 1];
    } else if (word === 'FAILED') {
      // A trial needs something to fall back on.
      if (!line.includes('to fall back on')) failed.push(line);
      open = undefined;
    }
  }
  return {
    expected: open === undefined ? { either: [acknowledged], testing, trial } : { either: [acknowledged, open] },
    done,
    longestMs,
    failed,
  };
}

/** What a boot said before its commands began. */
export interface Woken {
  readonly early: Look;
  readonly late: Look;
  /** What the boot hook said; nothing where nothing is managed. */
  readonly boot:
    | {
        readonly wanted: number;
        readonly chosen: number;
        readonly passed: readonly unknown[];
        readonly brought: boolean;
        readonly trial?: number;
      }
    | undefined;
  readonly said: Readonly<Record<'UNITS' | 'STATUS' | 'VERIFY' | 'RESUME' | 'CLOSURE', string>>;
}

/** The closure that a boot ended with, and everything that is not as promised. */
export function judgeBoot(
  { early, late, boot, said }: Woken,
  { either, testing, trial }: Expected,
  own: Look,
): { readonly shown: string | undefined; readonly wrong: readonly string[] } {
  const shown = said.CLOSURE === '' ? undefined : said.CLOSURE;
  const status = JSON.parse(said.STATUS) as Record<string, unknown>;
  const wrong = [
    ...(either.includes(shown) ? [] : [`${shown} is the default, and not one of ${either.join(', ')}`]),
    ...differing('late', compareSight(late.sight, shown)),
    ...differing('early', compareEarly(early, testing === undefined ? either : [...either, testing])),
    ...added(
      'dangling',
      early.dangling.filter((each) => !each.includes('/.activate.')),
      own.dangling,
    ),
    ...added('dangling', late.dangling, own.dangling),
    ...added('litter', late.litter, own.litter),
    ...(late.rest === own.rest ? [] : ['something that nobody manages has changed']),
    ...(late.shown === late.live && late.live === late.default && early.shown === late.shown
      ? []
      : [`roles: ${early.shown}, then ${late.shown} ${late.live} ${late.default}`]),
    ...(boot === undefined || (boot.passed.length === 0 && boot.chosen === boot.wanted && boot.chosen === late.shown)
      ? []
      : [`the boot: ${JSON.stringify(boot)}`]),
    ...(trial === undefined || (boot?.trial !== undefined) === trial
      ? []
      : [`on trial: ${trial}, and the boot: ${JSON.stringify(boot)}`]),
    ...((status['tries'] as Record<string, number>)[late.default] === undefined ? [] : ['the boot did not bless it']),
    ...expect('resume', said.RESUME, '{"schema":1,"state":"nothing to do"}'),
    ...expect('units', said.UNITS.trim().replaceAll(/\s+/gu, ' '), 'success success'),
    ...(said.VERIFY.startsWith('0 ') ? [] : [`verify: ${said.VERIFY}`]),
    ...(['interrupted', 'unsettled', 'passesOver'] as const).flatMap((each) =>
      status[each] === null ? [] : [`status: ${each} ${JSON.stringify(status[each])}`],
    ),
    ...((status['drifted'] as string[]).length === 0 ? [] : [`drifted: ${String(status['drifted'])}`]),
  ];
  return { shown, wrong };
}

/** What both may show is there right after the boot hook, and is one of them; copies follow with `resume`. */
function compareEarly(early: Look, either: readonly (string | undefined)[]): string[] {
  const sights = either.map(sightOf);
  const paths = [...(sights[0]?.keys() ?? [])].filter((path) => sights.every((sight) => sight.has(path)));
  return paths.flatMap((path) => {
    const found = early.sight.get(path);
    // Meanwhile a path whose kind changes shows the new content as the old kind, and copies may be those that were live.
    const changes = new Set(sights.map((sight) => sight.get(path)?.split(' ')[0])).size > 1;
    const isLate = changes || sights.every((sight) => sight.get(path)?.startsWith('f '));
    const isRight = sights.some((sight) => sight.get(path) === found) || (isLate && found !== undefined);
    return isRight ? [] : [`${path}: ${found ?? 'missing'}`];
  });
}

const differing = (when: string, differences: readonly string[]): string[] =>
  differences.map((each) => `${when}: ${each}`);
const added = (what: string, now: readonly string[], before: readonly string[]): string[] =>
  now.filter((each) => !before.includes(each)).map((each) => `${what}: ${each}`);
const expect = (what: string, said: string, wanted: string): string[] => (said === wanted ? [] : [`${what}: ${said}`]);
