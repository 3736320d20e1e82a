import * as v from 'valibot';
import { type InitrdRecord, initrdSchema } from '../boot/initrd';
import { type AttitudeRule, attitudeRuleSchema, parseRecord } from './generation';
import { type ClosureFormat, closureFormats } from './manifest';
import { type Carrier, carrierSchema } from './overlay';

/** What a bundle says of itself, besides its manifest: the record `bundle.json`, which is sealed. */
export interface BundleRecord {
  readonly format: ClosureFormat;
  readonly overlay: Carrier;
  /** What the policy said about conflicts and drift; the rest of it is in the manifest. */
  readonly rules: readonly AttitudeRule[];
  /** SHA-256 of the lines about users and groups in `sysusers.conf`; absent where there are none. */
  readonly sysusers?: string | undefined;
  /** What its closure asks of an initrd; absent where that is nothing. */
  readonly initrd?: InitrdRecord | undefined;
  /** SHA-256 of the add-on; absent where an older version made it, without one. */
  readonly addon?: string | undefined;
  /** How many paths it manages. */
  readonly paths: number;
  /** SHA-256 of the manifest, what it withholds, and the overlay, as in a generation's record. */
  readonly digest: string;
  /** The version of `activate` that made it. */
  readonly version: string;
}

export const BUNDLE_RECORD = 'bundle.json';

const schema = v.strictObject({
  schema: v.literal(1),
  format: v.picklist(closureFormats),
  overlay: carrierSchema,
  rules: v.array(attitudeRuleSchema),
  sysusers: v.optional(v.string()),
  initrd: v.optional(initrdSchema),
  addon: v.optional(v.string()),
  paths: v.number(),
  digest: v.string(),
  version: v.string(),
});

export function renderBundle(bundle: BundleRecord): string {
  return `${JSON.stringify({ schema: 1, ...bundle }, undefined, 1)}\n`;
}

/**
 * The inverse of {@link renderBundle}.
 *
 * @throws {ActivateError} `STATE`
 */
export function parseBundle(text: string, file: string): BundleRecord {
  const { schema: _, ...bundle } = parseRecord(text, file, schema);
  return bundle;
}
