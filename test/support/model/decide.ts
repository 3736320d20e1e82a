import type { Thing, Wanted } from './closure';
import { parentOf } from './closure';
import { attitudeTo, hasRoom, inOrder, isBelow, isSame, oursAt, type Question, type Saved } from './state';

/** What happens at one path. `save`: what was there is kept; else it was ours, and goes. */
export type Deed = { readonly path: string } & (
  | {
      readonly do: 'put';
      readonly thing: Thing;
      readonly save?: 'displaced' | 'drifted' | undefined;
      readonly visible: boolean;
    }
  | { readonly do: 'drop'; readonly save?: 'drifted' | undefined }
  | { readonly do: 'return'; readonly saved: Saved; readonly save?: 'drifted' | undefined }
  | { readonly do: 'evict'; readonly save: 'displaced' | 'drifted' }
  | { readonly do: 'keep'; readonly why: 'unmanaged' | 'drifted' }
  | { readonly do: 'adopt'; readonly before: Thing; readonly mode?: number | undefined }
  | { readonly do: 'own'; readonly mode: number }
  | { readonly do: 'release' }
  | { readonly do: 'show' }
);

/** What is done, in order; or the paths that stand in the way. */
export interface Verdict {
  readonly deeds: readonly Deed[];
  readonly refused: readonly string[];
}

type Answer = Deed | 'refuse' | undefined;

/** Decides what becomes of every path that one of two generations names. */
export function decide(question: Question): Verdict {
  const { model, from, to } = question;
  const deeds: Deed[] = [];
  const refused: string[] = [];
  let above: string | undefined;
  for (const path of inOrder(new Set([...from.wanted.keys(), ...to.generation.wanted.keys()]))) {
    if (path === '/etc' || (above !== undefined && isBelow(path, above))) continue;
    above = undefined;
    const isDirectory = to.generation.wanted.get(path)?.place === 'directory';
    const answer = answerFor(question, path);
    if (answer === 'refuse') refused.push(path);
    if (isDirectory && (answer === 'refuse' || (answer !== undefined && answer.do === 'keep'))) above = path;
    if (answer === undefined || answer === 'refuse') continue;
    const evicted = evictions(question, answer);
    deeds.push(...evicted.deeds);
    refused.push(...evicted.refused);
  }
  for (const [path, saved] of from.ledger.displaced) {
    if (from.wanted.has(path) || to.generation.wanted.has(path) || !hasRoom(question, path)) continue;
    deeds.push(model.files.has(path) ? { path, do: 'release' } : { path, do: 'return', saved });
  }
  const order = inOrder(deeds.map(({ path }) => path));
  return { deeds: deeds.toSorted((a, b) => order.indexOf(a.path) - order.indexOf(b.path)), refused };
}

function answerFor(question: Question, path: string): Answer {
  const { model, from, to } = question;
  const found = model.files.get(path);
  const ours = oursAt(question, path);
  const next = to.generation.wanted.get(path);
  const wasThere =
    (found?.kind === 'directory' && from.ledger.adopted.has(path)) ||
    (ours !== undefined && from.ledger.displaced.has(path));
  if (next === undefined || (next.place === 'seed' && wasThere))
    return ours === undefined ? undefined : giveUp(question, path, ours);
  if (next.place === 'directory') return directory(question, path, next);
  if (found === undefined)
    return ours === undefined || next.place === 'seed' ? put(path, next) : drifted(question, path, next);
  if (next.place === 'seed' && ours === undefined) return undefined;
  if (ours === undefined) return unmanaged(question, path, next);
  if (isSame(found, ours.thing) || (found.kind === 'directory' && ours.place === 'directory')) {
    if (!isSame(found, next.thing)) return put(path, next);
    return isEntry(ours, next) ? undefined : { path, do: 'show' };
  }
  return isSame(found, next.thing) ? undefined : drifted(question, path, next);
}

function put(path: string, { thing }: Wanted, save?: 'displaced' | 'drifted'): Deed {
  return { path, do: 'put', thing, save, visible: true };
}

function isEntry(a: Wanted, b: Wanted): boolean {
  return a.place === b.place && JSON.stringify(a.shown ?? a.thing) === JSON.stringify(b.shown ?? b.thing);
}

/** Ours was changed, or removed. */
function drifted(question: Question, path: string, next: Wanted): Answer {
  const there = question.model.files.has(path);
  const kept = question.from.ledger.kept.has(path);
  const policy = attitudeTo(question, path).onDrift ?? (kept ? 'keep' : 'backup');
  if (policy === 'refuse') return 'refuse';
  if (policy === 'keep') return { path, do: 'keep', why: 'drifted' };
  return put(path, next, there ? 'drifted' : undefined);
}

