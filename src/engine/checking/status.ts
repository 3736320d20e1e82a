import type { Context } from '../../context';
import type { KeepReason } from '../../core/plan/decision';
import { STATE } from '../../core/entry';
import { decisionLetter, driftLetter, joinColumns, type Letter, wrapperLetters } from '../../core/status/columns';
import { isBelow, type TargetPath } from '../../core/path';
import type { Ledger } from '../../core/records/ledger';
import type { Status } from '../../core/report/status-report';
import { ActivateError } from '../../core/errors';
import { type Generation, isMounted, JOURNAL, MOUNTS } from '../../core/records/generation';
import { readStatus } from '../../system/tree/reading';
import type { Tries } from '../../core/report/boot-report';
import { whyPassedOver } from '../../core/status/next-boot';
import { type LastBoot, readAllTries } from '../state/booting';
import { readBootJournal } from '../boot/settling';
import { backupNumbers } from '../backups/storing';
import { areInitrdsOlder } from '../hooks/initrds';
import { staleHookFiles } from '../hooks/planning';
import { installedHook } from '../hooks/recorded';
import { findGeneration, readGeneration, type State } from '../state/generations';
import { isCarried } from '../closure/content';
import { readJournal } from '../transition/journal';
import { isShown, mountsOf } from '../transition/showing';
import { type Machine, withMachine } from '../state/machine';
import { prepareTransition, type Prepared } from '../deciding/prepare';
import { readClaims, readRebootReasons } from './surroundings';
import { isVisible } from '../transition/transition';

/** What is live, what the next boot shows, and what is not as it was recorded. Writes nothing. */
export function readMachineStatus(context: Context): Promise<Status> {
  return withMachine(context, async (machine) => {
    const prepared = prepareTransition(context, machine, { kind: 'live' });
    const { state, from, to, unread } = prepared;
    const { boot } = state;
    const { kept } = from.ledger;
    const drifted = driftOf(prepared);
    const { live, default: next, booted, pointer } = state;
    const expected = from.overlay;
    const numbers = [...new Set([live, next, booted])].filter((number) => number !== undefined && number !== 0);
    const generations = (numbers as number[]).flatMap((number) => readIfNeeded(machine, number, state));
    const of = (role: number | undefined): Generation | undefined => generations.find(({ number }) => number === role);
    const tries = readAllTries(machine, numbers as number[]);
    const passesOver = next !== 0 && of(next) === undefined ? MISSING : passedOver(of(next), tries, boot);
    return {
      live,
      default: next,
      booted,
      boot: recordOf(boot),
      passesOver,
      tries,
      generations,
      mounts: mountsOf(machine, generations),
      interrupted: readInterrupted(machine),
      unsettled: readBootJournal(machine)?.shown,
      pointer: pointer === expected ? 'right' : pointer === undefined ? 'missing' : 'wrong',
      content: contentOf(machine, of(live)),
      hook: installedHook(machine),
      staleHookFiles: staleHookFiles(context, machine),
      staleInitrds: areInitrdsOlder(machine),
      managed: from.entries.length + to.wrappers.length,
      drifted: [...drifted.keys()],
      columns: joinColumns(drifted, nextLetters(context, machine, prepared)),
      // A boot that does not show the default brings nothing of it.
      reboot: passesOver === undefined ? readRebootReasons(machine, of(next), of(booted)) : [],
      claims: await readClaims(machine, from.entries),
      kept: keptAs(kept, ['unmanaged', 'drifted']),
      merged: keptAs(kept, ['merged']),
      protection: protectionOf(machine, from.overlay),
      backups: countBackups(machine),
      displaced: from.ledger.displaced.size,
      unread: unread.map(({ path }) => path),
    };
  });
}

/** The record of what the boot hook named is of use, and no more. */
function readIfNeeded(machine: Machine, number: number, { live }: State): Generation[] {
  if (number === live) return [readGeneration(machine, number)];
  const generation = findGeneration(machine, number);
  return generation === undefined ? [] : [generation];
}

