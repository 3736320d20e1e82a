import type { Decision } from './decision';
import { type Entry, isShared, MERGED, type Ownership, POINTER } from '../entry';
import type { Found } from '../found';
import { isBelow, joinTarget, nameOf, parentOf, type TargetPath } from '../path';
import type { Expected, Gone, Made, MadeAt, Step } from './step';

/** What the steps need to know beyond the decisions. */
export interface Terms {
  /** The text of the pointer before and after; `undefined` where nothing is shown. */
  readonly pointer: { readonly from: string | undefined; readonly to: string | undefined };
  /** The number that the first new backup gets. */
  readonly firstBackup: number;
  /** When what is found was last changed, in nanoseconds: an undo brings that back, and a change meanwhile shows by it. */
  readonly timeOf: (path: TargetPath) => string | undefined;
  /** The time that ours had when the generation we go to was last live. */
  readonly earlierTimeOf: (path: TargetPath) => string | undefined;
  /** The mode and owner of a directory that exists; `undefined` where none does. */
  readonly ownershipOf: (directory: TargetPath) => Ownership | undefined;
  /** The user who runs the transition. */
  readonly self: number;
  /** Part of the names of what is put aside; no earlier transition had it. */
  readonly token: string;
}

/** The steps of a transition, in phases; what comes after the commit cannot be undone and need not be. */
export interface Phases {
  readonly create: readonly Step[];
  readonly swap: readonly Step[];
  readonly remove: readonly Step[];
  /** Objects of ours that were put aside and are of no use any more. */
  readonly discard: readonly Discarded[];
  /** What the steps keep: the path and why, for each number from `firstBackup` on. */
  readonly backups: readonly { readonly path: TargetPath; readonly reason: 'displaced' | 'drifted' }[];
  /** Backups whose content is back in its place. */
  readonly spent: readonly number[];
}

/** Something of ours that was put aside, and where it was. */
export interface Discarded {
  readonly path: TargetPath;
  readonly aside: TargetPath;
}

/** The name of everything that is put aside; no closure may use it. */
export const ASIDE = '.activate.';

/** Turns decisions into steps, in the order that keeps every common path resolvable. */
export function planSteps(decisions: readonly Decision[], terms: Terms): Phases {
  const draft = newDraft(terms, decisions);
  decisions.forEach((decision, index) => addDecision(draft, decision, below(decisions, index)));
  const { created, made, before, after, late, removed, emptied, discard, backups, spent } = draft;
  const { from, to } = terms.pointer;
  const point: Step[] = from === to ? [] : [{ op: 'point', from, to }];
  return {
    create: [...(created.length === 0 ? [] : [{ op: 'create', objects: created } as const]), ...made],
    swap: [...before, ...point, ...after],
    remove: [...late, ...emptied, ...(removed.length === 0 ? [] : [{ op: 'remove', objects: removed } as const])],
    discard,
    backups,
    spent,
  };
}

/** The decisions about what is below the path of the decision at `index`; they follow it, because paths are sorted. */
function below(decisions: readonly Decision[], index: number): () => readonly Decision[] {
  return () => {
    const path = decisions[index]?.path ?? '';
    let end = index + 1;
    while (end < decisions.length && isBelow(decisions[end]?.path ?? '', path)) end += 1;
    return decisions.slice(index + 1, end);
  };
}

type Below = () => readonly Decision[];

interface Draft {
  readonly terms: Terms;
  /** Directories that are removed at the end: nothing is put aside in them. */
  readonly doomed: ReadonlySet<TargetPath>;
  /** Whether systemd-tmpfiles would follow the way to a directory. */
  readonly safe: Map<TargetPath, boolean>;
  /** Where a path is while it is built: below a directory that is staged under another name. */
  readonly staged: Map<TargetPath, TargetPath>;
  /** Directories that leave with all that is ours in them. */
  readonly leaving: Map<TargetPath, TargetPath>;
  /** Directories that this transition makes. */
  readonly owners: Map<TargetPath, Ownership>;
  readonly created: MadeAt[];
  readonly made: Step[];
  readonly before: Step[];
  readonly after: Step[];
  readonly removed: Gone[];
  readonly late: Step[];
  readonly emptied: Step[];
  readonly discard: Discarded[];
  readonly backups: { path: TargetPath; reason: 'displaced' | 'drifted' }[];
  readonly spent: number[];
  count: number;
}

