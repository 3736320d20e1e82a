import { type Entry, MERGED } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { type Actual, foundAt } from '../../core/found';
import { joinTarget, type TargetPath } from '../../core/path';
import { driftPolicy, joinEntries, sameEntry } from '../../core/plan/decide';
import type { Attitude, Side } from '../../core/plan/decision';
import { LARGEST_MERGE_BYTES, type Merge, mergeVersions, type Version } from '../../core/plan/merge';
import { makeDirectories } from '../../system/tree/changing';
import { createFile } from '../../system/tree/copying';
import { resolveInRoot } from '../../system/tree/following';
import { digestBytes } from '../../system/host/host-files';
import { readFile, readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import type { Elsewhere } from '../closure/content';
import type { Machine } from '../state/machine';
import type { Destination, Prepared } from './prepare';

/** What merging has to know of a transition. */
export interface MergeQuestion {
  readonly from: Side & { readonly overlay: TargetPath | undefined };
  readonly to: Destination;
  readonly actual: Actual;
  readonly attitude: (path: TargetPath) => Attitude;
  readonly elsewhere: Elsewhere;
}

/**
 * Merges what people made of our files with what the next generation wants, wherever the policy says so. Writes nothing.
 */
export function readMerges(machine: Machine, question: MergeQuestion): Map<TargetPath, Merge> {
  const merges = new Map<TargetPath, Merge>();
  const { from, to, actual, attitude } = question;
  if (actual.deviations.size === 0) return merges;
  const tree = openOverlay(machine, to.overlay, question.elsewhere);
  const before = openOverlay(machine, from.overlay, question.elsewhere);
  try {
    for (const { path, previous, next } of joinEntries(from.entries, to.entries)) {
      if (previous === undefined || next === undefined || previous.place === 'seed') continue;
      if (!actual.deviations.has(path) || sameEntry(previous, next)) continue;
      const kept = from.ledger.kept.get(path);
      if (kept === 'unmanaged' || driftPolicy(attitude(path), kept) !== 'merge') continue;
      merges.set(path, merge({ machine, question, before, next: tree }, previous, next));
    }
  } finally {
    tree.close();
    before.close();
  }
  return merges;
}

/** Where the content of a generation can be read. */
interface Overlay {
  readonly root: Root;
  readonly prefix: string;
  readonly close: () => void;
}

function openOverlay({ root }: Machine, overlay: TargetPath | undefined, elsewhere: Elsewhere): Overlay {
  const place = overlay === undefined ? undefined : elsewhere.get(overlay);
  if (place === undefined) return { root, prefix: overlay ?? '', close: () => undefined };
  const opened = openRoot(place.hostPath);
  return { root: opened, prefix: '', close: () => closeRoot(opened) };
}

interface Job {
  readonly machine: Machine;
  readonly question: MergeQuestion;
  readonly before: Overlay;
  readonly next: Overlay;
}

function merge(job: Job, previous: Entry, next: Entry): Merge {
  const { machine, question } = job;
  const { path } = next;
  const found = foundAt(question.actual, path, previous);
  if (found === undefined)
    return { state: 'conflict', why: 'the new generation changes it, and it is not there any more' };
  if (found.kind !== 'file') return { state: 'conflict', why: 'only regular files can be merged' };
  const base = versionOf(job.before.root, `${job.before.prefix}${path}`, machine.root, previous);
  const theirs = versionOf(job.next.root, `${job.next.prefix}${path}`, machine.root, next);
  const ours = versionAt(machine.root, path, path);
  if (base === undefined || theirs === undefined || ours === undefined)
    return { state: 'conflict', why: 'only regular files of at most 1 MiB can be merged' };
  return mergeVersions({ base, ours, theirs }, digestBytes);
}

/** What an entry shows; `undefined` for anything but a regular file of a size that can be merged. */
function versionOf(root: Root, shown: string, machineRoot: Root, entry: Entry): Version | undefined {
  if (entry.kind === 'directory' || entry.kind === 'whole-directory' || entry.place === 'direct') return undefined;
  const isElsewhere = 'source' in entry && entry.source !== undefined;
  const at = isElsewhere ? resolveInRoot(machineRoot, entry.source) : resolveInRoot(root, shown);
  const version = at === undefined ? undefined : versionAt(isElsewhere ? machineRoot : root, at, entry.path);
  if (version === undefined || entry.kind !== 'file') return version;
  const { mode, uid, gid } = entry;
  return { ...version, mode, uid, gid };
}

function versionAt(root: Root, at: TargetPath, path: TargetPath): Version | undefined {
  const status = readStatus(root, at);
  if (status?.kind !== 'file' || status.sizeBytes > LARGEST_MERGE_BYTES) return undefined;
  const { mode, uid, gid } = status;
  try {
    return { mode, uid, gid, bytes: readFile(root, at) };
  } catch (error) {
    if (!(error instanceof ActivateError)) throw error;
    throw new ActivateError(error.code, `it is to be merged: ${error.message}`, { path, cause: error });
  }
}

/** Writes the results of merges, and of adding users and groups, to where the steps of a transition take them from. */
export function stageMerges({ root }: Machine, { merges, accounts }: Pick<Prepared, 'merges' | 'accounts'>): void {
  const merged = [...merges.values()].flatMap((merge) => (merge.state === 'merged' ? [merge.result] : []));
  const edited = (accounts?.changes ?? []).map(({ made, bytes }) => ({ digest: made.digest, bytes }));
  const results = [...merged, ...edited];
  if (results.length === 0) return;
  removeTree(root, MERGED);
  makeDirectories(root, MERGED, 0o700);
  for (const { digest, bytes } of results) {
    const path = joinTarget(MERGED, digest);
    if (readStatus(root, path) === undefined) createFile(root, path, { mode: 0o600 }, bytes);
  }
}
