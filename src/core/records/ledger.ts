import * as v from 'valibot';
import type { Decision, KeepReason } from '../plan/decision';
import type { Entry, Ownership } from '../entry';
import { parseRecord } from './generation';
import type { TargetPath } from '../path';
import { type Phases } from '../plan/plan';

/**
 * What a generation, while it is live, knows of the machine's own: everything that depends on the machine and so cannot
 * be in the manifest. It is written before the swap and becomes true with it.
 */
export interface Ledger {
  /** Managed paths where the machine's own was left in place, and why it differs. */
  readonly kept: ReadonlyMap<TargetPath, KeepReason>;
  /** Paths whose original is kept, and the number of the backup that holds it. */
  readonly displaced: ReadonlyMap<TargetPath, number>;
  /** Managed paths that were directories before, with the mode and owner that come back when they are given up. */
  readonly adopted: ReadonlyMap<TargetPath, Ownership>;
}

export const emptyLedger: Ledger = { kept: new Map(), displaced: new Map(), adopted: new Map() };

const ownership = v.strictObject({ mode: v.number(), uid: v.number(), gid: v.number() });

const schema = v.strictObject({
  schema: v.literal(1),
  kept: v.array(v.tuple([v.string(), v.picklist(['unmanaged', 'drifted', 'merged'])])),
  displaced: v.array(v.tuple([v.string(), v.number()])),
  adopted: v.array(v.tuple([v.string(), ownership])),
});

export function renderLedger({ kept, displaced, adopted }: Ledger): string {
  return `${JSON.stringify({ schema: 1, kept: [...kept], displaced: [...displaced], adopted: [...adopted] })}\n`;
}

/**
 * The inverse of {@link renderLedger}.
 *
 * @throws {ActivateError} `STATE`
 */
export function parseLedger(text: string, file: string): Ledger {
  const { kept, displaced, adopted } = parseRecord(text, file, schema);
  return {
    kept: new Map(kept as [TargetPath, KeepReason][]),
    displaced: new Map(displaced as [TargetPath, number][]),
    adopted: new Map(adopted as [TargetPath, Ownership][]),
  };
}

/** What holds once the decisions are carried out. */
export function nextLedger(
  ledger: Ledger,
  to: readonly Entry[],
  decisions: readonly Decision[],
  numbered: { readonly firstBackup: number; readonly backups: Phases['backups'] },
): Ledger {
  const managed = new Set(to.map(({ path }) => path));
  const kept = new Map<TargetPath, KeepReason>();
  const adopted = new Map([...ledger.adopted].filter(([path]) => managed.has(path)));
  const displaced = new Map(ledger.displaced);
  for (const decision of decisions) {
    if (decision.action === 'keep') kept.set(decision.path, decision.why);
    else if (decision.action === 'merge') kept.set(decision.path, 'merged');
    else if (decision.action === 'adopt') adopted.set(decision.path, plain(decision.before));
    else if (decision.action === 'release') displaced.delete(decision.path);
    else if (decision.action === 'restore') {
      if (displaced.get(decision.path) === decision.backup) displaced.delete(decision.path);
      if (decision.keep !== undefined) kept.set(decision.path, decision.keep);
    }
  }
  numbered.backups.forEach(({ path, reason }, index) => {
    if (reason === 'displaced') displaced.set(path, numbered.firstBackup + index);
  });
  return { kept, displaced, adopted };
}

function plain({ mode, uid, gid }: Ownership): Ownership {
  return { mode, uid, gid };
}
