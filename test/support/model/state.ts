import type { Attitudes, ModelClosure, Thing, Wanted } from './closure';
import { attitudeOf, parentOf } from './closure';
import { overlay } from '../overlay';

/** What is at each path below /etc; each has a directory above it. */
export type Files = ReadonlyMap<string, Thing>;

/** Something taken out of the way, with all that was in it; the first path is its own. */
export interface Saved {
  readonly path: string;
  readonly things: Files;
}

interface Generation {
  readonly wanted: ReadonlyMap<string, Wanted>;
  readonly rules: ModelClosure['rules'];
  /** What tells it from others: equal ones are one generation. */
  readonly digest: string;
  /** What it knew of the machine's own when it was last live. */
  readonly ledger: Ledger;
}

interface Ledger {
  readonly kept: ReadonlyMap<string, 'unmanaged' | 'drifted'>;
  readonly displaced: ReadonlyMap<string, Saved>;
  readonly adopted: ReadonlyMap<string, Thing>;
}

/** All that decides what a command does. */
export interface Model {
  readonly files: Files;
  readonly generations: ReadonlyMap<number, Generation>;
  readonly live: number;
  readonly default: number;
  /** What was saved and has not come back. */
  readonly saved: readonly Saved[];
}

const nothing: Ledger = { kept: new Map(), displaced: new Map(), adopted: new Map() };
const none: Generation = { wanted: new Map(), rules: [], digest: '', ledger: nothing };

export function newModel(files: Files): Model {
  return { files, generations: new Map(), live: 0, default: 0, saved: [] };
}

export function generationAt(model: Model, number: number): Generation {
  return model.generations.get(number) ?? none;
}

/** Where a switch leads: to a number, with what it wants now. */
export interface Destination {
  readonly number: number;
  readonly generation: Generation;
  /** Paths that were taken over before on behalf of this generation. */
  readonly agreed: (path: string) => boolean;
}

/** A closure becomes a new generation, unless it is the live one or the default. */
export function destinationFor(model: Model, closure: ModelClosure, wanted: ReadonlyMap<string, Wanted>): Destination {
  const { rules } = closure;
  // What a store or an image holds is another one where anything of the closure is, wanted or not.
  const carried = overlay === 'tree' ? undefined : closure;
  const digest = JSON.stringify([carried, [...wanted].toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  const known = [model.live, model.default].find((number) => model.generations.get(number)?.digest === digest);
  const number = known ?? Math.max(0, ...model.generations.keys()) + 1;
  const { ledger } = known === undefined ? none : generationAt(model, known);
  return { number, generation: { wanted, rules, digest, ledger }, agreed: () => false };
}

export function destinationOf(model: Model, number: number): Destination {
  const generation = generationAt(model, number);
  return { number, generation, agreed: (path) => generation.ledger.displaced.has(path) };
}

/** What is asked of one path. */
export interface Question {
  readonly model: Model;
  readonly from: Generation;
  readonly to: Destination;
  readonly flags: Attitudes;
}

export function attitudeTo({ from, to, flags }: Question, path: string): Attitudes {
  const rule = attitudeOf([...to.generation.rules, ...from.rules], path);
  const agreed = to.agreed(path) ? ('backup' as const) : undefined;
  return { onConflict: rule.onConflict ?? flags.onConflict ?? agreed, onDrift: rule.onDrift ?? flags.onDrift };
}

/** The entry that is still ours at a path: seeds are not, nor what was left to the machine. */
export function oursAt({ from }: Question, path: string): Wanted | undefined {
  const wanted = from.wanted.get(path);
  return wanted?.place === 'seed' || from.ledger.kept.get(path) === 'unmanaged' ? undefined : wanted;
}

/** Whether there will be directories all the way to a path. */
export function hasRoom({ to }: Question, path: string): boolean {
  for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
    if ((to.generation.wanted.get(at)?.place ?? 'directory') !== 'directory') return false;
  }
  return true;
}

export function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

/** Whether two things cannot be told apart, times aside. */
export function isSame(a: Thing | undefined, b: Thing | undefined): boolean {
  return identityOf(a) === identityOf(b);
}

function identityOf(thing: Thing | undefined): string {
  if (thing === undefined) return '';
  if (thing.kind === 'symlink') return JSON.stringify([thing.text]);
  return JSON.stringify(thing.kind === 'file' ? [thing.content, thing.mode, thing.uid] : [thing.mode]);
}

/** What is at a path, with all that is below it. */
export function treeAt(files: Files, path: string): Files {
  return new Map([...files].filter(([each]) => each === path || isBelow(each, path)));
}

/** Paths in an order in which directories come before what is in them. */
export function inOrder(paths: Iterable<string>): string[] {
  return [...paths].toSorted((a, b) => compare(a.split('/'), b.split('/')));
}

function compare(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (part !== other) return part < other ? -1 : 1;
  }
  return -1;
}
