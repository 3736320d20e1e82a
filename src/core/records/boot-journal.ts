import { decodeName } from '../bytes';
import { STATE } from '../entry';
import { joinTarget, parentOf, parseTargetPath, type TargetPath } from '../path';
import { ASIDE } from '../plan/draft';
import { parseGenerationNumber } from './generation';

/**
 * What boots without `activate` changed below /etc, since `activate` last looked: text that a shell script appends to.
 *
 *   from NUMBER… to NUMBER PHASE    what may have been placed, what is shown; the phase of an interrupted transition
 *   own COUNT KEY PATH              what the machine had at a path lies beside it
 *   ours COUNT KEY PATH             the same of what the generation had there that was shown before
 *   restored BACKUP PATH            an original is back; the backup has it as well, or did
 *   room NUMBER                     nothing is in the way of that generation any more
 *   done NUMBER                     everything that is to be there is
 */
export interface BootJournal {
  /** The generation that is shown. */
  readonly shown: number;
  /** Whether everything of it was brought: after a crash in a swap it is links alone. */
  readonly brought: 'all' | 'links';
  /** All that may have placed something. */
  readonly placed: ReadonlySet<number>;
  /** In the order in which it happened. */
  readonly acts: readonly BootAct[];
}

/** What was put aside from a path, or which original came back to it. */
export type BootAct = { readonly path: TargetPath } & (
  | { readonly aside: TargetPath; readonly whose: 'own' | 'ours' }
  | { readonly restored: number }
);

export const BOOT_JOURNAL = joinTarget(STATE, 'boot.journal');

/** Reads a boot journal; lines that a power cut left incomplete are passed over. `undefined` where nothing is shown. */
export function parseBootJournal(bytes: Uint8Array): BootJournal | undefined {
  let shown: number | undefined;
  let brought: BootJournal['brought'] = 'all';
  const placed = new Set<number>();
  const acts: BootAct[] = [];
  for (const line of decodeName(bytes).split('\n').slice(0, -1)) {
    const to = parseGenerationNumber(/^(?:from [\d ]+ to|done) (\d+)(?: [a-z]*)?$/u.exec(line)?.[1] ?? '');
    if (to !== undefined) {
      shown = to;
      brought = / (?:swap|undo)$/u.test(line) ? 'links' : 'all';
      for (const word of line.split(' ')) placed.add(parseGenerationNumber(word) ?? 0);
    }
    const [, what, count = '', text = ''] = /^(own|ours|restored) (\d+) (?:\w+ )?(\/.*)$/su.exec(line) ?? [];
    const path = parseTargetPath(text);
    if (path === undefined || path !== text) continue;
    if (what === 'own' || what === 'ours') acts.push({ path, aside: asideAtBoot(path, count), whose: what });
    if (what === 'restored') acts.push({ path, restored: Number(count) });
  }
  return shown === undefined ? undefined : { shown, brought, placed, acts };
}

/** Where the script puts what is in the way. */
function asideAtBoot(path: TargetPath, count: string): TargetPath {
  return joinTarget(parentOf(path), `${ASIDE}boot.${count}`);
}
