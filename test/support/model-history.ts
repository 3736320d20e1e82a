import fc from 'fast-check';
import { type Activate, activateOn } from './cli';
import { type Scope, switched } from './model-apply';
import {
  anyAttitudes,
  type Attitudes,
  type ModelClosure,
  names,
  type Thing,
  wantedBy,
  writeModelClosure,
} from './model-closure';
import { changeMode, crash, differences, edit, pointerOf, readFiles, readRecords, relativeTo } from './model-machine';
import {
  type Destination,
  destinationFor,
  destinationOf,
  type Files,
  inOrder,
  isBelow,
  type Model,
} from './model-state';
import type { Sandbox } from './sandbox';
import { bytesOf } from './trees';

/** One thing that somebody does; the numbers pick from what there is by then. */
export type Act =
  | {
      readonly do: 'switch';
      readonly to: number;
      readonly what: 'closure' | 'generation';
      readonly scope: Scope;
      readonly flags: Attitudes;
    }
  | {
      readonly do: 'crash';
      readonly to: number;
      readonly what: 'closure' | 'generation';
      readonly scope: Scope;
      readonly flags: Attitudes;
      readonly at: number;
    }
  | { readonly do: 'rollback'; readonly to: number | undefined; readonly flags: Attitudes }
  | {
      readonly do: 'edit';
      readonly where: number;
      readonly name: string | undefined;
      readonly what: 'file' | 'link' | 'directory' | 'nothing' | 'mode';
    }
  | { readonly do: 'gc'; readonly keep: number }
  | { readonly do: 'look' };

const pick = fc.nat(1000);
const target = { to: pick, what: fc.constantFrom('closure' as const, 'closure' as const, 'generation' as const) };
const scope = fc.constantFrom<Scope>('live and default', 'live and default', 'live', 'default');

export const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('switch' as const), ...target, scope, flags: anyAttitudes }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      ...target,
      scope: fc.constantFrom<Scope>('live and default', 'live'),
      flags: anyAttitudes,
      at: fc.nat(12),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rollback' as const),
      to: fc.option(pick, { nil: undefined }),
      flags: anyAttitudes,
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('edit' as const),
      where: pick,
      name: fc.option(fc.constantFrom(...names), { nil: undefined }),
      what: fc.constantFrom(
        'file' as const,
        'file' as const,
        'link' as const,
        'directory' as const,
        'nothing' as const,
        'nothing' as const,
        'mode' as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gc' as const), keep: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'look' as const }) },
);

/** A machine with a model beside it; both have lived through the same. */
export interface History {
  readonly sandbox: Sandbox;
  readonly activate: Activate;
  readonly closures: readonly { readonly at: string; readonly closure: ModelClosure }[];
  readonly tally: Record<string, number>;
  model: Model;
  /** Goes up with each edit: no two have the same content or time. */
  edits: number;
}

export function beginHistory(
  sandbox: Sandbox,
  closures: readonly ModelClosure[],
  model: Model,
  tally: History['tally'],
): History {
  const written = closures.map((closure, index) => {
    const at = sandbox.on(`/closures/${index}`);
    writeModelClosure(at, closure);
    return { at, closure };
  });
  return { sandbox, activate: activateOn(sandbox), closures: written, tally, model, edits: 0 };
}

/** Does one thing on the machine and in the model, and says in which way they differ now. */
export async function live(history: History, act: Act): Promise<readonly string[]> {
  const said = await perform(history, act);
  return said ?? compare(history);
}

/** Counts what happened; the first word says what was done. */
function count(history: History, what: string): void {
  history.tally[what] = (history.tally[what] ?? 0) + 1;
}

async function perform(history: History, act: Act): Promise<readonly string[] | undefined> {
  switch (act.do) {
    case 'switch':
      return goTo(history, act);
    case 'rollback':
      return rollBack(history, act);
    case 'crash':
      return interrupt(history, act);
    case 'edit':
      return editByHand(history, act);
    case 'gc':
      return collect(history, act.keep);
    case 'look':
      for (const verb of ['status', 'list', 'diff']) await insist(history, 0, [verb]);
      count(history, 'look');
  }
  return undefined;
}

const verbs = { 'live and default': 'switch', live: 'test', default: 'boot' } as const;

