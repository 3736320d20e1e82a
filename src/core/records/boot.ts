import * as v from 'valibot';
import type { TargetPath } from '../path';

/** What the boot hook says of this boot: the record `/run/activate/boot.json`. */
export interface BootRecord {
  /** Which hook it was: `initrd`, `init`, `oneshot`, or {@link FALLBACK}. */
  readonly hook: string;
  /** The generation that was asked for, or the default. */
  readonly wanted: number;
  /** The generation that this boot began with. */
  readonly chosen: number;
  /** Why it was chosen. */
  readonly why: string;
  /** Those that could not be shown, in the order in which they were tried. */
  readonly passed: readonly { readonly generation: number; readonly why: string }[];
  /** How many tries were left after this boot, where it is on trial. */
  readonly trial?: number | undefined;
  /** Whether what is in /etc was brought to it from another generation. */
  readonly brought: boolean;
}

/** Who says so where the hook that is installed has not run. */
export const FALLBACK = 'fallback';

export const BOOT_RECORD = '/run/activate/boot.json' as TargetPath;

const number = v.pipe(v.number(), v.integer(), v.minValue(0));
const passed = v.object({ generation: number, why: v.fallback(v.string(), '') });

/** What is missing or wrong in it costs what it says, and nothing else: it is no reason for a command to fail. */
const schema = v.object({
  hook: v.fallback(v.string(), 'boot'),
  wanted: v.fallback(v.optional(number), undefined),
  chosen: number,
  why: v.fallback(v.string(), ''),
  passed: v.fallback(v.array(passed), []),
  trial: v.fallback(v.optional(number), undefined),
  brought: v.fallback(v.boolean(), false),
});

/** Reads the record of a boot; `undefined` where it does not even say what was chosen. */
export function parseBootRecord(text: string): BootRecord | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { success, output } = v.safeParse(schema, document);
  return success ? { ...output, wanted: output.wanted ?? output.chosen } : undefined;
}
