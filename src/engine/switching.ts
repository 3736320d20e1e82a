import type { Context } from '../context';
import type { Switched } from '../core/report/outcome';
import { ActivateError } from '../core/errors';
import { hostPath } from '../core/path';
import { readStatus } from '../system/tree/reading';
import { POINTER } from '../core/entry';
import type { Conflict } from '../core/plan/decision';
import { type Settled, settleBoot } from './boot/settling';
import { withContent } from './closure/content';
import { installedHook } from './hooks/recorded';
import { withAccountsLocked } from './accounts/locking';
import { refuseUnbootable, warnOfOldInitrd } from './hooks/guarding';
import { withLockedMachine } from './state/locked';
import { noteTransition } from './noting';
import { refuseUntrustedSource } from './state/trust';
import { hideUnused, isShown } from './transition/showing';
import type { Machine } from './state/machine';
import { readJournal } from './transition/journal';
import { sweep, sweepIfPossible } from './transition/litter';
import { type Resumed, resumeTransition } from './transition/resume';
import { type Attitudes, type Means, type Prepared, prepareTransition, type Target } from './deciding/prepare';
import { carryOut, type Done, isVisible, type Scope, stageForBoot } from './transition/transition';

/**
 * Makes the machine show a closure or generation, or have it shown from the next boot on.
 *
 * @throws {ActivateError} `PERMISSION`, `LOCKED`, `FAILED`, `UNDO_FAILED`, and what reading the closure throws
 */
export function switchTo(context: Context, target: Target, scope: Scope, attitudes: Attitudes): Promise<Switched> {
  return withLockedMachine(context, async (machine) => {
    await resumeFirst(context, machine);
    return withContent(context, machine, target, async (content) => {
      if (content.source !== undefined) refuseUntrustedSource(context, content.source);
      return planAndCarryOut(context, machine, { target, scope, means: { ...attitudes, content } });
    });
  });
}

interface Move {
  readonly target: Target;
  readonly scope: Scope;
  readonly means: Means;
}

function planAndCarryOut(context: Context, machine: Machine, { target, scope, means }: Move): Promise<Switched> {
  const prepare = (): Prepared => prepareTransition(context, machine, target, means);
  const prepared = prepare();
  const changes = accountChanges(prepared, scope);
  // Somebody may have changed users and passwords before the lock of these was taken: then it is planned again.
  return withAccountsLocked(context, machine, changes, () =>
    carryOutPlan(context, machine, changes.length === 0 ? prepared : prepare(), scope),
  );
}

/** What a switch is about to change of users and groups. */
function accountChanges({ accounts, conflicts }: Prepared, scope: Scope): readonly unknown[] {
  return scope === 'default' || conflicts.length > 0 ? [] : (accounts?.changes ?? []);
}

async function carryOutPlan(context: Context, machine: Machine, prepared: Prepared, scope: Scope): Promise<Switched> {
  if (prepared.conflicts.length > 0) return { state: 'refused', conflicts: prepared.conflicts };
  refuseUnread(prepared);
  refuseForeignPointer(machine);
  refuseUnbootable(context, machine, prepared.to);
  if (scope !== 'live') warnOfOldInitrd(context, machine, prepared.to);
  if (scope === 'default') return forNextBoot(context, machine, prepared);
  if (scope === 'live' && prepared.state.default !== prepared.to.number)
    warnOfBoot(context, machine, prepared.state.default);
  return carryOutNow(context, machine, prepared, scope);
}

/** Carries out a plan without conflicts, where there is anything to do. */
export async function carryOutNow(
  context: Context,
  machine: Machine,
  prepared: Prepared,
  scope: Scope,
): Promise<Exclude<Switched, { readonly state: 'refused' }>> {
  const kept = keptPaths(prepared);
  const { live, default: next } = prepared.state;
  const trial = trialOf(prepared, scope);
  if (isIdle(machine, prepared, scope))
    return { state: 'nothing to do', shown: 'now', live, default: next, kept, ...trial };
  warnOfUncounted(context, machine, prepared);
  const done = await carryOutAndNote(context, machine, prepared, scope);
  return {
    state: 'done',
    shown: 'now',
    live: done.to,
    default: scope === 'live' ? next : done.to,
    kept,
    merged: mergedPaths(prepared),
    ...done,
    ...trial,
  };
}

