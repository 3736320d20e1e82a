import * as fc from 'fast-check';
import type { AddonMember } from '../../src/core/boot/archive';
import { anyName, linkText } from './names';

const content = fc.uint8Array({ maxLength: 600 });

/** What one path can be. */
const object = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), mode: fc.integer({ min: 0, max: 0o777 }), bytes: content }),
  fc.constant({ kind: 'directory' as const }),
  fc.record({ kind: fc.constant('symlink' as const), linkText }),
);

/** Members of an add-on, up to three directories deep; a number before each name makes it another one than the others. */
export const randomMembers = fc
  .array(fc.tuple(object, fc.array(anyName, { minLength: 1, maxLength: 3 })), { maxLength: 8 })
  .map((all) =>
    all.map(([found, names], index): AddonMember => {
      const [first, ...rest] = names;
      return { path: `usr/${[`${index}${first}`, ...rest.map((name) => `-${name}`)].join('/')}`, ...found };
    }),
  );
