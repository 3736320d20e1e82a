import type { Content, Entry, Ownership } from '../entry';
import type { Found, Obstacle } from '../found';
import type { Ledger } from '../records/ledger';
import type { TargetPath } from '../path';

export type OnConflict = 'refuse' | 'backup' | 'keep';
export type OnDrift = 'backup' | 'refuse' | 'keep' | 'merge';

/**
 * What to do about the machine's own at a path; `undefined` where nobody said so for this path or this command: what was
 * kept before is kept again, conflicts are refused, and of changes there are backups.
 */
export interface Attitude {
  readonly onConflict: OnConflict | undefined;
  readonly onDrift: OnDrift | undefined;
}

/** What happens at one path. */
export type Decision = { readonly path: TargetPath; readonly previous?: Entry; readonly next?: Entry } & (
  | { readonly action: 'create'; readonly next: Entry }
  /** The link stays; what it shows changes with the pointer. */
  | { readonly action: 'show'; readonly previous: Entry; readonly next: Entry }
  | { readonly action: 'replace'; readonly found: Found; readonly next: Entry; readonly save?: SaveReason }
  | { readonly action: 'remove'; readonly found: Found; readonly save?: SaveReason }
  /** `keep`: the path is managed all the same, and what comes back is kept there. */
  | {
      readonly action: 'restore';
      readonly found?: Found;
      readonly backup: number;
      readonly save?: SaveReason;
      readonly keep?: KeepReason;
    }
  /** A directory of the machine's that we had replaced is made again. */
  | { readonly action: 'reopen'; readonly found: Found; readonly after: Ownership }
  /** Something of the machine's, in a directory that goes, is kept as a backup. */
  | { readonly action: 'evict'; readonly save: SaveReason }
  | { readonly action: 'own'; readonly before: Ownership; readonly after: Ownership }
  | { readonly action: 'keep'; readonly found?: Found; readonly why: KeepReason }
  /** Ours with somebody's changes is replaced by the next one with the same changes. */
  | {
      readonly action: 'merge';
      readonly found: Found;
      readonly previous: Entry;
      readonly next: Entry;
      readonly merged: Ownership & Content;
      readonly save: SaveReason;
    }
  /** The machine's own file gets lines, and stays the machine's own. */
  | {
      readonly action: 'edit';
      readonly found: Found;
      readonly made: Ownership & Content;
      /** When it was last changed, in nanoseconds as decimal text. */
      readonly mtimeNs?: string;
    }
  /** Given up, and left to the machine as somebody changed it. */
  | { readonly action: 'release'; readonly found?: Found }
  /** A directory that was there already serves; `after` where the policy insists on another mode or owner. */
  | { readonly action: 'adopt'; readonly before: Ownership; readonly after?: Ownership; readonly next: Entry }
);

/** Why what is at a path stays: it was the machine's before us, somebody edited ours, or the edit is merged into ours. */
export type KeepReason = 'unmanaged' | 'drifted' | 'merged';

/** Why what was at a path is kept: it was the machine's before us, or somebody edited ours. */
export type SaveReason = 'displaced' | 'drifted';

export type Conflict = { readonly path: TargetPath } & (
  | { readonly reason: 'unmanaged'; readonly found?: Found }
  /** `merge`: why it could not be merged, where it was to be. */
  | { readonly reason: 'drifted'; readonly found?: Found; readonly merge?: string }
  | { readonly reason: 'blocked'; readonly obstacle: Obstacle }
  /** Of a user or group the closure wants one thing, and the machine has another. */
  | { readonly reason: 'contradicted'; readonly wanted: string; readonly there: string }
  /** Users or groups are to be added to a file that the closure or the live generation places as a whole. */
  | { readonly reason: 'managed' }
);

/** One side of a transition: what a generation wants, and what it knows of the machine while it is live. */
export interface Side {
  readonly entries: readonly Entry[];
  readonly ledger: Ledger;
}