/** What becomes of a trial: that is about what the next boots show. */
function trialOf({ tries }: Prepared, scope: Scope): { readonly trial?: number | 'ended' } {
  if (scope === 'live' || tries.from === undefined) return tries.to === undefined ? {} : { trial: tries.to };
  return { trial: tries.to ?? 'ended' };
}

/** The journal of the system gets to know how it ended. */
async function carryOutAndNote(context: Context, machine: Machine, prepared: Prepared, scope: Scope): Promise<Done> {
  const { from, to } = prepared;
  const sides = { from: from.number, to: to.number, closure: to.closure?.name };
  try {
    const done = await carryOut(context, machine, prepared, scope);
    const { changed, backups } = done;
    noteTransition(context, machine, { ...sides, outcome: 'switched', changed, backups: backups.length });
    return done;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'FAILED')
      noteTransition(context, machine, { ...sides, outcome: 'failed and undone', changed: 0, backups: 0 });
    throw error;
  }
}

/** @throws {ActivateError} `REFUSED` where something else than a link is in the pointer's place */
export function refuseForeignPointer({ root }: Machine): void {
  const kind = readStatus(root, POINTER)?.kind;
  if (kind === undefined || kind === 'symlink') return;
  throw new ActivateError('REFUSED', `the pointer is a link, and a ${kind} is in its place`, {
    path: hostPath(root.path, POINTER),
    hint: 'Unmount or remove it.',
  });
}

/** Without a boot hook, links are made by a switch alone: those that the default does not have would lead nowhere. */
function warnOfBoot({ log }: Context, machine: Machine, next: number): void {
  if (installedHook(machine) !== undefined) return;
  log.warn(
    `the next boot shows generation ${next}, and links that it does not have dangle then; switch before you reboot`,
  );
}

function warnOfUncounted({ log }: Context, machine: Machine, { tries }: Prepared): void {
  if (tries.to === undefined || installedHook(machine) !== undefined) return;
  log.warn('no boot hook is installed, so nothing counts the boots of a trial: see `activate install --help`');
}

/** Whether the machine shows what is wanted already, and would after a boot. */
function isIdle(machine: Machine, prepared: Prepared, scope: Scope): boolean {
  const { decisions, state, to, from, tries } = prepared;
  const isAsWanted =
    from.number === to.number &&
    state.pointer === to.overlay &&
    (to.overlay === undefined || isShown(machine, to.overlay)) &&
    !decisions.some(isVisible) &&
    !prepared.wrappers.moves &&
    !isToBeRecorded(prepared) &&
    isKeptAlready(prepared);
  return isAsWanted && (scope === 'live' || (state.default === to.number && tries.from === tries.to));
}

/** Whether a boot moved originals: the ledger has to say so. */
function isToBeRecorded({ boot }: Prepared): boolean {
  return boot !== undefined && boot.restored.size + boot.displaced.size > 0;
}

/** Whether the record says already which of the machine's own is kept. */
function isKeptAlready({ decisions, from }: Prepared): boolean {
  const { kept } = from.ledger;
  const keeping = decisions.filter((decision) => decision.action === 'keep');
  return keeping.length === kept.size && keeping.every(({ path, why }) => kept.get(path) === why);
}

/** Records a generation and makes it the one that the next boot shows. What is live stays. */
async function forNextBoot(context: Context, machine: Machine, prepared: Prepared): Promise<Switched> {
  const { state, to, tries } = prepared;
  const { live } = state;
  const trial = trialOf(prepared, 'default');
  if (to.closure === undefined && state.default === to.number && tries.from === tries.to) {
    return { state: 'nothing to do', shown: 'at the next boot', live, default: to.number, kept: [], ...trial };
  }
  if (to.number === 0 && live !== 0) {
    throw new ActivateError(
      'REFUSED',
      `generation ${live} is live, and a boot without a pointer would leave its links dangling`,
      {
        hint: 'Give everything back now: `activate rollback 0`.',
      },
    );
  }
  if (live !== to.number) warnOfBoot(context, machine, to.number);
  warnOfUncounted(context, machine, prepared);
  if ((prepared.accounts?.changes.length ?? 0) > 0)
    context.log.warn('users and groups are made by a switch, not by a boot: those that are new are not there then');
  await stageForBoot(context, machine, prepared);
  const sides = { from: live, to: to.number, closure: to.closure?.name };
  noteTransition(context, machine, { ...sides, outcome: 'default changed', changed: 0, backups: 0 });
  return {
    state: 'done',
    shown: 'at the next boot',
    live,
    default: to.number,
    from: live,
    to: to.number,
    changed: 0,
    backups: [],
    kept: [],
    merged: [],
    swapMs: 0,
    ...trial,
  };
}

