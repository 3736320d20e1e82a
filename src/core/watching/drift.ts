import { POINTER } from '../entry';
import { ancestorsOf, type TargetPath } from '../path';
import type { Wrong } from '../report/verify-report';

/** How long a path is left alone after it was put right. */
export const PATIENCE_MS = 60_000;

/** What whoever watches knows of the paths that drifted. Times are those of a clock that never goes back. */
export interface Known {
  /** Paths that were said to be wrong, until they are right again. */
  readonly wrong: ReadonlyMap<TargetPath, Wrong>;
  /** When putting a path right was last tried. */
  readonly tried: ReadonlyMap<TargetPath, number>;
  /** Paths of which it was said that they are left alone for now. */
  readonly held: ReadonlySet<TargetPath>;
}

export const nothingKnown: Known = { wrong: new Map(), tried: new Map(), held: new Set() };

/** What is new since the last look: each path is named once, until it is right again. */
export interface News {
  readonly known: Known;
  readonly drifted: readonly Wrong[];
  readonly right: readonly TargetPath[];
}

/** Holds what is wrong now against what is known. */
export function notice(known: Known, wrong: readonly Wrong[], now: number): News {
  const seen = new Map(wrong.map((each) => [each.path, each]));
  const tried = new Map([...known.tried].filter(([path, at]) => seen.has(path) || now - at < PATIENCE_MS));
  const held = new Set([...known.held].filter((path) => seen.has(path)));
  return {
    known: { wrong: seen, tried, held },
    drifted: wrong.filter(({ path }) => !known.wrong.has(path)),
    right: [...known.wrong.keys()].filter((path) => !seen.has(path)),
  };
}

/** What to put right now, and what to leave alone for a while. */
export interface Turn {
  readonly known: Known;
  readonly due: ReadonlySet<TargetPath>;
  /** Paths that are left alone for the first time since they drifted, and for how long still. */
  readonly held: readonly { readonly path: TargetPath; readonly waitMs: number }[];
  /** In how many milliseconds the next path is due; `undefined` where none waits. */
  readonly nextMs: number | undefined;
}

/**
 * Decides which of the wrong paths are put right now: none that was less than a minute ago, so as not to fight a program that
 * writes it again. What is below a path waits with it; without the pointer no link shows anything, so all wait with that.
 */
export function takeTurn(known: Known, now: number): Turn {
  const due = new Set<TargetPath>();
  const waiting = new Map<TargetPath, number>();
  for (const path of known.wrong.keys()) {
    const dueMs = dueAt(known, path);
    if (dueMs <= now) due.add(path);
    else waiting.set(path, dueMs);
  }
  const held = [...waiting]
    .filter(([path]) => !known.held.has(path))
    .map(([path, dueMs]) => ({ path, waitMs: dueMs - now }));
  const tried = new Map(known.tried);
  for (const path of due) tried.set(path, now);
  const nextMs = waiting.size === 0 ? undefined : waiting.values().reduce((a, b) => Math.min(a, b)) - now;
  return { known: { ...known, tried, held: new Set(waiting.keys()) }, due, held, nextMs };
}

/** After putting right failed because of one path, the others need not wait. */
export function spareOthers(known: Known, due: ReadonlySet<TargetPath>, culprit: TargetPath): Known {
  const tried = new Map(known.tried);
  for (const path of due) if (path !== culprit) tried.delete(path);
  return { ...known, tried };
}

function dueAt({ wrong, tried }: Known, path: TargetPath): number {
  const above = [POINTER, ...ancestorsOf(path)].filter((each) => wrong.has(each));
  return [path, ...above].reduce(
    (latest, each) => Math.max(latest, (tried.get(each) ?? -Infinity) + PATIENCE_MS),
    -Infinity,
  );
}
