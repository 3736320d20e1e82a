import type { Thing } from './closure';
import { parentOf } from './closure';
import { decide, type Deed } from './decide';
import {
  type Destination,
  type Files,
  generationAt,
  isBelow,
  type Model,
  type Question,
  type Saved,
  treeAt,
} from './state';

/** Which of the two a command moves. */
export type Scope = 'live and default' | 'live' | 'default';

export type Switched =
  | { readonly state: 'refused'; readonly paths: readonly string[] }
  | { readonly state: 'done'; readonly model: Model };

/** What the machine is once a switch is through, or why it is refused. */
export function switched(model: Model, to: Destination, scope: Scope, flags: Question['flags']): Switched {
  const question: Question = { model, from: generationAt(model, model.live), to, flags };
  const { deeds, refused } = decide(question);
  if (refused.length > 0) return { state: 'refused', paths: refused };
  const { number, generation } = to;
  if (scope === 'default') {
    if (number === model.default) return { state: 'done', model };
    if (number === 0 && model.live !== 0) return { state: 'refused', paths: [] };
    return { state: 'done', model: { ...withGeneration(model, to, generation.ledger), default: number } };
  }
  if (isIdle(question, deeds, scope)) return { state: 'done', model };
  const job = newJob(model);
  for (const deed of settled(job, deeds)) carryOut(job, deed);
  for (const path of job.emptied.toReversed())
    if (![...job.files.keys()].some((each) => parentOf(each) === path)) job.files.delete(path);
  const { kept, displaced } = job;
  const managed = [...job.adopted].filter(([path]) => generation.wanted.has(path));
  const after = withGeneration(model, to, { kept, displaced, adopted: new Map(managed) });
  const roles = scope === 'live' ? { live: number } : { live: number, default: number };
  return { state: 'done', model: { ...after, ...roles, files: job.files, saved: job.saved } };
}

function withGeneration(model: Model, { number, generation }: Destination, ledger: typeof generation.ledger): Model {
  if (number === 0) return model;
  const before = model.generations.get(number);
  // A generation that exists keeps its record: only what it knows of the machine changes.
  return { ...model, generations: new Map([...model.generations, [number, { ...(before ?? generation), ledger }]]) };
}

function isIdle({ model, from, to }: Question, deeds: readonly Deed[], scope: Scope): boolean {
  const kept = deeds.filter((deed) => deed.do === 'keep');
  const isKept =
    kept.length === from.ledger.kept.size && kept.every(({ path, why }) => from.ledger.kept.get(path) === why);
  return (
    model.live === to.number && !deeds.some(isVisible) && isKept && (scope === 'live' || model.default === to.number)
  );
}

function isVisible(deed: Deed): boolean {
  return deed.do === 'adopt' ? deed.mode !== undefined : !['keep', 'release', 'evict'].includes(deed.do);
}

interface Job {
  readonly before: Files;
  readonly files: Map<string, Thing>;
  /** What was in directories that made room, and has not been seen to. */
  readonly left: Map<string, Thing>;
  readonly emptied: string[];
  readonly kept: Map<string, 'unmanaged' | 'drifted'>;
  readonly displaced: Map<string, Saved>;
  readonly adopted: Map<string, Thing>;
  saved: readonly Saved[];
}

function newJob(model: Model): Job {
  const { ledger } = generationAt(model, model.live);
  return {
    before: model.files,
    files: new Map(model.files),
    left: new Map(),
    emptied: [],
    kept: new Map(),
    displaced: new Map(ledger.displaced),
    adopted: new Map(ledger.adopted),
    saved: model.saved,
  };
}

/** What comes back needs a directory to come back to, and what is left to the machine must not go with one of ours. */
function settled({ before }: Job, deeds: readonly Deed[]): Deed[] {
  const directories = new Set([...before].filter(([, { kind }]) => kind === 'directory').map(([path]) => path));
  const returned: string[] = [];
  const going: string[] = [];
  return deeds.map((deed): Deed => {
    const { path } = deed;
    if (deed.do === 'put' && deed.thing.kind === 'directory') directories.add(path);
    const isGoing = (deed.do === 'put' || deed.do === 'return') && deed.save === undefined;
    if (isGoing && before.get(path)?.kind === 'directory') going.push(path);
    if (deed.do === 'release' && before.has(path) && going.some((each) => isBelow(path, each)))
      return { path, do: 'evict', save: 'drifted' };
    if (deed.do !== 'return') return deed;
    if (returned.some((each) => isBelow(path, each)))
      return before.has(path) ? { path, do: 'drop', save: deed.save } : { path, do: 'release' };
    if (!directories.has(parentOf(path))) return { path, do: 'release' };
    returned.push(path);
    return deed;
  });
}

function carryOut(job: Job, deed: Deed): void {
  const { path } = deed;
  switch (deed.do) {
    case 'put':
      clear(job, path, deed.save);
      return void job.files.set(path, deed.thing);
    case 'return':
      clear(job, path, deed.save);
      for (const [each, thing] of deed.saved.things) job.files.set(each, thing);
      job.displaced.delete(path);
      job.saved = job.saved.filter((each) => each !== deed.saved);
      return;
    case 'drop':
      if (job.files.get(path)?.kind === 'directory' && deed.save === undefined) return void job.emptied.push(path);
      return clear(job, path, deed.save);
    case 'evict':
      return clear(job, path, deed.save);
    case 'keep':
      return void job.kept.set(path, deed.why);
    case 'adopt':
      job.adopted.set(path, deed.before);
      return deed.mode === undefined ? undefined : void job.files.set(path, { kind: 'directory', mode: deed.mode });
    case 'own':
      return void job.files.set(path, { kind: 'directory', mode: deed.mode });
    case 'release':
      return void job.displaced.delete(path);
    case 'show':
  }
}

/** Takes away what is at a path, from where it is by now. */
function clear(job: Job, path: string, save: 'displaced' | 'drifted' | undefined): void {
  const from = job.left.has(path) ? job.left : job.files;
  const things = treeAt(from, path);
  for (const each of things.keys()) from.delete(each);
  if (things.size === 0) return;
  if (save === undefined) {
    for (const [each, thing] of things) job.left.set(each, thing);
    return;
  }
  const saved = { path, things };
  job.saved = [...job.saved, saved];
  if (save === 'displaced') job.displaced.set(path, saved);
}