interface Chosen {
  readonly destination: Destination;
  readonly argument: string;
}

function choose(
  { model, closures }: History,
  { to, what }: { to: number; what: 'closure' | 'generation' },
): Chosen | undefined {
  if (what === 'generation') {
    const numbers = [0, ...model.generations.keys()];
    const number = numbers[to % numbers.length] ?? 0;
    return { destination: destinationOf(model, number), argument: String(number) };
  }
  const chosen = closures[to % closures.length];
  if (chosen === undefined) return undefined;
  return { destination: destinationFor(model, chosen.closure, wantedBy(chosen.closure)), argument: chosen.at };
}

function flagsOf({ onConflict, onDrift }: Attitudes): string[] {
  return [
    ...(onConflict === undefined ? [] : [`--on-conflict=${onConflict}`]),
    ...(onDrift === undefined ? [] : [`--on-drift=${onDrift}`]),
  ];
}

async function insist(history: History, status: number, argv: readonly string[]): Promise<string> {
  const ran = await history.activate(...argv);
  if (ran.status === status) return ran.stdout;
  throw new Error(`${argv.join(' ')}: status ${ran.status}, not ${status}\n${ran.stderr}${ran.stdout}`);
}

async function goTo(history: History, act: Act & { readonly do: 'switch' }): Promise<undefined> {
  const chosen = choose(history, act);
  if (chosen === undefined) return;
  const next = switched(history.model, chosen.destination, act.scope, act.flags);
  await insist(history, next.state === 'refused' ? 3 : 0, [verbs[act.scope], chosen.argument, ...flagsOf(act.flags)]);
  count(
    history,
    `${verbs[act.scope]} ${next.state === 'refused' ? 'refused' : next.model === history.model ? 'idle' : 'done'}`,
  );
  if (next.state === 'done') history.model = next.model;
}

async function rollBack(history: History, { to, flags }: Act & { readonly do: 'rollback' }): Promise<undefined> {
  const { model } = history;
  const numbers = [0, ...model.generations.keys()];
  const before = numbers
    .filter((number) => number < model.live)
    .toSorted((a, b) => a - b)
    .at(-1);
  const number = to === undefined ? before : numbers[to % numbers.length];
  const argv = ['rollback', ...(to === undefined ? [] : [String(number)]), ...flagsOf(flags)];
  if (number === undefined) {
    await insist(history, 2, argv);
    return;
  }
  const next = switched(model, destinationOf(model, number), 'live and default', flags);
  await insist(history, next.state === 'refused' ? 3 : 0, argv);
  count(history, `rollback ${next.state}`);
  if (next.state === 'done') history.model = next.model;
}

/** A crash leaves all old or all new once it is resumed, and which of them `resume` says. */
async function interrupt(history: History, act: Act & { readonly do: 'crash' }): Promise<undefined> {
  const chosen = choose(history, act);
  if (chosen === undefined) return;
  const next = switched(history.model, chosen.destination, act.scope, act.flags);
  if (next.state === 'refused' || next.model === history.model) return;
  const number = Number(chosen.argument);
  const wanted =
    act.what === 'closure'
      ? ({ kind: 'closure', argument: chosen.argument } as const)
      : ({ kind: 'generation', number } as const);
  const end = await crash(history.sandbox, { target: wanted, scope: act.scope, flags: act.flags, at: act.at });
  const resumed = JSON.parse(await insist(history, 0, ['resume', '--json'])) as { state: string };
  if ((resumed.state === 'nothing to do') !== (end === 'done')) throw new Error(`${end}, and then ${resumed.state}`);
  count(history, end === 'done' ? 'crash too late' : `crash ${resumed.state}`);
  await insist(history, 0, ['resume']);
  if (resumed.state !== 'undone') history.model = next.model;
}

async function collect(history: History, keep: number): Promise<undefined> {
  await insist(history, 0, ['gc', '--keep', String(keep)]);
  const { model } = history;
  const newest = [...model.generations.keys()].toSorted((a, b) => b - a).slice(0, keep);
  const staying = [...model.generations].filter(
    ([number]) => newest.includes(number) || number === model.live || number === model.default,
  );
  count(history, 'gc');
  history.model = { ...model, generations: new Map(staying) };
}

