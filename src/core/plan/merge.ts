import { diff3Merge } from 'node-diff3';
import type { Content, Ownership } from '../entry';
import { sameOwnership } from '../found';

/** One of the three sides of a merge: a regular file. */
export interface Version extends Ownership {
  readonly bytes: Uint8Array;
}

/** What a three-way merge of a path came to. */
export type Merge =
  /** `same`: which side the result is equal to, if any. */
  | { readonly state: 'merged'; readonly result: Version & Content; readonly same: 'ours' | 'theirs' | 'neither' }
  /** It does not merge; `why` completes "it was changed, and …". */
  | { readonly state: 'conflict'; readonly why: string };

/** The three sides: what was placed, what the machine made of it, and what the next generation wants. */
export interface Sides {
  readonly base: Version;
  readonly ours: Version;
  readonly theirs: Version;
}

/** Beyond it a comparison of lines takes too long. */
export const LARGEST_MERGE_BYTES = 1024 * 1024;

/**
 * Merges both what a file holds, line by line, and its mode and owner. Never leaves markers: where both sides changed the
 * same, it is a conflict.
 *
 * @param digest SHA-256 in hexadecimal
 */
export function mergeVersions(sides: Sides, digest: (bytes: Uint8Array) => string): Merge {
  const ownership = mergeOwnership(sides);
  if (ownership === undefined)
    return { state: 'conflict', why: 'its mode or owner was changed by the new generation too' };
  const { base, ours, theirs } = sides;
  const texts = [ours, base, theirs].map(({ bytes }) => textOf(bytes));
  const [a, o, b] = texts;
  if (a === undefined || o === undefined || b === undefined)
    return { state: 'conflict', why: 'only text of at most 1 MiB can be merged' };
  const regions = diff3Merge(linesOf(a), linesOf(o), linesOf(b), { excludeFalseConflicts: true });
  const conflict = regions.find((region) => region.conflict !== undefined)?.conflict;
  if (conflict !== undefined)
    return { state: 'conflict', why: `the new generation changes the same lines, from line ${conflict.aIndex + 1} on` };
  const text = regions.flatMap((region) => region.ok ?? []).join('');
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const result = { ...ownership, bytes, sizeBytes: bytes.length, digest: digest(bytes) };
  return {
    state: 'merged',
    result,
    same: sameVersion(result, theirs) ? 'theirs' : sameVersion(result, ours) ? 'ours' : 'neither',
  };
}

function mergeOwnership({ base, ours, theirs }: Sides): Ownership | undefined {
  const mode = mergeNumber(base.mode, ours.mode, theirs.mode);
  const uid = mergeNumber(base.uid, ours.uid, theirs.uid);
  const gid = mergeNumber(base.gid, ours.gid, theirs.gid);
  return mode === undefined || uid === undefined || gid === undefined ? undefined : { mode, uid, gid };
}

function sameVersion(a: Version, b: Version): boolean {
  return (
    sameOwnership(a, b) && a.bytes.length === b.bytes.length && a.bytes.every((byte, index) => byte === b.bytes[index])
  );
}

function mergeNumber(base: number, ours: number, theirs: number): number | undefined {
  if (ours === base) return theirs;
  return theirs === base || theirs === ours ? ours : undefined;
}

/** A character a byte, so that nothing depends on the encoding; `undefined` for what is no text. */
function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > LARGEST_MERGE_BYTES || bytes.includes(0)) return undefined;
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return text;
}

const CHUNK = 8192;

/** Each with its newline, so that a last line without one is another line. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/gu) ?? [];
}
