import type { Content, Ownership } from '../entry';
import type { Found } from '../found';
import type { TargetPath } from '../path';
import { type Wrapper, WRAPPERS, WRAPPERS_LINK } from '../wrapper';

/** Something to be made where nothing is. `mtimeNs`, in nanoseconds as decimal text, where an earlier time comes back. */
export type Made =
  | { readonly kind: 'symlink'; readonly linkText: string; readonly mtimeNs?: string }
  | (Ownership & { readonly kind: 'directory' })
  | (Ownership & Content & { readonly kind: 'file'; readonly source: string; readonly mtimeNs?: string });

export interface MadeAt {
  readonly path: TargetPath;
  readonly made: Made;
}

/** A link or directory that is there and goes. */
export interface Gone {
  readonly path: TargetPath;
  readonly was:
    | { readonly kind: 'symlink'; readonly linkText: string; readonly mtimeNs?: string }
    | (Ownership & { readonly kind: 'directory' });
}

/** What the plan saw at a path: what is found there when it is replaced or goes must still be that. */
export interface Expected {
  readonly found: Found;
  /** Of a regular file, in nanoseconds as decimal text. */
  readonly mtimeNs?: string;
}

/** Something of ours that was put aside, and where it was. */
export interface Discarded {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  /** What it was when the plan was made: whatever else is there by now is not ours to remove. */
  readonly was: Found;
  /** What a copy of ours was made from, for its extended attributes. */
  readonly source?: string;
}

/** A wrapper to be made, with where its bytes are. */
export type SourcedWrapper = Omit<Wrapper, 'source'> & { readonly source: TargetPath };

/** The filesystem of the wrappers; `directory` says whether the mount point is made for it. */
interface WrapperMount {
  readonly directory: 'made' | 'there';
}

/** A directory that nobody refers to yet, with all wrappers of a generation. */
interface WrapperDirectory {
  readonly directory: TargetPath;
  readonly wrappers: readonly SourcedWrapper[];
}

/**
 * One change of the machine. Each is atomic or leaves nothing that anybody refers to, can be done twice, and has an
 * {@link inverse}.
 */
export type Step =
  /** systemd-tmpfiles makes links and directories where nothing is, from the transition snippet. */
  | { readonly op: 'create'; readonly objects: readonly MadeAt[] }
  | { readonly op: 'uncreate'; readonly objects: readonly MadeAt[] }
  /** systemd-tmpfiles removes links and empty directories, from the same snippet. */
  | { readonly op: 'remove'; readonly objects: readonly Gone[] }
  | { readonly op: 'unremove'; readonly objects: readonly Gone[] }
  /** `activate` makes one object itself: a staged one, or one in a directory that another user owns. */
  | { readonly op: 'make'; readonly path: TargetPath; readonly made: Made }
  | { readonly op: 'unmake'; readonly path: TargetPath; readonly made: Made }
  /** The pointer moves; `undefined` is no pointer. */
  | { readonly op: 'point'; readonly from: string | undefined; readonly to: string | undefined }
  /** What is at `path` and what is at `aside` change places in one instant; back at once where it was not as expected. */
  | (Exchange & { readonly op: 'exchange' })
  | (Exchange & { readonly op: 'unexchange' })
  /** What was staged at `aside` takes its place, never over something that is there. */
  | { readonly op: 'place'; readonly path: TargetPath; readonly aside: TargetPath }
  | { readonly op: 'unplace'; readonly path: TargetPath; readonly aside: TargetPath }
  /** What is at `path` goes to `aside`; back at once where it was not as expected. */
  | { readonly op: 'park'; readonly path: TargetPath; readonly aside: TargetPath; readonly was: Expected }
  | { readonly op: 'unpark'; readonly path: TargetPath; readonly aside: TargetPath; readonly was: Expected }
  /** What is at `aside` becomes a numbered backup. */
  | { readonly op: 'save'; readonly aside: TargetPath; readonly backup: number }
  | { readonly op: 'unsave'; readonly aside: TargetPath; readonly backup: number }
  /** A numbered backup comes back, at first to `aside`. */
  | { readonly op: 'fetch'; readonly backup: number; readonly aside: TargetPath }
  | { readonly op: 'unfetch'; readonly backup: number; readonly aside: TargetPath }
  | ({ readonly op: 'mount-wrappers' | 'unmount-wrappers' } & WrapperMount)
  | ({ readonly op: 'make-wrappers' | 'unmake-wrappers' } & WrapperDirectory)
  /** The link that people have in their PATH moves; `undefined` is no link. */
  | { readonly op: 'point-wrappers'; readonly from: string | undefined; readonly to: string | undefined }
  | { readonly op: 'own'; readonly path: TargetPath; readonly before: Ownership; readonly after: Ownership };

interface Exchange {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  readonly was: Expected;
  /** Where a crash came between, what somebody made of the file since is left as it is: it is the machine's own. */
  readonly ifChanged?: 'leave';
}

const inverses = {
  create: 'uncreate',
  uncreate: 'create',
  remove: 'unremove',
  unremove: 'remove',
  make: 'unmake',
  unmake: 'make',
  exchange: 'unexchange',
  unexchange: 'exchange',
  place: 'unplace',
  unplace: 'place',
  park: 'unpark',
  unpark: 'park',
  save: 'unsave',
  unsave: 'save',
  fetch: 'unfetch',
  unfetch: 'fetch',
  'mount-wrappers': 'unmount-wrappers',
  'unmount-wrappers': 'mount-wrappers',
  'make-wrappers': 'unmake-wrappers',
  'unmake-wrappers': 'make-wrappers',
} as const;

/** What undoes a step. `inverse(inverse(step))` is `step`. */
export function inverse(step: Step): Step {
  switch (step.op) {
    case 'point':
    case 'point-wrappers':
      return { ...step, from: step.to, to: step.from };
    case 'own':
      return { ...step, before: step.after, after: step.before };
    default:
      return { ...step, op: inverses[step.op] } as Step;
  }
}

/** Whether a step either happened or did not: the others may fail half way, and can be done, and undone, twice. */
export function isOneAct(step: Step): step is OneAct {
  return 'aside' in step && !('backup' in step);
}

/** A single rename. */
export type OneAct = Extract<
  Step,
  { readonly op: 'exchange' | 'unexchange' | 'place' | 'unplace' | 'park' | 'unpark' }
>;

/** The path that a message about the step names. */
export function pathOf(step: Step): string | undefined {
  switch (step.op) {
    case 'create':
    case 'uncreate':
    case 'remove':
    case 'unremove':
      return step.objects.length === 1 ? step.objects[0]?.path : undefined;
    case 'point':
      return undefined;
    case 'mount-wrappers':
    case 'unmount-wrappers':
      return WRAPPERS;
    case 'make-wrappers':
    case 'unmake-wrappers':
      return step.directory;
    case 'point-wrappers':
      return WRAPPERS_LINK;
    case 'save':
    case 'unsave':
    case 'fetch':
    case 'unfetch':
      return step.aside;
    default:
      return step.path;
  }
}
