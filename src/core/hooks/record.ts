import * as v from 'valibot';
import { STATE } from '../entry';
import { joinTarget, parseTargetPath, type TargetPath } from '../path';
import { parseRecord } from '../records/generation';
import { type HookName, hookNames } from './hook';

/** What `activate install` put at a path: a link, or a file by its SHA-256. */
export type InstalledFile = { readonly path: TargetPath } & (
  | { readonly digest: string; readonly mode: number }
  | { readonly linkText: string }
);

/** The record of what `activate install` did. */
export interface HooksRecord {
  readonly hook: HookName;
  readonly files: readonly InstalledFile[];
  /** Those that were made for the files, the topmost first. */
  readonly directories: readonly TargetPath[];
}

export const HOOKS_RECORD = joinTarget(STATE, 'hooks.json');

const target = v.custom<TargetPath>((value) => typeof value === 'string' && parseTargetPath(value) === value);

const schema = v.strictObject({
  schema: v.literal(1),
  hook: v.picklist(hookNames),
  files: v.array(
    v.union([
      v.strictObject({ path: target, digest: v.string(), mode: v.number() }),
      v.strictObject({ path: target, linkText: v.string() }),
    ]),
  ),
  directories: v.array(target),
});

export function renderHooksRecord(record: HooksRecord): string {
  return `${JSON.stringify({ schema: 1, ...record }, undefined, 1)}\n`;
}

/**
 * The inverse of {@link renderHooksRecord}.
 *
 * @throws {ActivateError} `STATE`
 */
export function parseHooksRecord(text: string, file: string): HooksRecord {
  const { schema: _, ...record } = parseRecord(text, file, schema);
  return record;
}
