import * as v from 'valibot';
import { initrdSchema } from '../boot/initrd';
import { exitStatuses } from '../errors';
import { closureFormats } from '../records/manifest';
import { hookNames } from '../hooks/hook';
import { MOST_TRIES } from '../records/tries';
import { attitudeRuleSchema } from '../records/generation';
import { topics } from '../help/topics';
import {
  backup,
  carrier,
  change,
  conflict,
  count,
  generationNumber,
  milliseconds,
  octalMode,
  path,
  paths,
  sha256,
  time,
} from './parts';

/** The first member of every document: it changes with its layout. */
const schema = { schema: v.literal(1) };

/** A record of a generation, as `list` and `status` show it. */
const generation = {
  number: generationNumber,
  closure: v.string(),
  format: v.picklist(closureFormats),
  overlay: path,
  carrier,
  imagePath: v.optional(path),
  resident: v.boolean(),
  sysusers: v.optional(v.string()),
  initrd: v.optional(initrdSchema),
  addon: v.optional(sha256),
  digest: sha256,
  rules: v.array(attitudeRuleSchema),
  paths: count,
  created: time,
  version: v.string(),
};
/** How many boots a generation that is on trial has left. */
const tries = v.pipe(count, v.maxValue(MOST_TRIES));
const mount = { mounted: v.boolean(), memoryBytes: v.optional(count) };
const shownNow = v.picklist(['now', 'at the next boot']);
/** Something that is not as it was recorded. */
const wrong = { path, what: v.string(), since: v.optional(time), at: v.picklist(['path', 'record']) };
/** How many boots the default is on trial for. */
const trial = v.optional(v.union([tries, v.literal('ended')]));
/** What the boot hook said of this boot. */
const boot = v.strictObject({
  hook: v.string(),
  wanted: generationNumber,
  chosen: generationNumber,
  why: v.string(),
  passed: v.array(v.strictObject({ generation: generationNumber, why: v.string() })),
  trial: v.optional(tries),
  brought: v.boolean(),
});
const letter = v.picklist(['A', 'M', 'D', 'T']);

const hook = v.picklist(hookNames);
const written = v.picklist(['create', 'replace', 'keep']);
/** What is to be done before a hook, or its absence, has an effect. */
const nextSteps = v.array(v.strictObject({ what: v.string(), command: v.optional(v.array(v.string())) }));

/** A generation, or where two are compared the path of a closure. */
const compared = v.union([generationNumber, v.string()]);

/** What each line of `watch` begins with. */
function event<const Name extends string>(
  name: Name,
): typeof schema & { readonly time: typeof time; readonly event: v.LiteralSchema<Name, undefined> } {
  return { ...schema, time, event: v.literal(name) };
}

/**
 * The documents that `--json` prints, by name. A document that a command prints has all that is said here and nothing else.
 */
