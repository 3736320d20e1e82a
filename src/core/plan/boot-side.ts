import type { Entry } from '../entry';
import type { TargetPath } from '../path';
import type { Attitude, Side } from './decision';
import { joinEntries } from './decide';

/** What a boot without `activate` changed, as far as a plan has to know. */
export interface BootChanges {
  /** What the generation that it shows has. */
  readonly shown: Side;
  /** Originals that are back. */
  readonly restored: ReadonlySet<TargetPath>;
  /** Originals that the boot put aside, and their backups. */
  readonly displaced: ReadonlyMap<TargetPath, number>;
}

/**
 * What is placed after a boot brought another generation than the recorded one: all that the shown one has, and of the recorded
 * one what nobody gave up yet. A plan from there does what is left to do.
 */
export function sideAfterBoot(recorded: Side, { shown, restored, displaced }: BootChanges): Side {
  const entries: Entry[] = [];
  const left = new Set<TargetPath>();
  for (const { path, previous, next } of joinEntries(recorded.entries, shown.entries)) {
    if (next !== undefined) entries.push(next);
    else if (previous !== undefined && !restored.has(path)) {
      entries.push(previous);
      left.add(path);
    }
  }
  const kept = [...recorded.ledger.kept].filter(([path]) => left.has(path));
  const originals = [...recorded.ledger.displaced].filter(([path]) => !restored.has(path));
  return {
    entries,
    ledger: {
      kept: new Map([...kept, ...shown.ledger.kept]),
      displaced: new Map([...originals, ...displaced]),
      adopted: new Map([...recorded.ledger.adopted, ...shown.ledger.adopted]),
    },
  };
}

/** Nobody is there to be asked: what a rule would refuse stays as it is. */
export function unasked({ onConflict, onDrift }: Attitude): Attitude {
  return {
    onConflict: onConflict === 'refuse' ? 'keep' : (onConflict ?? 'backup'),
    onDrift: onDrift === 'refuse' ? 'keep' : onDrift,
  };
}