/** Why a boot passes over a generation whose record cannot be used. */
const MISSING = 'it is not there, or its record is damaged';

function passedOver(
  next: Generation | undefined,
  tries: Tries,
  boot: LastBoot | 'damaged' | undefined,
): string | undefined {
  if (next === undefined) return undefined;
  const candidate = { number: next.number, createdMs: Date.parse(next.created), tries: tries[next.number] };
  return whyPassedOver(candidate, boot === 'damaged' ? undefined : boot);
}

function recordOf(boot: LastBoot | 'damaged' | undefined): Status['boot'] {
  if (boot === undefined || boot === 'damaged') return boot;
  const { atMs: _, ...record } = boot;
  return record;
}

/** How long ago a time in ISO 8601 is, in milliseconds. */
export function ageOf(context: Context, time: string): number {
  return context.now() - Date.parse(time);
}

/** What became of each path that is not as it was recorded. */
function driftOf({ decisions, conflicts, wrappers, from, actual }: Prepared): Map<TargetPath, Letter> {
  const { kept } = from.ledger;
  const drifted = decisions.filter(
    (decision) => isVisible(decision) || (decision.action === 'keep' && !kept.has(decision.path)),
  );
  const inTheWay = conflicts.filter(({ reason }) => reason !== 'blocked');
  return new Map([
    ...[...drifted, ...inTheWay].map((each) => [each.path, driftLetter(actual, each)] as const),
    ...wrappers.changes.map((each) => [each.path, wrapperLetters(each).since] as const),
  ]);
}

/** What the default generation would do to each path; nothing is known of one whose record cannot be used. */
function nextLetters(context: Context, machine: Machine, live: Prepared): Map<TargetPath, Letter> {
  const letters = new Map<TargetPath, Letter>();
  const { decisions, wrappers } = preparedDefault(context, machine, live);
  for (const change of wrappers.changes) letters.set(change.path, wrapperLetters(change).next);
  for (const decision of decisions) {
    const letter = decisionLetter(decision);
    if (letter !== undefined) letters.set(decision.path, letter);
  }
  return letters;
}

function preparedDefault(
  context: Context,
  machine: Machine,
  live: Prepared,
): Pick<Prepared, 'decisions'> & { readonly wrappers: Pick<Prepared['wrappers'], 'changes'> } {
  if (live.state.default === live.state.live) return live;
  try {
    return prepareTransition(context, machine, { kind: 'default' });
  } catch (error) {
    if (error instanceof ActivateError && ['STATE', 'REFUSED', 'USAGE'].includes(error.code))
      return { decisions: [], wrappers: { changes: [] } };
    throw error;
  }
}

function contentOf(machine: Machine, generation: Generation | undefined): Status['content'] {
  if (generation === undefined || isShown(machine, generation.overlay)) return 'there';
  return isMounted(generation) && isCarried(machine, generation) ? 'not mounted' : 'gone';
}

function keptAs(kept: Ledger['kept'], reasons: readonly KeepReason[]): TargetPath[] {
  return [...kept].filter(([, why]) => reasons.includes(why)).map(([path]) => path);
}

function protectionOf({ root }: Machine, overlay: TargetPath | undefined): Status['protection'] {
  if (overlay === undefined) return undefined;
  if (isBelow(overlay, MOUNTS)) return 'read-only mount';
  if (!isBelow(overlay, STATE)) return 'store';
  return readStatus(root, overlay)?.immutable === true ? 'immutable' : 'none';
}

/** Who is not root does not see how many there are. */
function countBackups(machine: Machine): number {
  try {
    return backupNumbers(machine).length;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return 0;
    throw error;
  }
}

function readInterrupted(machine: Machine): Status['interrupted'] {
  if (readStatus(machine.root, JOURNAL) === undefined) return undefined;
  try {
    const journal = readJournal(machine);
    return journal === undefined ? undefined : { from: journal.from, to: journal.to };
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return 'unreadable';
    throw error;
  }
}
