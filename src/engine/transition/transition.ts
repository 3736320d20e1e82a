import type { Context } from '../../context';
import { STATE } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import type { TargetPath } from '../../core/path';
import type { Decision } from '../../core/plan/decision';
import { planSteps } from '../../core/plan/plan';
import { pathOf } from '../../core/plan/step';
import { noWrapperSteps, planWrappers, type WrapperSteps } from '../../core/plan/wrappers';
import type { Journal, Phase } from '../../core/records/journal';
import { storePathOf } from '../../core/records/generation';
import { nextLedger } from '../../core/records/ledger';
import { makeDirectories } from '../../system/tree/changing';
import { tidy } from '../../system/host/memory';
import { readStatus } from '../../system/tree/reading';
import { applyStages, type Outcome, type Perform } from './apply';
import { type Backup } from '../../core/records/backup';
import { backupNumbers } from '../backups/storing';
import type { Machine } from '../state/machine';
import { stageMerges } from '../deciding/merging';
import type { Destination, Prepared } from '../deciding/prepare';
import { requireForWrappers } from '../wrappers/making';
import { beginTrial, cleanUp, commit, forgetMarks, withdraw } from './ending';
import { dropJournal, noteUndoing, prepareUndoing, readJournal, tokenOf, writeJournal } from './journal';
import { performStep } from './perform';
import { type Notes, stageGeneration, writeNextLedger, writeNotes } from './stage';
import { hideUnused, showGeneration } from './showing';
import { syncWritten } from './syncing';
import { earlierTimes, ourTimes, timesOf } from './times';
import { requireTmpfiles } from './tmpfiles';

/** Which of the two links a transition moves. */
export type Scope = 'live and default' | 'live' | 'default';

/** A transition that was carried out. */
export interface Done {
  readonly from: number;
  readonly to: number;
  /** How many paths look or show something else now. */
  readonly changed: number;
  readonly backups: readonly Backup[];
  /** From the first rename of the swap to the last. */
  readonly swapMs: number;
}

/**
 * Carries out what was prepared: stages, creates, swaps, removes, commits.
 *
 * @param wrap sees each step before the machine does; tests let steps fail through it
 * @throws {ActivateError} `FAILED` where a step failed and everything was undone, `UNDO_FAILED` where that failed too
 */
export async function carryOut(
  context: Context,
  machine: Machine,
  prepared: Prepared,
  scope: Scope,
  wrap: (perform: Perform) => Perform = (perform) => perform,
): Promise<Done> {
  requireTmpfiles();
  const notes = planNotes(context, machine, prepared);
  requireForWrappers(notes.phases.create);
  const job: Job = {
    context,
    machine,
    prepared,
    notes,
    journal: journalOf(prepared, notes, scope),
    swap: { begunMs: 0, endedMs: 0, identities: {} },
  };
  tidy(prepared.decisions.length);
  await stage(job);
  tidy(prepared.decisions.length);
  const outcome = await apply(job, wrap);
  if (outcome.state !== 'done') throw failure(job, outcome);
  await cleanUp(context, machine, job.journal);
  const { from, to } = prepared;
  const changed = prepared.decisions.filter(isVisible).length + prepared.wrappers.changes.length;
  return {
    from: from.number,
    to: to.number,
    changed,
    backups: notes.backups,
    swapMs: job.swap.endedMs - job.swap.begunMs,
  };
}

/** Whether a decision changes what is at the path, or what it shows. */
export function isVisible(decision: Decision): boolean {
  const { action } = decision;
  if (action === 'adopt') return decision.after !== undefined;
  return action !== 'keep' && action !== 'release' && action !== 'evict';
}