function newDraft(terms: Terms, decisions: readonly Decision[]): Draft {
  const doomed = decisions.filter(({ action, previous }) => action === 'remove' && previous?.place === 'directory');
  return {
    terms,
    doomed: new Set(doomed.map(({ path }) => path)),
    safe: new Map(),
    staged: new Map(),
    leaving: new Map(),
    owners: new Map(),
    created: [],
    made: [],
    before: [],
    after: [],
    removed: [],
    late: [],
    emptied: [],
    discard: [],
    backups: [],
    spent: [],
    count: 0,
  };
}

function addDecision(draft: Draft, decision: Decision, children: Below): void {
  const { path } = decision;
  switch (decision.action) {
    case 'create':
      return addCreation(draft, path, madeOf(draft, decision.next), decision.next.place);
    case 'replace':
      return addReplacement(
        draft,
        { path, found: decision.found, made: madeOf(draft, decision.next), save: decision.save },
        children,
      );
    case 'merge': {
      const { found, merged, save } = decision;
      const made = { kind: 'file', ...merged, source: joinTarget(MERGED, merged.digest) } as const;
      return addReplacement(draft, { path, found, made, save }, children);
    }
    case 'reopen':
      return addReplacement(
        draft,
        { path, found: decision.found, made: { kind: 'directory', ...decision.after } },
        children,
      );
    case 'restore':
      return addRestoration(draft, decision, children);
    case 'remove':
      return addRemoval(draft, decision);
    case 'evict':
      return saveFrom(draft, pathIn(draft.leaving, path), path, decision.save);
    case 'own':
      return void draft.after.push({ op: 'own', path, before: plain(decision.before), after: plain(decision.after) });
    case 'adopt':
      if (decision.after !== undefined)
        draft.after.push({ op: 'own', path, before: plain(decision.before), after: decision.after });
      return;
    case 'show':
    case 'keep':
    case 'release':
  }
}

function addCreation(draft: Draft, path: TargetPath, made: Made, place: Entry['place']): void {
  const staged = pathIn(draft.staged, path);
  if (made.kind === 'directory') draft.owners.set(path, made);
  if (staged !== path) draft.made.push({ op: 'make', path: staged, made });
  else if (made.kind !== 'file' && place !== 'seed' && isSafe(draft, path)) draft.created.push({ path, made });
  else if (made.kind === 'directory') draft.made.push({ op: 'make', path, made });
  else {
    const aside = asideOf(draft, path);
    draft.made.push({ op: 'make', path: aside, made });
    draft.after.push({ op: 'place', path, aside });
  }
}

interface Replacement {
  readonly path: TargetPath;
  readonly found: Found;
  readonly made: Made;
  readonly save?: 'displaced' | 'drifted' | undefined;
}

function addReplacement(draft: Draft, { path, found, made, save }: Replacement, children: Below): void {
  const aside = asideOf(draft, path);
  draft.made.push({ op: 'make', path: aside, made });
  if (made.kind === 'directory') {
    draft.staged.set(path, aside);
    draft.owners.set(path, made);
  }
  addExchange(draft, { path, aside, found, needsPointer: needsPointer(path, made, children) }, children);
  if (save === undefined) draft.discard.push({ path, aside });
  else saveFrom(draft, aside, path, save);
}

interface Exchange {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  readonly found: Found;
  /** Whether what comes shows something only once the pointer has moved. */
  readonly needsPointer: boolean;
}

/**
 * What a moved pointer would break is exchanged before it moves, unless the new object needs the new pointer itself.
 */
function addExchange(draft: Draft, { path, aside, found, needsPointer }: Exchange, children: Below): void {
  if (found.kind === 'directory') draft.leaving.set(path, aside);
  const breaks =
    found.kind === 'symlink'
      ? found.linkText.startsWith(`${POINTER}/`)
      : found.kind === 'directory' &&
        children().some((other) => isBelow(other.path, path) && other.previous?.place === 'link');
  (breaks && !needsPointer ? draft.before : draft.after).push({
    op: 'exchange',
    path,
    aside,
    was: expected(draft, path, found),
  });
}

function needsPointer(path: TargetPath, made: Made, children: Below): boolean {
  if (made.kind === 'symlink') return made.linkText.startsWith(`${POINTER}/`);
  return (
    made.kind === 'directory' && children().some((other) => isBelow(other.path, path) && other.next?.place === 'link')
  );
}

function addRestoration(draft: Draft, decision: Decision & { readonly action: 'restore' }, children: Below): void {
  const { path, found, backup, save } = decision;
  draft.spent.push(backup);
  const staged = pathIn(draft.staged, path);
  if (staged !== path) {
    draft.made.push({ op: 'fetch', backup, aside: staged });
    return;
  }
  const aside = asideOf(draft, path);
  draft.made.push({ op: 'fetch', backup, aside });
  if (found === undefined) {
    draft.after.push({ op: 'place', path, aside });
    return;
  }
  addExchange(draft, { path, aside, found, needsPointer: false }, children);
  if (save === undefined) draft.discard.push({ path, aside });
  else saveFrom(draft, aside, path, save);
}

