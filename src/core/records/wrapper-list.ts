import * as v from 'valibot';
import { parseCapabilities } from '../capabilities';
import { parseTargetPath } from '../path';
import { type Wrapper, WRAPPER_NAME } from '../wrapper';

const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff_ff_ff_fe));

/** One wrapper, strict because it becomes a program with more rights. */
export const wrapperSchema = v.strictObject({
  name: v.pipe(v.string(), v.regex(WRAPPER_NAME)),
  mode: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777)),
  uid: id,
  gid: id,
  sizeBytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
  digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/u)),
  capabilities: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => parseCapabilities(text) === text),
    ),
  ),
  source: v.pipe(v.string(), v.check(isSource)),
});

/** An absolute path, or one in the overlay. */
function isSource(text: string): boolean {
  const path = text.startsWith('/') ? text : `/${text}`;
  return path !== '/' && parseTargetPath(path) === path;
}

/** Whether a value is the wrappers of a record, in order. */
export function isWrapperList(value: unknown): value is readonly Wrapper[] {
  if (!v.is(v.array(wrapperSchema), value)) return false;
  return value.every(({ name }, index) => index === 0 || (value[index - 1]?.name ?? '') < name);
}
