import * as v from 'valibot';
import { parseRecord } from './generation';
import { nameOf, parentOf, parseTargetPath, type TargetPath } from '../path';
import { type Phases } from '../plan/plan';
import type { Step } from '../plan/step';
import { isWrapperDirectoryName, WRAPPERS } from '../wrapper';
import { wrapperSchema } from './wrapper-list';

/**
 * How far a transition has come. During `create` it is undone after a crash, from `swap` on it is finished. That it is being
 * undone after all is not in the record but beside it.
 */
export type Phase = 'create' | 'swap' | 'undo';

/** What has to be known to undo or finish a transition; it is on disk exactly while one is under way. */
export interface Journal {
  readonly from: number;
  readonly to: number;
  readonly phase: Phase;
  /** The links that the commit repoints, and where they pointed before. */
  readonly roles: readonly { readonly role: 'live' | 'default'; readonly from: number; readonly to: number }[];
  /** How many boots `to` had left, and is to have, where that changes; `undefined` where it is not on trial. */
  readonly tries?: { readonly from?: number | undefined; readonly to?: number | undefined } | undefined;
  /** Whether `to` was made for this transition, and its gc root's store path. */
  readonly staged: boolean;
  readonly storePath?: string | undefined;
  readonly firstBackup: number;
  /** The identity of each staged object, known by its name aside, once the create phase is over. */
  readonly identities: Readonly<Record<string, string>>;
  readonly phases: Phases;
}

const role = v.strictObject({ role: v.picklist(['live', 'default']), from: v.number(), to: v.number() });

const tries = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)));

const schema = v.strictObject({
  schema: v.literal(1),
  from: v.number(),
  to: v.number(),
  phase: v.picklist(['create', 'swap']),
  roles: v.array(role),
  tries: v.optional(v.strictObject({ from: tries, to: tries })),
  staged: v.boolean(),
  storePath: v.optional(v.string()),
  firstBackup: v.number(),
  identities: v.record(v.string(), v.string()),
  phases: v.custom<Phases>(isPhases),
});

/** The journal as JSON, in pieces: the first transition to a large closure has a line for each of its paths. */
export function* journalPieces({ phases, ...journal }: Journal): Generator<string> {
  yield `${JSON.stringify({ schema: 1, ...journal }).slice(0, -1)},"phases":{`;
  for (const name of ['create', 'swap', 'remove'] as const) {
    yield `"${name}":`;
    yield* arrayPieces(phases[name], stepPieces);
    yield ',\n';
  }
  const { discard, backups, spent } = phases;
  yield `${JSON.stringify({ discard, backups, spent }).slice(1)}}\n`;
}

function* stepPieces(step: Step): Generator<string> {
  if (!('objects' in step)) {
    yield JSON.stringify(step);
    return;
  }
  yield `{"op":"${step.op}","objects":`;
  yield* arrayPieces<object>(step.objects, function* whole(object) {
    yield JSON.stringify(object);
  });
  yield '}';
}

function* arrayPieces<Item>(items: readonly Item[], pieces: (item: Item) => Iterable<string>): Generator<string> {
  yield '[';
  for (const [index, item] of items.entries()) {
    if (index > 0) yield ',\n';
    yield* pieces(item);
  }
  yield ']';
}

/**
 * The inverse of {@link journalPieces}.
 *
 * @throws {ActivateError} `STATE`
 */
export function parseJournal(text: string, file: string): Journal {
  const { schema: _, ...journal } = parseRecord(text, file, schema);
  return journal;
}

const path = v.custom<TargetPath>((value) => typeof value === 'string' && parseTargetPath(value) === value);
const time = { mtimeNs: v.optional(v.pipe(v.string(), v.digits())) };
const ownership = { mode: v.number(), uid: v.number(), gid: v.number() };
const symlink = v.looseObject({ kind: v.literal('symlink'), linkText: v.string(), ...time });
const directory = v.looseObject({ kind: v.literal('directory'), ...ownership });
const content = { ...ownership, ...time, sizeBytes: v.number(), digest: v.string(), source: path };
const made = v.variant('kind', [symlink, directory, v.looseObject({ kind: v.literal('file'), ...content })]);
const found = v.variant('kind', [
  symlink,
  directory,
  v.looseObject({ kind: v.literal('file'), ...ownership, sizeBytes: v.number(), digest: v.optional(v.string()) }),
  v.looseObject({ kind: v.literal('special'), what: v.string() }),
]);
const was = v.looseObject({ found, ...time });
const pointer = v.optional(v.string());
const wrapperDirectory = v.pipe(
  path,
  v.check((at) => parentOf(at) === WRAPPERS && isWrapperDirectoryName(nameOf(at))),
);
const wrapperLink = v.optional(v.pipe(v.string(), v.check(isWrapperDirectoryName)));

const sourced = v.strictObject({ ...wrapperSchema.entries, source: path });

/** What a journal can have in it: a step, not its inverse. */
const step = v.variant('op', [
  v.looseObject({ op: v.literal('create'), objects: v.array(v.looseObject({ path, made })) }),
  v.looseObject({
    op: v.literal('remove'),
    objects: v.array(v.looseObject({ path, was: v.variant('kind', [symlink, directory]) })),
  }),
  v.looseObject({ op: v.picklist(['make', 'unmake']), path, made }),
  v.looseObject({ op: v.literal('point'), from: pointer, to: pointer }),
  v.looseObject({ op: v.picklist(['exchange', 'park']), path, aside: path, was }),
  v.looseObject({ op: v.literal('place'), path, aside: path }),
  v.looseObject({ op: v.picklist(['save', 'fetch']), backup: v.number(), aside: path }),
  v.looseObject({ op: v.literal('mount-wrappers'), directory: v.picklist(['made', 'there']) }),
  v.looseObject({ op: v.literal('make-wrappers'), directory: wrapperDirectory, wrappers: v.array(sourced) }),
  v.looseObject({ op: v.literal('point-wrappers'), from: wrapperLink, to: wrapperLink }),
  v.looseObject({ op: v.literal('own'), path, before: v.looseObject(ownership), after: v.looseObject(ownership) }),
]);

const phases = v.looseObject({
  create: v.array(step),
  swap: v.array(step),
  remove: v.array(step),
  discard: v.array(v.looseObject({ path, aside: path, was: found, source: v.optional(v.string()) })),
  backups: v.array(v.looseObject({ path, reason: v.picklist(['displaced', 'drifted']) })),
  spent: v.array(v.number()),
});

/** A damaged file is told from a whole one, not from a forged one: only root can write here. */
function isPhases(value: unknown): boolean {
  return v.is(phases, value);
}