export const documents = {
  backups: v.strictObject({
    ...schema,
    backups: v.array(v.strictObject({ ...backup.entries, use: v.picklist(['comes back', 'spare']) })),
  }),
  'backups-diff': v.strictObject({ ...schema, backup: count, changes: v.array(change) }),
  'backups-prune': v.strictObject({ ...schema, removed: v.array(count) }),
  'backups-restore': v.strictObject({ ...schema, restored: backup, replaced: v.nullable(count) }),
  completion: v.strictObject({ ...schema, shell: v.picklist(['bash', 'fish', 'zsh']), script: v.string() }),
  diff: v.strictObject({
    ...schema,
    from: compared,
    to: compared,
    changes: v.array(change),
    conflicts: v.array(conflict),
    kept: paths,
    unread: v.array(v.strictObject({ path, why: v.string() })),
    touched: count,
  }),
  error: v.strictObject({
    ...schema,
    error: v.strictObject({
      code: v.picklist(Object.keys(exitStatuses)),
      status: v.picklist([...new Set(Object.values(exitStatuses))]),
      message: v.string(),
      path: v.optional(v.string()),
      hint: v.optional(v.string()),
    }),
  }),
  gc: v.strictObject({ ...schema, removed: v.array(generationNumber) }),
  generate: v.strictObject({ ...schema, output: path, paths: count, overlay: path, carrier }),
  help: v.strictObject({
    ...schema,
    name: v.picklist(topics.map(({ name }) => name)),
    summary: v.string(),
    sections: v.array(
      v.strictObject({
        title: v.string(),
        blocks: v.array(
          v.variant('kind', [
            v.strictObject({ kind: v.picklist(['text', 'code']), text: v.string() }),
            v.strictObject({ kind: v.literal('terms'), terms: v.array(v.strictTuple([v.string(), v.string()])) }),
          ]),
        ),
      }),
    ),
  }),
  install: v.strictObject({
    ...schema,
    hook,
    why: v.string(),
    state: v.picklist(['installed', 'nothing to do', 'planned']),
    files: v.array(
      v.union([
        v.strictObject({ path, action: written, mode: octalMode, why: v.string() }),
        v.strictObject({ path, action: written, linkText: v.string(), why: v.string() }),
        v.strictObject({ path, action: v.picklist(['remove', 'leave']) }),
      ]),
    ),
    next: nextSteps,
  }),
  list: v.strictObject({
    ...schema,
    generations: v.array(
      v.strictObject({
        ...generation,
        mounted: v.optional(v.boolean()),
        memoryBytes: v.optional(count),
        tries: v.optional(tries),
        roles: v.array(v.picklist(['live', 'default', 'booted'])),
      }),
    ),
    live: generationNumber,
    default: generationNumber,
    booted: v.nullable(generationNumber),
  }),
  resume: v.variant('state', [
    v.strictObject({ ...schema, state: v.literal('nothing to do') }),
    v.strictObject({
      ...schema,
      state: v.picklist(['undone', 'finished', 'settled']),
      from: generationNumber,
      to: generationNumber,
      live: generationNumber,
    }),
  ]),
  status: v.strictObject({
    ...schema,
    live: generationNumber,
    default: generationNumber,
    booted: v.nullable(generationNumber),
    boot: v.nullable(v.union([v.literal('damaged'), boot])),
    passesOver: v.nullable(v.string()),
    generations: v.array(v.strictObject(generation)),
    hook: v.nullable(hook),
    staleHookFiles: paths,
    staleInitrds: v.boolean(),
    tries: v.record(v.string(), tries),
    mounts: v.record(v.string(), v.strictObject(mount)),
    interrupted: v.nullable(
      v.union([v.literal('unreadable'), v.strictObject({ from: generationNumber, to: generationNumber })]),
    ),
    unsettled: v.nullable(generationNumber),
    pointer: v.picklist(['right', 'wrong', 'missing']),
    content: v.picklist(['there', 'not mounted', 'gone']),
    managed: count,
    drifted: paths,
    columns: v.array(v.strictObject({ path, since: v.optional(letter), next: v.optional(letter) })),
    reboot: v.nullable(v.array(v.string())),
    claims: v.array(v.strictObject({ path, file: path, line: count, type: v.string() })),
    kept: paths,
    merged: paths,
    protection: v.optional(v.picklist(['store', 'immutable', 'read-only mount', 'none'])),
    backups: count,
    displaced: count,
    unread: paths,
  }),
  switch: v.variant('state', [
    v.strictObject({
      ...schema,
      state: v.literal('done'),
      shown: shownNow,
      live: generationNumber,
      default: generationNumber,
      from: generationNumber,
      to: generationNumber,
      changed: count,
      backups: v.array(backup),
      kept: paths,
      merged: paths,
      swapMs: milliseconds,
      trial,
      elapsedMs: milliseconds,
    }),
    v.strictObject({
      ...schema,
      state: v.literal('nothing to do'),
      shown: shownNow,
      live: generationNumber,
      default: generationNumber,
      kept: paths,
      trial,
      elapsedMs: milliseconds,
    }),
    v.strictObject({
      ...schema,
      state: v.literal('refused'),
      conflicts: v.array(conflict),
      elapsedMs: milliseconds,
    }),
  ]),
  uninstall: v.strictObject({ ...schema, hook: v.nullable(hook), removed: paths, left: paths, next: nextSteps }),
  verify: v.strictObject({
    ...schema,
    generation: generationNumber,
    paths: count,
    closure: v.optional(v.string()),
    wrong: v.array(v.strictObject(wrong)),
    unread: paths,
    repaired: v.optional(v.array(v.strictObject({ ...wrong, backup: v.optional(count) }))),
    conflicts: v.optional(v.array(conflict)),
  }),
  /** Each line of it: `watch` prints as things happen. */
  watch: v.variant('event', [
    v.strictObject({ ...event('watching'), generation: generationNumber, paths: count, directories: count }),
    v.strictObject({ ...event('drift'), path, what: v.string(), generation: generationNumber }),
    v.strictObject({ ...event('right'), path, generation: generationNumber }),
    v.strictObject({ ...event('repaired'), path, generation: generationNumber, backup: v.optional(count) }),
    v.strictObject({ ...event('held back'), path, seconds: count, generation: generationNumber }),
    v.strictObject({ ...event('in the way'), path, conflict, generation: generationNumber }),
    v.strictObject({ ...event('interrupted'), hint: v.string() }),
    v.strictObject({ ...event('unwatched'), path, message: v.string(), hint: v.string() }),
    v.strictObject({
      ...event('failed'),
      message: v.string(),
      path: v.optional(v.string()),
      hint: v.optional(v.string()),
    }),
    v.strictObject({
      ...event('new closure'),
      closure: path,
      from: generationNumber,
      to: generationNumber,
      changes: v.array(v.strictObject({ path, status: letter })),
      conflicts: v.array(conflict),
      kept: paths,
      touched: count,
    }),
    v.strictObject({
      ...event('switched'),
      closure: path,
      from: generationNumber,
      generation: generationNumber,
      changed: count,
    }),
    v.strictObject({ ...event('refused'), closure: path, conflicts: v.array(conflict) }),
  ]),
} as const;

export type DocumentName = keyof typeof documents;

export const documentNames = Object.keys(documents) as readonly DocumentName[];