function addRemoval(draft: Draft, { path, found, save }: Decision & { readonly action: 'remove' }): void {
  // What is in a directory that leaves goes with it, except for what somebody changed.
  const leaving = pathIn(draft.leaving, path);
  if (leaving !== path) {
    if (save !== undefined) saveFrom(draft, leaving, path, save);
    return;
  }
  const mtimeNs = draft.terms.timeOf(path);
  if (save === undefined && isSafe(draft, path) && found.kind === 'symlink') {
    draft.removed.push({ path, was: { ...found, ...(mtimeNs === undefined ? {} : { mtimeNs }) } });
  } else if (save === undefined && found.kind === 'directory') {
    const was = { kind: 'directory', ...plain(found) } as const;
    if (isSafe(draft, path)) draft.removed.push({ path, was });
    // Children first: what is put aside below it comes before.
    else draft.emptied.unshift({ op: 'unmake', path, made: was });
  } else {
    const aside = asideOf(draft, path);
    draft.late.push({ op: 'park', path, aside, was: expected(draft, path, found) });
    if (save === undefined) draft.discard.push({ path, aside });
    else saveFrom(draft, aside, path, save);
  }
}

function expected({ terms }: Draft, path: TargetPath, found: Found): Expected {
  const mtimeNs = found.kind === 'file' ? terms.timeOf(path) : undefined;
  return mtimeNs === undefined ? { found } : { found, mtimeNs };
}

function saveFrom(draft: Draft, aside: TargetPath, path: TargetPath, reason: 'displaced' | 'drifted'): void {
  draft.late.push({ op: 'save', aside, backup: draft.terms.firstBackup + draft.backups.length });
  draft.backups.push({ path, reason });
}

function madeOf({ terms }: Draft, entry: Entry): Made {
  const earlier = terms.earlierTimeOf(entry.path);
  const mtime = earlier === undefined ? {} : { mtimeNs: earlier };
  if (entry.place === 'link') return { kind: 'symlink', linkText: POINTER + entry.path, ...mtime };
  if (entry.kind === 'symlink') return { kind: 'symlink', linkText: entry.linkText, ...mtime };
  if (entry.kind === 'directory') return { kind: 'directory', ...plain(entry) };
  const { sizeBytes, digest } = entry;
  const source = entry.source ?? `${terms.pointer.to ?? ''}${entry.path}`;
  return { kind: 'file', ...plain(entry), sizeBytes, digest, source, ...mtime };
}

function plain({ mode, uid, gid }: Ownership): Ownership {
  return { mode, uid, gid };
}

/** Where `path` really is while one of the directories above it has another name. */
function pathIn(renamed: ReadonlyMap<TargetPath, TargetPath>, path: TargetPath): TargetPath {
  if (renamed.size === 0) return path;
  for (let at = parentOf(path); at !== '/'; at = parentOf(at)) {
    const name = renamed.get(at);
    if (name !== undefined) return (name + path.slice(at.length)) as TargetPath;
  }
  return path;
}

/** A free name in the same directory, or in the nearest one above it that stays. */
function asideOf(draft: Draft, path: TargetPath): TargetPath {
  draft.count += 1;
  let directory = parentOf(path);
  while (draft.doomed.has(directory)) directory = parentOf(directory);
  return joinTarget(directory, `${ASIDE}${draft.terms.token}.${draft.count}`);
}

/** Whether a name was made by {@link planSteps} to put something aside. */
export function isAside(path: string): boolean {
  return nameOf(path).startsWith(ASIDE);
}

/**
 * Whether systemd-tmpfiles can be sent to `path`: it refuses directories that another user owns, and where others may write
 * it can be led astray, because it does not look before it removes.
 */
function isSafe(draft: Draft, path: TargetPath): boolean {
  const directory = parentOf(path);
  if (directory === '/') return true;
  const known = draft.safe.get(directory);
  if (known !== undefined) return known;
  const ownership = draft.owners.get(directory) ?? draft.terms.ownershipOf(directory);
  const isOurs =
    ownership === undefined || ((ownership.uid === 0 || ownership.uid === draft.terms.self) && !isShared(ownership));
  const safe = isOurs && isSafe(draft, directory);
  draft.safe.set(directory, safe);
  return safe;
}
