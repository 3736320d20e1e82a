import type { Entry } from '../entry';
import type { Actual } from '../found';
import type { TargetPath } from '../path';
import type { Decision } from '../plan/decision';
import type { WrapperChange } from '../plan/wrappers';

/** A letter as git has it: added, modified, deleted, of another kind. */
export type Letter = 'A' | 'M' | 'D' | 'T';

/** One path, and the two questions about it. */
export interface Columns {
  readonly path: TargetPath;
  /** What became of it since it was written; `undefined` where it is as it was written. */
  readonly since: Letter | undefined;
  /** What the default generation would do to it; `undefined` for nothing. */
  readonly next: Letter | undefined;
}

/** What became of a path that drifted. */
export function driftLetter(
  { deviations }: Pick<Actual, 'deviations'>,
  { path, previous }: { readonly path: TargetPath; readonly previous?: Entry },
): Letter {
  const found = deviations.get(path);
  if (found === 'absent' || found === undefined) return found === undefined ? 'M' : 'D';
  const kind = previous?.place === 'link' ? 'symlink' : previous?.kind;
  return kind === undefined ? 'A' : found.kind === kind ? 'M' : 'T';
}

/** What a decision does to a path that people look at. */
export function decisionLetter(decision: Decision): Letter | undefined {
  switch (decision.action) {
    case 'create':
      return 'A';
    case 'remove':
    case 'evict':
      return 'D';
    case 'replace':
      return kindOf(decision.next) === decision.found.kind ? 'M' : 'T';
    case 'restore':
      return decision.found === undefined ? 'A' : 'M';
    case 'reopen':
      return 'T';
    case 'show':
    case 'own':
    case 'merge':
    case 'edit':
      return 'M';
    case 'adopt':
      return decision.after === undefined ? undefined : 'M';
    case 'keep':
    case 'release':
      return undefined;
  }
}

/** What became of a wrapper since it was made, and what is done to it. */
export function wrapperLetters({ found, wanted }: WrapperChange): { readonly since: Letter; readonly next: Letter } {
  if (found === undefined) return { since: 'D', next: 'A' };
  if (wanted === undefined) return { since: 'A', next: 'D' };
  return found.kind === 'file' ? { since: 'M', next: 'M' } : { since: 'T', next: 'T' };
}

function kindOf(entry: Decision['next']): string | undefined {
  return entry?.place === 'link' ? 'symlink' : entry?.kind;
}

/** Both columns, path by path. */
export function joinColumns(since: ReadonlyMap<TargetPath, Letter>, next: ReadonlyMap<TargetPath, Letter>): Columns[] {
  const paths = [...new Set([...since.keys(), ...next.keys()])].toSorted();
  return paths.map((path) => ({ path, since: since.get(path), next: next.get(path) }));
}
