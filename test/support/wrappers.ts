import fc from 'fast-check';
import { parseCapabilities } from '../../src/core/capabilities';
import type { FoundWrapper, Wrapper } from '../../src/core/wrapper';

/** What `parseCapabilities` makes of a text that it takes. */
export function capabilities(text: string): string {
  const parsed = parseCapabilities(text);
  if (typeof parsed === 'string') return parsed;
  throw new Error(parsed.problem);
}

/** A wrapper of a tree closure; two with the same content have the same digest. */
export function wrapper(name: string, changes: Partial<Wrapper> = {}): Wrapper {
  return {
    name,
    mode: 0o4755,
    uid: 0,
    gid: 0,
    sizeBytes: 3,
    digest: 'a'.repeat(64),
    source: `.activate/wrappers/${name}`,
    ...changes,
  };
}

/** What is there once a wrapper was made. */
export function madeOf({
  mode,
  uid,
  gid,
  sizeBytes,
  digest,
  capabilities: held,
}: Omit<Wrapper, 'source'>): FoundWrapper {
  const plain = { kind: 'file', mode, uid, gid, sizeBytes, digest } as const;
  return held === undefined ? plain : { ...plain, capabilities: held };
}

const anyWrapper = fc
  .record({
    name: fc.constantFrom('ping', 'sudo', 'su', 'a.b', 'A@b', '7z', '_x'),
    mode: fc.constantFrom(0o4755, 0o2755, 0o755, 0o4750),
    uid: fc.constantFrom(0, 12, 0xff_ff_ff_fe),
    gid: fc.nat(70_000),
    sizeBytes: fc.nat(),
    digest: fc.constantFrom('a'.repeat(64), 'b'.repeat(64)),
    held: fc.constantFrom({}, { capabilities: 'cap_net_raw=ep' }),
    source: fc.constantFrom('.activate/wrappers/x', 'bin/x', '/nix/store/0-x/bin/y z'),
  })
  .map(({ held, ...rest }): Wrapper => Object.assign(rest, held));

/** Wrappers as a manifest has them: sorted, each name once. */
export const anyWrappers: fc.Arbitrary<readonly Wrapper[]> = fc
  .uniqueArray(anyWrapper, { selector: ({ name }) => name, maxLength: 5 })
  .map((wrappers) => wrappers.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
