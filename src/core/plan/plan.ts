import { type Entry, MERGED, type Ownership, POINTER } from '../entry';
import type { Found } from '../found';
import { isBelow, joinTarget, type TargetPath } from '../path';
import type { Decision } from './decision';
import { asideOf, discarded, type Draft, expected, isSafe, newDraft, pathIn, type Terms } from './draft';
import type { Discarded, Made, Step } from './step';
import { noWrapperSteps } from './wrappers';

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

/** Turns decisions into steps, in the order that keeps every common path resolvable. */
export function planSteps(decisions: readonly Decision[], terms: Terms): Phases {
  const draft = newDraft(terms, decisions);
  decisions.forEach((decision, index) => addDecision(draft, decision, below(decisions, index)));
  const { created, made, before, after, late, removed, emptied, discard, backups, spent } = draft;
  const { from, to } = terms.pointer;
  const wrappers = terms.wrappers ?? noWrapperSteps;
  const point: Step[] = from === to ? [] : [{ op: 'point', from, to }];
  return {
    create: [
      ...(created.length === 0 ? [] : [{ op: 'create', objects: created } as const]),
      ...made,
      ...wrappers.create,
    ],
    swap: [...before, ...point, ...wrappers.swap, ...after],
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

function addDecision(draft: Draft, decision: Decision, children: Below): void {
  const { path } = decision;
  switch (decision.action) {
    case 'create':
      return addCreation(draft, path, madeOf(draft, decision.next), decision.next.place);
    case 'replace':
      return addReplacement(
        draft,
        {
          path,
          found: decision.found,
          made: madeOf(draft, decision.next),
          save: decision.save,
          previous: decision.previous,
        },
        children,
      );
    case 'merge': {
      const { found, merged, save } = decision;
      const made = { kind: 'file', ...merged, source: joinTarget(MERGED, merged.digest) } as const;
      return addReplacement(draft, { path, found, made, save }, children);
    }
    case 'edit':
      return addEdit(draft, decision);
    case 'reopen':
      return addReplacement(
        draft,
        { path, found: decision.found, made: { kind: 'directory', ...decision.after }, previous: decision.previous },
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

/** Before the pointer moves: whoever the new generation is for is there by then. */
function addEdit(draft: Draft, { path, found, made, mtimeNs }: Decision & { readonly action: 'edit' }): void {
  const aside = asideOf(draft, path);
  const source = joinTarget(MERGED, made.digest);
  draft.made.push({ op: 'make', path: aside, made: { kind: 'file', ...made, source } });
  const was = mtimeNs === undefined ? { found } : { found, mtimeNs };
  draft.before.push({ op: 'exchange', path, aside, was, ifChanged: 'leave' });
  draft.discard.push({ path, aside, was: found });
}

interface Replacement {
  readonly path: TargetPath;
  readonly found: Found;
  readonly made: Made;
  readonly save?: 'displaced' | 'drifted' | undefined;
  readonly previous?: Entry | undefined;
}

function addReplacement(draft: Draft, { path, found, made, save, previous }: Replacement, children: Below): void {
  const aside = asideOf(draft, path);
  draft.made.push({ op: 'make', path: aside, made });
  if (made.kind === 'directory') {
    draft.staged.set(path, aside);
    draft.owners.set(path, made);
  }
  addExchange(draft, { path, aside, found, needsPointer: needsPointer(path, made, children) }, children);
  if (save === undefined) draft.discard.push(discarded(draft, { path, aside, found, previous }));
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
  const { path, found, backup, save, previous } = decision;
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
  if (save === undefined) draft.discard.push(discarded(draft, { path, aside, found, previous }));
  else saveFrom(draft, aside, path, save);
}

function addRemoval(draft: Draft, { path, found, save, previous }: Decision & { readonly action: 'remove' }): void {
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
    if (save === undefined) draft.discard.push(discarded(draft, { path, aside, found, previous }));
    else saveFrom(draft, aside, path, save);
  }
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
