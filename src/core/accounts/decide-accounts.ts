import { type Content, type Entry, MERGED, type Ownership } from '../entry';
import type { FoundFile } from '../found';
import { comparePaths, joinTarget, type TargetPath } from '../path';
import type { Answer } from '../plan/decide';
import type { Conflict, Decision } from '../plan/decision';
import type { Contradiction } from './wishes';

/** A file of users or groups that gets lines, or is made with them. */
export interface AccountChange {
  readonly path: TargetPath;
  /** Absent where the file is new. */
  readonly found?: FoundFile;
  /** When it was last changed, in nanoseconds as decimal text. */
  readonly mtimeNs?: string;
  readonly made: Ownership & Content;
}

/** What a transition does to the users and groups of the machine. */
export interface AccountDecisions {
  readonly changes: readonly AccountChange[];
  readonly conflicts: readonly Conflict[];
}

export function conflictOf({ path, wanted, there }: Contradiction): Conflict {
  return { path, reason: 'contradicted', wanted, there };
}

/**
 * Adds to what was decided what happens to the files of users and groups.
 *
 * One that is made as a seed is made with the users in it. Where the closure or the last generation says what the whole file
 * is, nothing may be added to it.
 */
export function withAccounts(answer: Answer, { changes, conflicts }: AccountDecisions, to: readonly Entry[]): Answer {
  if (changes.length === 0 && conflicts.length === 0) return answer;
  const decided = new Map(answer.decisions.map((decision) => [decision.path, decision]));
  const managed = new Set(to.filter(({ place }) => place !== 'seed').map(({ path }) => path));
  const refused: Conflict[] = [...conflicts];
  for (const change of changes) {
    const decision = decided.get(change.path);
    const isSeeded = decision === undefined || (decision.action === 'create' && decision.next.place === 'seed');
    if (managed.has(change.path) || !isSeeded) refused.push({ path: change.path, reason: 'managed' });
    else if (!isSame(decision, change)) decided.set(change.path, decisionOn(change));
  }
  return {
    decisions: decided
      .values()
      .toArray()
      .toSorted((a, b) => comparePaths(a.path, b.path)),
    conflicts: [...answer.conflicts, ...refused],
  };
}

/** What the generation itself holds is made from there. */
function isSame(decision: Decision | undefined, { made }: AccountChange): boolean {
  const next = decision?.next;
  return next?.kind === 'file' && next.digest === made.digest;
}

function decisionOn({ path, found, mtimeNs, made }: AccountChange): Decision {
  if (found !== undefined) return { path, action: 'edit', found, made, ...(mtimeNs === undefined ? {} : { mtimeNs }) };
  const source = joinTarget(MERGED, made.digest);
  return { path, action: 'create', next: { path, place: 'seed', kind: 'file', ...made, source, restyled: true } };
}