function mergedPaths({ decisions }: Prepared): string[] {
  return decisions.flatMap(({ path, action }) => (action === 'merge' ? [path] : []));
}

function keptPaths({ decisions }: Prepared): string[] {
  return decisions.flatMap(({ path, action }) => (action === 'keep' ? [path] : []));
}

/** A plan that was made without seeing everything is not carried out. */
export function refuseUnread({ unread }: Prepared): void {
  const first = unread[0];
  if (first === undefined) return;
  throw new ActivateError('PERMISSION', first.why, { path: first.path, hint: 'Run this as a user who may read it.' });
}

/** @throws {ActivateError} `REFUSED` where an earlier transition was not finished */
export function refuseInterrupted(machine: Machine): void {
  const journal = readJournal(machine);
  if (journal === undefined) return;
  throw new ActivateError(
    'REFUSED',
    `the transition from generation ${journal.from} to ${journal.to} was interrupted`,
    {
      hint: 'Finish or undo it first: `activate resume`.',
    },
  );
}

/** Finishes or undoes what a crash interrupted. */
export function resume(context: Context): Promise<Ended> {
  return withLockedMachine(context, async (machine) => {
    const resumed = await endInterrupted(context, machine);
    sweep(machine);
    hideUnused(context, machine);
    return resumed;
  });
}

/** How what was interrupted, or what a boot did, came to its end. */
export type Ended = Resumed | Settled;

/** Ends a transition that a crash interrupted, and then settles what boots brought. */
async function endInterrupted(context: Context, machine: Machine): Promise<Ended> {
  const resumed = await resumeTransition(context, machine);
  noteResumed(context, machine, resumed);
  const settled = await settleBoot(context, machine, async (number, boot) => {
    const target = { kind: 'generation', number } as const;
    const moved = await planAndCarryOut(context, machine, { target, scope: 'live', means: { boot } });
    if (moved.state === 'refused') throw notSettled(machine, number, moved.conflicts);
  });
  if (settled === undefined || (settled.from === settled.to && resumed.state !== 'nothing to do')) return resumed;
  noteResumed(context, machine, settled);
  return settled;
}

function notSettled({ root }: Machine, number: number, conflicts: readonly Conflict[]): ActivateError {
  const first = conflicts[0]?.path;
  return new ActivateError('UNFINISHED', `the boot shows generation ${number}, and not all of it could be brought`, {
    ...(first === undefined ? {} : { path: hostPath(root.path, first) }),
    hint: 'Mend what is in the way, then run `activate resume`.',
  });
}

function noteResumed(context: Context, machine: Machine, resumed: Ended): void {
  if (resumed.state === 'nothing to do') return;
  const { state, from, to } = resumed;
  noteTransition(context, machine, { outcome: state, from, to, changed: 0, backups: 0 });
}

/** What a crash interrupted comes to its end before anything else begins. */
export async function resumeFirst(context: Context, machine: Machine): Promise<void> {
  const resumed = await endInterrupted(context, machine);
  sweepIfPossible(context, machine);
  if (resumed.state === 'nothing to do') return;
  const { from, to, state, live } = resumed;
  if (state === 'settled') {
    context.log.warn(`the boot brought generation ${to} in place of ${from}; that is recorded now`);
    return;
  }
  context.log.warn(
    `the transition from generation ${from} to ${to} had been interrupted; it was ${state}, and generation ${live} was live before this command began`,
  );
}
