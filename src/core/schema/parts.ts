import * as v from 'valibot';
import { imageKinds } from '../records/overlay';

// What the documents of several commands have in common. Patterns have no flags: JSON Schema knows none.

/** A number of a generation; 0 is nothing managed. */
export const generationNumber = v.pipe(v.number(), v.integer(), v.minValue(0));
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const path = v.pipe(v.string(), v.regex(/^\//));
export const paths = v.array(path);
/** Twelve permission bits in octal, e.g. `0644`. */
export const octalMode = v.pipe(v.string(), v.regex(/^[0-7]{4}$/));
export const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
/** ISO 8601 in UTC. */
export const time = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/));
export const milliseconds = v.pipe(v.number(), v.minValue(0));

const owner = { mode: octalMode, uid: count, gid: count };

/** What carries the content of an overlay. */
export const carrier = v.variant('kind', [
  v.strictObject({ kind: v.literal('store'), path }),
  v.strictObject({ kind: v.literal('tree') }),
  v.strictObject({ kind: v.picklist(imageKinds), sizeBytes: count, digest: sha256 }),
]);

/** What is found at a path. */
const found = v.variant('kind', [
  v.strictObject({ kind: v.literal('symlink'), linkText: v.string() }),
  v.strictObject({ kind: v.literal('directory'), ...owner }),
  v.strictObject({ kind: v.literal('file'), ...owner, sizeBytes: count, digest: v.optional(v.string()) }),
  v.strictObject({ kind: v.literal('special'), what: v.string() }),
]);

/** Something that stands in the way of a switch. */
export const conflict = v.variant('reason', [
  v.strictObject({ path, reason: v.literal('unmanaged'), found: v.optional(found), message: v.string() }),
  v.strictObject({
    path,
    reason: v.literal('drifted'),
    found: v.optional(found),
    merge: v.optional(v.string()),
    message: v.string(),
  }),
  v.strictObject({ path, reason: v.literal('blocked'), obstacle: v.string(), message: v.string() }),
  v.strictObject({
    path,
    reason: v.literal('contradicted'),
    wanted: v.string(),
    there: v.string(),
    message: v.string(),
  }),
  v.strictObject({ path, reason: v.literal('managed'), message: v.string() }),
]);

/** What people see at a path, before or after. */
const view = v.variant('kind', [
  v.strictObject({ kind: v.literal('absent') }),
  v.strictObject({ kind: v.literal('symlink'), linkText: v.string() }),
  v.strictObject({ kind: v.literal('special'), what: v.string() }),
  v.strictObject({ kind: v.literal('directory'), ...owner }),
  v.strictObject({
    kind: v.literal('file'),
    ...owner,
    sizeBytes: count,
    content: v.picklist(['read', 'withheld', 'unreadable']),
  }),
]);

/** One changed path. The patch is there where all content is text that may be seen. */
export const change = v.strictObject({
  path,
  status: v.picklist(['A', 'M', 'D', 'T']),
  before: view,
  after: view,
  notes: v.array(v.string()),
  patch: v.optional(v.string()),
});

/** Something that was taken out of the way. */
export const backup = v.strictObject({
  number: count,
  path,
  reason: v.picklist(['displaced', 'drifted']),
  generation: generationNumber,
  created: time,
});
