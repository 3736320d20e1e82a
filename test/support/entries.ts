import fc from 'fast-check';
import type { CopyEntry, DirectoryEntry, Entry, LinkEntry } from '../../src/core/entry';
import type { Actual, DirectoryFacts, Found, Obstacle } from '../../src/core/found';
import { comparePaths, type TargetPath } from '../../src/core/path';
import type { Attitude } from '../../src/core/plan/decision';

// Entries and what is there, written shortly.

export function path(text: string): TargetPath {
  return text as TargetPath;
}

/** A file that is shown through the pointer; the digest stands for its content. */
export function linked(at: string, digest = 'a', mode = 0o644): LinkEntry & { readonly kind: 'file' } {
  return { path: path(at), place: 'link', kind: 'file', mode, uid: 0, gid: 0, sizeBytes: 1, digest };
}

export function storeLink(at: string, linkText = '/nix/store/x'): Entry {
  return { path: path(at), place: 'link', kind: 'symlink', linkText };
}

export function whole(at: string, digest = 'a'): Entry {
  return { path: path(at), place: 'link', kind: 'whole-directory', digest };
}

export function direct(at: string, linkText = 'x'): Entry {
  return { path: path(at), place: 'direct', kind: 'symlink', linkText };
}

export function copied(at: string, digest = 'a', mode = 0o644): CopyEntry {
  return { path: path(at), place: 'copy', kind: 'file', mode, uid: 0, gid: 0, sizeBytes: 1, digest, restyled: false };
}

export function seeded(at: string, digest = 'a'): Entry {
  return { ...copied(at, digest), place: 'seed' };
}

export function directory(at: string, options: Partial<DirectoryEntry> = {}): DirectoryEntry {
  return {
    path: path(at),
    place: 'directory',
    named: false,
    kind: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    ...options,
  };
}

/** A file of the machine's. */
export function foundFile(digest?: string, mode = 0o644): Found {
  return { kind: 'file', mode, uid: 0, gid: 0, sizeBytes: 1, ...(digest === undefined ? {} : { digest }) };
}

export function foundLink(linkText: string): Found {
  return { kind: 'symlink', linkText };
}

export function foundDirectory(mode = 0o755, uid = 0): Found {
  return { kind: 'directory', mode, uid, gid: 0 };
}

/** What is there, as differences from what was recorded; /etc is a directory. */
export function actualOf({
  deviations = {},
  directories = {},
  obstacles = {},
  strangers = {},
}: {
  readonly deviations?: Readonly<Record<string, Found | 'absent'>>;
  readonly directories?: Readonly<Record<string, DirectoryFacts>>;
  readonly obstacles?: Readonly<Record<string, Obstacle>>;
  readonly strangers?: Readonly<Record<string, readonly string[]>>;
} = {}): Actual {
  const plain: DirectoryFacts = { mode: 0o755, uid: 0, gid: 0 };
  return {
    deviations: asMap(deviations),
    directories: asMap({ '/': plain, '/etc': plain, ...directories }),
    obstacles: asMap(obstacles),
    strangers: new Map(Object.entries(strangers).map(([at, paths]) => [path(at), paths.map(path)])),
    times: new Map(),
    unread: [],
  };
}

export function asMap<Value>(record: Readonly<Record<string, Value>>): Map<TargetPath, Value> {
  return new Map(Object.entries(record) as [TargetPath, Value][]);
}

/** Nobody said anything. */
export const silent: Attitude = { onConflict: undefined, onDrift: undefined };

const names = ['a', 'b', 'a-b', 'with space', '%', '"q"', '\u00e4', '\udcff', '\u0001', '.mode', 'x'.repeat(60)];
const ownership = {
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o4711, 0),
  uid: fc.constantFrom(0, 1000, 4_294_967_294),
  gid: fc.constantFrom(0, 100),
};
const digest = fc.constantFrom('', 'a'.repeat(64), 'b'.repeat(64));
const linkText = fc.constantFrom('x', '../x', '/nix/store/0-x/etc/x', '\udcff %', 'new\nline');
const file = { kind: fc.constant('file' as const), ...ownership, sizeBytes: fc.nat(), digest };
const symlink = { kind: fc.constant('symlink' as const), linkText };
const restyled = { restyled: fc.boolean() };

const body = fc.oneof(
  fc.record({ place: fc.constant('link' as const), ...symlink }),
  fc.record({ place: fc.constant('link' as const), ...file }),
  fc.record({ place: fc.constant('link' as const), kind: fc.constant('whole-directory' as const), digest }),
  fc.record({ place: fc.constant('direct' as const), ...symlink }),
  fc.record({ place: fc.constant('copy' as const), ...file, ...restyled }),
  fc.record({ place: fc.constant('copy' as const), ...file, ...restyled, source: fc.constant('/nix/store/0-x/x') }),
  fc.record({ place: fc.constant('seed' as const), ...file, ...restyled }),
  fc.record({ place: fc.constant('seed' as const), ...symlink }),
  fc.record({
    place: fc.constant('directory' as const),
    named: fc.boolean(),
    kind: fc.constant('directory' as const),
    ...ownership,
  }),
);

const anyPath = fc
  .array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 })
  .map((parts) => path(`/etc/${parts.join('/')}`));

/** Entries in the order that a manifest has, each path once; parents need not be among them. */
export const anyEntries: fc.Arbitrary<readonly Entry[]> = fc
  .uniqueArray(fc.tuple(anyPath, body), { selector: ([at]) => at, maxLength: 12 })
  .map((pairs) => pairs.map(([at, each]): Entry => ({ path: at, ...each })))
  .map((entries) => entries.toSorted((a, b) => comparePaths(a.path, b.path)));