/** The machine has something of its own. */
function unmanaged(question: Question, path: string, next: Wanted): Answer {
  const found = question.model.files.get(path);
  if (next.place === 'link' && isSame(found, next.thing)) return undefined;
  const shows = next.shown !== undefined && next.shown.kind === 'file' ? { ...next.shown } : undefined;
  const looks = next.place === 'link' ? shows : next.thing;
  const alike = isSame(found, next.thing) || (looks?.kind === 'file' && found?.kind === 'file' && isSame(found, looks));
  return alike ? put(path, next, 'displaced') : takeOver(question, path, next);
}

function takeOver(question: Question, path: string, next: Wanted): Answer {
  const kept = question.from.ledger.kept.has(path);
  const policy = attitudeTo(question, path).onConflict ?? (kept ? 'keep' : 'refuse');
  if (policy === 'refuse') return 'refuse';
  return policy === 'keep' ? { path, do: 'keep', why: 'unmanaged' } : put(path, next, 'displaced');
}

function directory(question: Question, path: string, next: Wanted): Answer {
  const { model, from } = question;
  const found = model.files.get(path);
  const ours = oursAt(question, path);
  const adopted = from.ledger.adopted.get(path);
  const mode = modeOf(next.thing);
  if (found === undefined) return put(path, next);
  if (found.kind !== 'directory') {
    if (ours === undefined) return takeOver(question, path, next);
    if (!isSame(found, ours.thing)) return drifted(question, path, next);
    return next.named || adopted === undefined ? put(path, next) : put(path, { ...next, thing: adopted });
  }
  if (ours?.place !== 'directory')
    return { path, do: 'adopt', before: found, mode: next.named && mode !== found.mode ? mode : undefined };
  if (mode === found.mode || (adopted !== undefined && !next.named)) return undefined;
  return { path, do: 'own', mode };
}

function modeOf(thing: Thing): number {
  return thing.kind === 'symlink' ? 0 : thing.mode;
}

const PLAIN: Thing = { kind: 'directory', mode: 0o755 };

/** The next generation does not name it: the machine's own comes back, or nothing is left of ours. */
function giveUp(question: Question, path: string, ours: Wanted): Answer {
  const { model, from } = question;
  const found = model.files.get(path);
  const displaced = hasRoom(question, path) ? from.ledger.displaced.get(path) : undefined;
  const adopted = from.ledger.adopted.get(path);
  if (ours.place === 'directory' && found?.kind === 'directory') {
    if (displaced !== undefined) return { path, do: 'return', saved: displaced };
    if (adopted !== undefined) return isSame(adopted, found) ? undefined : { path, do: 'own', mode: modeOf(adopted) };
    return strangersIn(question, path).length > 0 ? undefined : { path, do: 'drop' };
  }
  const isDrifted = found !== undefined && !isSame(found, ours.thing);
  if (isDrifted) {
    const policy = attitudeTo(question, path).onDrift ?? (from.ledger.kept.has(path) ? 'keep' : 'backup');
    if (policy === 'refuse') return 'refuse';
    if (policy === 'keep') return { path, do: 'release' };
  }
  const save = isDrifted ? 'drifted' : undefined;
  if (displaced !== undefined) return { path, do: 'return', saved: displaced, save };
  const holds = [...from.ledger.displaced.keys()].some((each) => isBelow(each, path));
  const again = adopted ?? (holds ? PLAIN : undefined);
  if (again !== undefined && found !== undefined && !isDrifted)
    return put(path, { place: 'directory', thing: again, named: false });
  return found === undefined ? undefined : { path, do: 'drop', save };
}

/** The topmost paths in a directory of ours that are the machine's. */
function strangersIn(question: Question, path: string): string[] {
  const { files } = question.model;
  return inOrder(files.keys())
    .filter((each) => parentOf(each) === path)
    .flatMap((each) => {
      const ours = oursAt(question, each);
      if (ours === undefined) return [each];
      return ours.place === 'directory' && files.get(each)?.kind === 'directory' ? strangersIn(question, each) : [];
    });
}

/** A directory of ours that makes room: what the machine has in it is the machine's all the same. */
function evictions(question: Question, deed: Deed): Verdict {
  const { path } = deed;
  const makesRoom =
    (deed.do === 'return' || (deed.do === 'put' && deed.thing.kind !== 'directory')) &&
    question.model.files.get(path)?.kind === 'directory' &&
    oursAt(question, path)?.place === 'directory';
  const strangers = makesRoom ? strangersIn(question, path) : [];
  const policies = strangers.map((each) => attitudeTo(question, each).onConflict ?? 'refuse');
  const refused = strangers.filter((_, index) => policies[index] === 'refuse');
  if (refused.length > 0) return { deeds: [], refused };
  if (policies.includes('keep'))
    return {
      deeds: question.to.generation.wanted.has(path) ? [{ path, do: 'keep', why: 'unmanaged' }] : [],
      refused: [],
    };
  const save = deed.do === 'return' ? 'drifted' : 'displaced';
  return { deeds: [deed, ...strangers.map((each): Deed => ({ path: each, do: 'evict', save }))], refused: [] };
}