/** Records a generation and has the next boot show it; a crash in between leaves nothing of it. */
export async function stageForBoot(context: Context, machine: Machine, prepared: Prepared): Promise<void> {
  const { state, to } = prepared;
  const journal: Journal = {
    from: state.live,
    to: to.number,
    phase: 'create',
    roles: [{ role: 'default', from: state.default, to: to.number }],
    ...changedTries(prepared, 'default'),
    staged: to.closure !== undefined,
    ...storeOf(to),
    firstBackup: 1,
    identities: {},
    phases: { create: [], swap: [], remove: [], discard: [], backups: [], spent: [] },
  };
  try {
    makeDirectories(machine.root, STATE, 0o755);
    writeJournal(machine, journal);
    if (to.closure !== undefined) await stageGeneration(context, machine, to, to.closure);
    beginTrial(machine, journal);
    writeLedgerForBoot(machine, prepared);
    syncWritten(machine, journal);
    commit(machine, journal);
    hideUnused(context, machine);
    dropJournal(machine);
    forgetMarks(context, machine);
  } catch (error) {
    throw notStaged({ context, machine, prepared, journal }, error);
  }
}

/** What a boot leaves alone: only the plan of this moment knows that. */
function writeLedgerForBoot(machine: Machine, { from, to, decisions }: Prepared): void {
  if (to.number === 0) return;
  const ledger = nextLedger(from.ledger, to.entries, decisions, { firstBackup: 1, backups: [] });
  writeNextLedger(machine, to.number, ledger);
}

interface Job {
  readonly context: Context;
  readonly machine: Machine;
  readonly prepared: Prepared;
  readonly notes: Notes;
  readonly journal: Journal;
  readonly swap: { begunMs: number; endedMs: number; identities: Readonly<Record<string, string>> };
}

function planNotes(context: Context, machine: Machine, prepared: Prepared): Notes {
  const { decisions, actual, state, from, to } = prepared;
  const numbers = backupNumbers(machine);
  const firstBackup = (numbers.at(-1) ?? 0) + 1;
  const times = timesOf(machine, prepared);
  const earlier = earlierTimes(machine, to, state.numbers);
  const token = tokenOf(context);
  const phases = planSteps(decisions, {
    pointer: { from: state.pointer, to: to.overlay },
    firstBackup,
    timeOf: (path) => times.get(path),
    earlierTimeOf: (path) => earlier.get(path),
    ownershipOf: (directory) => actual.directories.get(directory),
    wrappers: wrapperSteps(prepared, token),
    self: context.uid,
    token,
  });
  const created = new Date(context.now()).toISOString();
  const backups = phases.backups.map(({ path, reason }, index) => ({
    number: firstBackup + index,
    path,
    reason,
    generation: to.number,
    created,
  }));
  const ledger = nextLedger(from.ledger, to.entries, decisions, { firstBackup, backups: phases.backups });
  return { from: from.number, to: to.number, ledger, phases, backups, times: ourTimes(decisions, times), firstBackup };
}

function wrapperSteps({ to, wrappers }: Prepared, token: string): WrapperSteps {
  if (!wrappers.moves) return noWrapperSteps;
  return planWrappers(to.wrappers, wrappers.found, { generation: to.number, overlay: to.overlay ?? '', token });
}

function journalOf(prepared: Prepared, notes: Notes, scope: Scope): Journal {
  const { state, from, to } = prepared;
  const roles = (['live', 'default'] as const).filter((role) => scope.includes(role));
  return {
    from: from.number,
    to: to.number,
    phase: 'create',
    roles: roles.map((role) => ({ role, from: state[role], to: to.number })),
    ...changedTries(prepared, scope),
    staged: to.closure !== undefined,
    ...storeOf(to),
    firstBackup: notes.firstBackup,
    identities: {},
    phases: notes.phases,
  };
}

/** A trial is about what the next boots show: it begins and ends with the default alone. */
function changedTries({ tries }: Prepared, scope: Scope): Pick<Journal, 'tries'> {
  return scope === 'live' || tries.from === tries.to ? {} : { tries };
}

/** The store path that a generation that is made protects. */
function storeOf({ closure }: Destination): { readonly storePath?: TargetPath } {
  const storePath = closure === undefined ? undefined : storePathOf(closure);
  return storePath === undefined ? {} : { storePath };
}

/** Everything that is written before the first step, the journal first; none of it is referred to yet. */
async function stage(job: Job): Promise<void> {
  const { context, machine, prepared, notes, journal } = job;
  try {
    makeDirectories(machine.root, STATE, 0o755);
    writeJournal(machine, journal);
    tidy(prepared.decisions.length);
    if (prepared.to.closure !== undefined) await stageGeneration(context, machine, prepared.to, prepared.to.closure);
    beginTrial(machine, journal);
    await showGeneration(machine, prepared.to.number);
    stageMerges(machine, prepared);
    writeNotes(machine, notes);
  } catch (error) {
    throw notStaged(job, error);
  }
}

