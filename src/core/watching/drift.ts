import { POINTER } from '../entry';
import type { TargetPath } from '../path';
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
  /** When the next path is due; `undefined` where none waits. */
  readonly nextMs: number | undefined;
}

/**
 * Decides which of the wrong paths are put right now: none that was less than a minute ago, so as not to fight a program that
 * writes it again. Without the pointer no link shows anything: while that has to wait, all wait.
 */
export function takeTurn(known: Known, now: number): Turn {
  const until = (path: TargetPath): number => (known.tried.get(path) ?? now - PATIENCE_MS) + PATIENCE_MS;
  const least = known.wrong.has(POINTER) ? until(POINTER) : now;
  const paths = [...known.wrong.keys()];
  const dueAt = new Map(paths.map((path) => [path, Math.max(until(path), least)]));
  const due = new Set(paths.filter((path) => (dueAt.get(path) ?? 0) <= now));
  const waiting = paths.filter((path) => !due.has(path));
  const held = waiting
    .filter((path) => !known.held.has(path))
    .map((path) => ({ path, waitMs: (dueAt.get(path) ?? now) - now }));
  const tried = new Map([...known.tried, ...[...due].map((path) => [path, now] as const)]);
  return {
    known: { ...known, tried, held: new Set(waiting) },
    due,
    held,
    nextMs: waiting.reduce<number | undefined>(
      (next, path) => Math.min(next ?? Infinity, dueAt.get(path) ?? now),
      undefined,
    ),
  };
}
