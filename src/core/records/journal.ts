import * as v from 'valibot';
import { parseRecord } from './generation';
import type { Phases } from '../plan/plan';
import type { Step } from '../plan/step';

/** How far a transition has come. During `create` and `undo` it is undone after a crash, from `swap` on it is finished. */
export type Phase = 'create' | 'swap' | 'undo';

/** What has to be known to undo or finish a transition; it is on disk exactly while one is under way. */
export interface Journal {
  readonly from: number;
  readonly to: number;
  readonly phase: Phase;
  /** The links that the commit repoints, and where they pointed before. */
  readonly roles: readonly { readonly role: 'live' | 'default'; readonly from: number; readonly to: number }[];
  /** Whether `to` was made for this transition, and its gc root's store path. */
  readonly staged: boolean;
  readonly storePath?: string | undefined;
  readonly firstBackup: number;
  /** The inode of each staged object, `device:inode`, known once the create phase is over. */
  readonly inodes: Readonly<Record<string, string>>;
  readonly phases: Phases;
}

const role = v.strictObject({ role: v.picklist(['live', 'default']), from: v.number(), to: v.number() });

const schema = v.strictObject({
  schema: v.literal(1),
  from: v.number(),
  to: v.number(),
  phase: v.picklist(['create', 'swap', 'undo']),
  roles: v.array(role),
  staged: v.boolean(),
  storePath: v.optional(v.string()),
  firstBackup: v.number(),
  inodes: v.record(v.string(), v.string()),
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

const operations = new Set([
  'create',
  'remove',
  'make',
  'unmake',
  'point',
  'exchange',
  'place',
  'park',
  'save',
  'fetch',
  'own',
]);

/** The steps are ours; a damaged file is told from a whole one, not from a forged one: only root can write here. */
function isPhases(value: unknown): boolean {
  const phases = value as Record<string, unknown> | null;
  const lists = ['create', 'swap', 'remove'].map((name) => phases?.[name]);
  const isSteps = lists.every(
    (steps) =>
      Array.isArray(steps) && steps.every((step) => operations.has((step as { op?: string } | null)?.op ?? '')),
  );
  return isSteps && ['discard', 'backups', 'spent'].every((name) => Array.isArray(phases?.[name]));
}
