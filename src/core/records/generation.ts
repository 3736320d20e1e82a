import * as v from 'valibot';
import type { OnConflict, OnDrift } from '../plan/decision';
import { type InitrdRecord, initrdSchema } from '../boot/initrd';
import { STATE } from '../entry';
import { ActivateError } from '../errors';
import { checkSchema, type ClosureFormat, closureFormats } from './manifest';
import { type Carrier, carrierSchema, imageName, isImage } from './overlay';
import { joinTarget, parentOf, parseTargetPath, type TargetPath } from '../path';

/** A numbered record of one activated closure. */
export interface Generation {
  readonly number: number;
  /** The closure as it was named, made absolute. */
  readonly closure: string;
  readonly format: ClosureFormat;
  /** The text of the pointer that shows it. */
  readonly overlay: TargetPath;
  /** What carries the content: a store path is protected by a gc root, an image is in the generation or at `imagePath`. */
  readonly carrier: Carrier;
  /** Where an image is that is used where it lies. */
  readonly imagePath?: TargetPath;
  /** Whether the overlay is a copy in memory: it goes on when what carried the closure goes away. */
  readonly resident: boolean;
  /** SHA-256 of the lines about users and groups in `sysusers.conf`; absent where there are none. */
  readonly sysusers?: string;
  /** What its closure asks of an initrd; absent where that is nothing. */
  readonly initrd?: InitrdRecord;
  /** SHA-256 of the add-on; absent where an older version made it, without one. */
  readonly addon?: string;
  /** SHA-256 of the manifest and of where its content lies: equal digests show the same. */
  readonly digest: string;
  /** What the policy said about conflicts and drift; the rest of it is in the manifest. */
  readonly rules: readonly AttitudeRule[];
  /** How many paths it manages. */
  readonly paths: number;
  /** When it was made, ISO 8601 in UTC. */
  readonly created: string;
  /** The version of `activate` that made it. */
  readonly version: string;
}

/** A rule of a policy, as far as it still matters once the entries are known. */
export interface AttitudeRule {
  readonly match: string;
  readonly onConflict?: OnConflict | undefined;
  readonly onDrift?: OnDrift | undefined;
}

export const GENERATIONS = joinTarget(STATE, 'generations');
export const JOURNAL = joinTarget(STATE, 'transition.json');

export function generationDirectory(number: number): TargetPath {
  return joinTarget(GENERATIONS, String(number));
}

/** Reads a number of a generation as people type it; `undefined` for anything else. */
export function parseGenerationNumber(text: string): number | undefined {
  return /^(?:0|[1-9]\d{0,8})$/u.test(text) ? Number(text) : undefined;
}

export const attitudeRuleSchema = v.strictObject({
  match: v.string(),
  onConflict: v.optional(v.picklist(['refuse', 'backup', 'keep'])),
  onDrift: v.optional(v.picklist(['backup', 'refuse', 'keep', 'merge'])),
});

const target = v.custom<TargetPath>((value) => typeof value === 'string' && parseTargetPath(value) === value);

const schema = v.strictObject({
  schema: v.literal(1),
  number: v.pipe(v.number(), v.integer(), v.minValue(1)),
  closure: v.string(),
  format: v.picklist(closureFormats),
  overlay: target,
  carrier: carrierSchema,
  imagePath: v.optional(target),
  resident: v.boolean(),
  sysusers: v.optional(v.string()),
  initrd: v.optional(initrdSchema),
  addon: v.optional(v.string()),
  digest: v.string(),
  rules: v.array(attitudeRuleSchema),
  paths: v.number(),
  created: v.string(),
  version: v.string(),
});

/** Where what needs a mount is shown. */
export const MOUNTS = '/run/activate/gen' as TargetPath;

/** Where a generation shows its content: where it lies, or where it is mounted. */
export function overlayOf(number: number, { carrier }: Pick<Generation, 'carrier'>, resident: boolean): TargetPath {
  if (resident || isImage(carrier)) return joinTarget(MOUNTS, String(number));
  return carrier.kind === 'store' ? carrier.path : joinTarget(generationDirectory(number), 'tree');
}

/** Where the content of a generation lies on disk: a directory, or an image. */
export function carrierPath({ number, carrier, imagePath }: Generation): TargetPath {
  if (carrier.kind === 'store') return carrier.path;
  return (
    imagePath ?? joinTarget(generationDirectory(number), carrier.kind === 'tree' ? 'tree' : imageName(carrier.kind))
  );
}

/** Whether a generation is shown through a mount. */
export function isMounted({ overlay }: Pick<Generation, 'overlay'>): boolean {
  return parentOf(overlay) === MOUNTS;
}

/** The store path that a generation needs; `undefined` where it has a copy of its own. */
export function storePathOf({ carrier }: Pick<Generation, 'carrier'>): TargetPath | undefined {
  return carrier.kind === 'store' ? carrier.path : undefined;
}

export function renderGeneration(generation: Generation): string {
  return `${JSON.stringify({ schema: 1, ...generation }, undefined, 1)}\n`;
}

/**
 * The inverse of {@link renderGeneration}.
 *
 * @throws {ActivateError} `STATE`
 */
export function parseGeneration(text: string, file: string): Generation {
  const { schema: _, ...generation } = parseRecord(text, file, schema);
  return generation as Generation;
}

/**
 * Reads one of our small JSON records.
 *
 * @throws {ActivateError} `STATE` where it is not JSON, was written by a newer version, or lacks something
 */
export function parseRecord<Output>(text: string, file: string, shape: v.GenericSchema<unknown, Output>): Output {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw damaged(file, 'it is not JSON', error);
  }
  checkSchema((document as { schema?: unknown } | null)?.schema, file);
  const result = v.safeParse(shape, document);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw damaged(file, `${v.getDotPath(issue) ?? 'it'}: ${issue.message}`, undefined);
}

function damaged(file: string, why: string, cause: unknown): ActivateError {
  return new ActivateError('STATE', `the record is damaged: ${why}`, {
    path: file,
    hint: 'Restore it from a backup, or remove the generation that it belongs to.',
    cause,
  });
}
