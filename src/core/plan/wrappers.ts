import type { Obstacle } from '../found';
import { joinTarget, type TargetPath } from '../path';
import {
  type FoundWrapper,
  sourceOf,
  type Wrapper,
  wrapperDifference,
  wrapperDirectoryName,
  WRAPPERS,
  WRAPPERS_LINK,
} from '../wrapper';
import type { Conflict } from './decision';
import type { Step } from './step';

/** What there is of wrappers on the machine. */
export interface WrappersFound {
  /** `there`: a filesystem where setuid counts; `none`: the one that /run is on. */
  readonly mount: 'there' | 'none';
  /** Whether {@link WRAPPERS} is a directory already. */
  readonly directory: 'there' | 'absent';
  /** Why nothing can be made there, and at which path. */
  readonly obstacle?: { readonly path: TargetPath; readonly what: Obstacle };
  /** The text of the link; `undefined` where there is none of ours. */
  readonly link: string | undefined;
  /** What the directory that the link leads to has in it. */
  readonly live: ReadonlyMap<string, FoundWrapper>;
  /** All names beside the link. */
  readonly names: readonly string[];
}

/** A wrapper that comes, goes or changes. */
export interface WrapperChange {
  /** As people know it, through the link. */
  readonly path: TargetPath;
  readonly found?: FoundWrapper;
  readonly wanted?: Wrapper;
  /** What is different about what is there. */
  readonly what: string;
}

/** What a transition does about wrappers. */
export interface WrapperAnswer {
  /** Whether the link has to lead elsewhere; then all of them are made anew. */
  readonly moves: boolean;
  /** Sorted by name. */
  readonly changes: readonly WrapperChange[];
  readonly conflicts: readonly Conflict[];
}

/** Compares the wrappers that are wanted with those that are there. */
export function decideWrappers(wanted: readonly Wrapper[], found: WrappersFound): WrapperAnswer {
  const changes = changesOf(wanted, found.live);
  const moves = wanted.length === 0 ? found.link !== undefined : found.link === undefined || changes.length > 0;
  const { obstacle } = found;
  const conflicts: Conflict[] =
    moves && obstacle !== undefined ? [{ path: obstacle.path, reason: 'blocked', obstacle: obstacle.what }] : [];
  return { moves, changes, conflicts };
}

function changesOf(wanted: readonly Wrapper[], live: WrappersFound['live']): WrapperChange[] {
  const byName = new Map(wanted.map((wrapper) => [wrapper.name, wrapper]));
  const names = [...new Set([...byName.keys(), ...live.keys()])].toSorted();
  return names.flatMap((name) => {
    const [wrapper, found] = [byName.get(name), live.get(name)];
    const what = wrapper === undefined ? 'no wrapper has that name' : wrapperDifference(wrapper, found);
    if (what === undefined) return [];
    const sides = { ...(wrapper === undefined ? {} : { wanted: wrapper }), ...(found === undefined ? {} : { found }) };
    return [{ path: joinTarget(WRAPPERS_LINK, name), what, ...sides }];
  });
}

/** The steps that a transition has for wrappers, by phase. */
export interface WrapperSteps {
  readonly create: readonly Step[];
  readonly swap: readonly Step[];
}

export const noWrapperSteps: WrapperSteps = { create: [], swap: [] };

/** Where wrappers are to be made, and from what. */
export interface WrapperTerms {
  readonly generation: number;
  readonly overlay: string;
  /** Part of the directory's name where the usual one is taken. */
  readonly token: string;
}

/** The steps of a transition whose link {@link decideWrappers} says moves. */
export function planWrappers(wanted: readonly Wrapper[], found: WrappersFound, terms: WrapperTerms): WrapperSteps {
  const { link: from, mount, directory } = found;
  if (wanted.length === 0) return { create: [], swap: [{ op: 'point-wrappers', from, to: undefined }] };
  const usual = wrapperDirectoryName(terms.generation);
  const to = found.names.includes(usual) ? wrapperDirectoryName(terms.generation, terms.token) : usual;
  const wrappers = wanted.map((wrapper) => ({ ...wrapper, source: sourceOf(wrapper, terms.overlay) }));
  const made = directory === 'there' ? 'there' : 'made';
  return {
    create: [
      ...(mount === 'there' ? [] : [{ op: 'mount-wrappers', directory: made } as const]),
      { op: 'make-wrappers', directory: joinTarget(WRAPPERS, to), wrappers },
    ],
    swap: [{ op: 'point-wrappers', from, to }],
  };
}