function notStaged(job: Pick<Job, 'context' | 'machine' | 'prepared' | 'journal'>, cause: unknown): unknown {
  try {
    // Where not even the journal could be written, nothing was but what goes with it.
    if (readJournal(job.machine) === undefined) {
      forgetMarks(job.context, job.machine);
      return cause;
    }
    withdraw(job.context, job.machine, job.journal);
  } catch (error) {
    return stuck(cause, error, undefined);
  }
  if (!(cause instanceof ActivateError) || cause.code !== 'IO' || cause.message.startsWith('the closure changed'))
    return cause;
  return undone(job, cause);
}

async function apply(job: Job, wrap: (perform: Perform) => Perform): Promise<Outcome> {
  const { context, machine, prepared, notes, journal, swap } = job;
  let phase: Phase = 'create';
  const perform = wrap((step) => performStep({ context, machine, journal, reach: 'in place' }, step));
  const { create, swap: swapped, remove } = notes.phases;
  const stages = [
    { steps: create, begin: () => undefined },
    {
      steps: swapped,
      begin: () => {
        tidy(prepared.decisions.length);
        syncWritten(machine, journal);
        prepareUndoing(machine);
        phase = 'swap';
        Object.assign(swap, { identities: stagedIdentities(job) });
        writeJournal(machine, { ...journal, phase, identities: swap.identities });
        swap.begunMs = context.elapsed();
      },
    },
    {
      steps: remove,
      begin: () => {
        swap.endedMs = context.elapsed();
      },
    },
    { steps: [], begin: () => commit(machine, journal) },
  ];
  const undoing = (): void => {
    if (phase === 'swap') noteUndoing(machine);
  };
  const interrupted = (): unknown => (context.signal.aborted && phase === 'create' ? interruption(context) : undefined);
  return applyStages(stages, { perform, interrupted, undoing });
}

/** What was staged, by identity: after a crash that tells which exchanges have happened. */
function stagedIdentities({ machine, notes }: Job): Record<string, string> {
  const identities: Record<string, string> = {};
  for (const step of notes.phases.swap) {
    if (step.op !== 'exchange' && step.op !== 'place') continue;
    const status = readStatus(machine.root, step.aside);
    if (status === undefined)
      throw new ActivateError('IO', 'somebody took away what was staged here', { path: step.aside });
    identities[step.aside] = status.identity;
  }
  return identities;
}

function interruption({ signal }: Context): ActivateError {
  return new ActivateError('FAILED', `interrupted by ${String(signal.reason)}`);
}

function failure(job: Job, outcome: Exclude<Outcome, { state: 'done' }>): ActivateError {
  if (outcome.state === 'stuck')
    return stuck(outcome.cause, outcome.undoCause, outcome.undoing === undefined ? undefined : pathOf(outcome.undoing));
  try {
    withdraw(job.context, job.machine, job.journal);
  } catch (error) {
    return stuck(outcome.cause, error, undefined);
  }
  return undone(job, outcome.cause);
}

function stuck(cause: unknown, undoCause: unknown, path: string | undefined): ActivateError {
  return new ActivateError('UNDO_FAILED', `${messageOf(cause)}; undoing it failed: ${messageOf(undoCause)}`, {
    ...(path === undefined ? {} : { path }),
    hint: 'Mend what the message says, then run `activate resume`.',
    cause: undoCause,
  });
}

function undone({ prepared }: Pick<Job, 'prepared'>, cause: unknown): ActivateError {
  const { path, hint } = cause instanceof ActivateError ? cause : { path: undefined, hint: undefined };
  const live =
    prepared.from.number === 0
      ? 'nothing is managed, as before'
      : `generation ${prepared.from.number} is live, as before`;
  return new ActivateError('FAILED', `${messageOf(cause)}; everything was undone, ${live}`, {
    ...(path === undefined ? {} : { path }),
    ...(hint === undefined ? {} : { hint }),
    cause,
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