/** Somebody changes what is at a path that is there, or at a new name in a directory. */
function editByHand(history: History, { where, name, what }: Act & { readonly do: 'edit' }): undefined {
  const { model } = history;
  const directories = inOrder([...model.files].filter(([, { kind }]) => kind === 'directory').map(([path]) => path));
  const directory = directories[where % directories.length] ?? '/etc';
  const paths = inOrder(model.files.keys()).filter((each) => each !== '/etc');
  const path = name === undefined ? paths[where % Math.max(1, paths.length)] : `${directory}/${name}`;
  if (path === undefined) return;
  history.edits += 1;
  const before = model.files.get(path);
  if (what === 'mode') {
    if (before === undefined || before.kind === 'symlink') return;
    const mode = before.mode ^ 0o011;
    changeMode(history.sandbox, path, mode);
    history.model = { ...model, files: new Map([...model.files, [path, { ...before, mode }]]) };
  } else {
    const thing = thingOf(what, history.edits);
    edit(history.sandbox, path, thing);
    const files = new Map([...model.files].filter(([each]) => each !== path && !isBelow(each, path)));
    if (thing !== undefined) files.set(path, thing);
    history.model = { ...model, files };
  }
  count(history, `edit ${what}`);
}

function thingOf(what: 'file' | 'link' | 'directory' | 'nothing', number: number): Thing | undefined {
  const at = 1_000_000_000 + number;
  if (what === 'file') return { kind: 'file', content: `edit ${number}\n`, mode: 0o644, uid: 0, at };
  if (what === 'link') return { kind: 'symlink', text: `edit ${number}`, at };
  return what === 'directory' ? { kind: 'directory', mode: 0o755 } : undefined;
}

/** In which way the machine is not as the model says. */
function compare({ sandbox, model }: History): string[] {
  const files = differences(model.files, readFiles(sandbox.on('/etc'), '/etc'));
  const { generations, live: number, default: next, backups, litter } = readRecords(sandbox);
  const said = {
    generations: [...model.generations.keys()].toSorted((a, b) => a - b),
    live: model.live,
    default: model.default,
  };
  const is = { generations, live: number, default: next };
  const records =
    JSON.stringify(said) === JSON.stringify(is)
      ? []
      : [`expected ${JSON.stringify(said)}, found ${JSON.stringify(is)}`];
  const saved = model.saved.map(({ path, things }) => relativeTo(things, path));
  return [...files, ...records, ...compareBackups(saved, backups), ...litter, ...shownWrongly({ sandbox, model })];
}

/** The same ones, in whatever order. */
function compareBackups(expected: readonly Files[], found: readonly Files[]): string[] {
  const left = [...found];
  const missing = expected.filter((want) => {
    const index = left.findIndex((is) => differences(want, is).length === 0);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
  return [
    ...missing.map((files) => `no backup holds ${JSON.stringify([...files])}`),
    ...left.map((files) => `nobody knows of the backup of ${JSON.stringify([...files])}`),
  ];
}

/** Links through the pointer that do not show what the live generation has there. */
function shownWrongly({ sandbox, model }: Pick<History, 'sandbox' | 'model'>): string[] {
  const pointer = pointerOf(sandbox);
  if (model.live === 0) return pointer === '' ? [] : ['a pointer is left'];
  const wanted = model.generations.get(model.live)?.wanted ?? new Map();
  return [...model.files].flatMap(([path, thing]) => {
    const shown = wanted.get(path)?.shown;
    if (thing.kind !== 'symlink' || thing.text !== `/run/filesystem-overlay${path}` || shown === undefined) return [];
    const files = readFiles(Buffer.concat([Buffer.from(sandbox.root), bytesOf(`${pointer}${path}`)]), path);
    return differences(thingsOf(shown, path), files);
  });
}

function thingsOf(node: ModelClosure['tree'][string], path: string): Files {
  if (node.kind === 'symlink') return new Map([[path, { kind: 'symlink', text: node.linkText }]]);
  if (node.kind === 'file') return new Map([[path, node]]);
  const below = Object.entries(node.children).flatMap(([name, child]) => [...thingsOf(child, `${path}/${name}`)]);
  return new Map([[path, { kind: 'directory', mode: node.mode }], ...below]);
}
