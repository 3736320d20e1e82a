import type { Context } from '../context';
import type { Decision, KeepReason } from '../core/plan/decision';
import { STATE } from '../core/entry';
import { isBelow, type TargetPath } from '../core/path';
import type { Ledger } from '../core/records/ledger';
import type { Status } from '../core/report/generations-report';
import { ActivateError } from '../core/errors';
import { type Generation, isMounted, JOURNAL, MOUNTS } from '../core/records/generation';
import { readStatus } from '../system/reading';
import { backupNumbers } from './backups/storing';
import { readGeneration } from './generations';
import { isCarried } from './closure/content';
import { readJournal } from './transition/journal';
import { isShown, mountsOf } from './transition/showing';
import { type Machine, withMachine } from './machine';
import { prepareTransition } from './prepare';
import { isVisible } from './transition/transition';

/** What is live, what the next boot shows, and what is not as it was recorded. Writes nothing. */
export function readMachineStatus(context: Context): Promise<Status> {
  return withMachine(context, (machine) => {
    const { state, from, decisions, conflicts, unread } = prepareTransition(context, machine, { kind: 'live' });
    const { kept } = from.ledger;
    const isDrift = (decision: Decision): boolean =>
      isVisible(decision) || (decision.action === 'keep' && !kept.has(decision.path));
    const { live, default: next, booted, pointer } = state;
    const expected = from.overlay;
    const numbers = [...new Set([live, next, booted])].filter((number) => number !== undefined && number !== 0);
    const generations = (numbers as number[]).map((number) =>
      readGeneration(machine, number, number === next ? 'default' : undefined),
    );
    return {
      live,
      default: next,
      booted,
      generations,
      mounts: mountsOf(machine, generations),
      interrupted: readInterrupted(machine),
      pointer: pointer === expected ? 'right' : pointer === undefined ? 'missing' : 'wrong',
      content: contentOf(
        machine,
        generations.find(({ number }) => number === live),
      ),
      managed: from.entries.length,
      drifted: [...decisions.filter(isDrift), ...conflicts.filter(({ reason }) => reason !== 'blocked')].map(
        ({ path }) => path,
      ),
      kept: keptAs(kept, ['unmanaged', 'drifted']),
      merged: keptAs(kept, ['merged']),
      protection: protectionOf(machine, from.overlay),
      backups: countBackups(machine),
      displaced: from.ledger.displaced.size,
      unread: unread.map(({ path }) => path),
    };
  });
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
