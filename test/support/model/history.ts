import { type Activate, activateOn } from '../cli';
import type { Act, Wish } from './acts';
import { switched } from './apply';
import { type Attitudes, type ModelClosure, type Thing, wantedBy, writeModelClosure } from './closure';
import { compare } from './compare';
import { changeMode, crash, edit, type Target } from './machine';
import { type Destination, destinationFor, destinationOf, inOrder, isBelow, type Model } from './state';
import type { Sandbox } from '../sandbox';

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
  return said ?? compare(history.sandbox, history.model);
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

function choose({ closures }: History, model: Model, { to, what }: Wish): Chosen | undefined {
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
  const chosen = choose(history, history.model, act);
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

/**
 * A crash leaves all old or all new, and which of them `resume` says. A switch that comes first resumes as well, and does
 * not say: then it has to be what follows from one of the two.
 */
async function interrupt(history: History, act: Act & { readonly do: 'crash' }): Promise<undefined> {
  const { sandbox, model } = history;
  const chosen = choose(history, model, act);
  const next = chosen === undefined ? undefined : switched(model, chosen.destination, act.scope, act.flags);
  if (chosen === undefined || next === undefined || next.state === 'refused' || next.model === model) return;
  const wanted: Target =
    act.what === 'closure'
      ? { kind: 'closure', argument: chosen.argument }
      : { kind: 'generation', number: Number(chosen.argument) };
  const end = await crash(sandbox, { target: wanted, scope: act.scope, flags: act.flags, at: act.at, fail: act.fail });
  if (end === 'crashed' && act.next === 'switch') return goOn(history, act, [model, next.model]);
  const resumed = JSON.parse(await insist(history, 0, ['resume', '--json'])) as { state: string };
  if ((resumed.state === 'nothing to do') !== (end !== 'crashed')) throw new Error(`${end}, and then ${resumed.state}`);
  count(history, end === 'crashed' ? `crash ${resumed.state}` : `interrupted: ${end}`);
  await insist(history, 0, ['resume']);
  if (end === 'done' || resumed.state === 'finished') history.model = next.model;
}

/** Switches without a `resume`: the machine may have been in any of these states. */
async function goOn(
  history: History,
  act: Act & { readonly do: 'crash' },
  models: readonly Model[],
): Promise<undefined> {
  const { closures, sandbox } = history;
  const chosen = closures[(act.to + 1) % closures.length];
  if (chosen === undefined) return;
  const { status, stderr } = await history.activate('switch', chosen.at, ...flagsOf(act.flags));
  const ends = models.flatMap((model) => {
    const destination = destinationFor(model, chosen.closure, wantedBy(chosen.closure));
    const next = switched(model, destination, 'live and default', act.flags);
    if ((next.state === 'refused' ? 3 : 0) !== status) return [];
    return [next.state === 'refused' ? model : next.model];
  });
  const first = ends.find((model) => compare(sandbox, model).length === 0) ?? ends[0];
  if (first === undefined) throw new Error(`switch after a crash: status ${status}: ${stderr}`);
  count(history, 'crash and switch');
  history.model = first;
}

async function collect(history: History, keep: number): Promise<undefined> {
  await insist(history, 0, ['gc', '--keep', String(keep)]);
  const { model } = history;
  const newest = new Set([...model.generations.keys()].toSorted((a, b) => b - a).slice(0, keep));
  const staying = [...model.generations].filter(
    ([number]) => newest.has(number) || number === model.live || number === model.default,
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
