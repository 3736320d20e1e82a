import { posix } from 'node:path';
import type { Context } from '../../context';
import type { Entry, Ownership } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import type { SysusersLine } from '../../core/accounts/sysusers';
import type { Unfixed } from '../../core/accounts/wishes';
import { desiredEntries, type Wish } from '../../core/closure/desired';
import { whyNotPlaceable } from '../../core/snippet/full-snippet';
import { type AttitudeRule, GENERATIONS } from '../../core/records/generation';
import { detectFormat, type Listing, refuseLoops } from '../../core/closure/listing';
import { type ClosureFormat, isSameRecord, type Manifest } from '../../core/records/manifest';
import type { Carrier, ImageKind } from '../../core/records/overlay';
import { joinEntries } from '../../core/plan/decide';
import { joinTarget, parseTargetPath, type TargetPath } from '../../core/path';
import { defaultPolicy, parsePolicy, type Policy } from '../../core/policy/policy';
import { parseGroup, parsePasswd } from '../../core/closure/users';
import { listDirectory, readFile, readStatus } from '../../system/tree/reading';
import { isInStore, storeOf } from '../../system/tree/following';
import { closeRoot, type Root } from '../../system/tree/rooted';
import { readHostFile, resolveBelow, resolveHostPath } from '../../system/host/host-files';
import { fillStatic, itemsWith } from '../accounts/static-accounts';
import { type ClosureAccounts, type Holder, readClosureAccounts } from '../accounts/closure-accounts';
import type { AccountPlan } from '../accounts/planning';
import { readBundle } from './bundle-reading';
import { inClosure, openClosure, readItems } from './items';
import type { Source } from './source';
import { tidy } from '../../system/host/memory';
import { fillContents, type Unread } from './contents';
import { installedHook } from '../hooks/recorded';
import { type Initrd, noInitrd, readInitrd } from '../initrd/initrd';
import type { Machine } from '../state/machine';
import { readWrappers } from '../wrappers/sources';

export interface ClosureOptions {
  readonly format?: ClosureFormat | 'bundle' | 'image' | undefined;
  /** The policy file; the closure's own `activation.toml` without it. */
  readonly policy?: string | undefined;
  /** Users and groups that rules and sidecars may name besides the closure's own. */
  readonly names?: Holder;
  /** Entries that were read before: a store path that was read once never changes. */
  readonly known?: readonly Entry[];
  /** The bundle or image that the closure is. */
  readonly source?: Source | undefined;
  /** An image is used where it lies, without a copy. */
  readonly inPlace?: boolean | undefined;
  /** The overlay becomes a copy in memory. */
  readonly resident?: boolean | undefined;
  /** `later`: files have no digests yet, and what is in a store is listed as well; whoever packs it reads it once. */
  readonly contents?: 'now' | 'later';
  /** What the overlay becomes instead of a tree or a store path. */
  readonly image?: ImageKind | undefined;
}

/** A closure that has been read: what it makes of each path, and where its content lies. */
export interface Closure {
  /** The closure as it was named, made absolute. */
  readonly name: string;
  /** Where its content is on the machine that runs this, all links resolved. */
  readonly hostPath: string;
  /** What carries it: the store that it is in, an image, or nothing yet but a tree. */
  readonly carrier: Carrier;
  /** The image, where it is one. */
  readonly imageFile: string | undefined;
  /** What the overlay gets besides what is below the closure's roots. */
  readonly additions: readonly Addition[];
  readonly listing: Listing;
  /** Where the machine that runs this has what the closure has for a path. */
  readonly sourceOf: (path: TargetPath) => string;
  readonly manifest: Manifest;
  /** What it says about users and groups. */
  readonly sysusers: readonly SysusersLine[];
  /** The lines of these that leave an id to the machine. */
  readonly unfixed: readonly Unfixed[];
  /** What becomes of the machine's users and groups, where the machine was asked. */
  readonly accounts: AccountPlan | undefined;
  /** What an initrd gets for it. */
  readonly initrd: Initrd;
  /** The policy's own rules. */
  readonly rules: readonly AttitudeRule[];
  /** Files that this user may not read; their digests are empty. */
  readonly unread: readonly Unread[];
}

/** A file that an overlay has and the closure's roots do not. */
export interface Addition extends Ownership {
  /** Where it is in the overlay. */
  readonly path: TargetPath;
  readonly content: { readonly bytes: Uint8Array } | { readonly hostPath: string };
}

/**
 * Reads a closure, and decides what each path must be.
 *
 * @throws {ActivateError} `CLOSURE` or `POLICY`, with the path
 */
export function readClosure(
  context: Context,
  machine: Machine,
  argument: string,
  options: ClosureOptions = {},
): Closure {
  const { source } = options;
  const name = posix.resolve(context.workingDirectory, argument);
  if (source?.record !== undefined) return readBundle(machine, name, { ...source, record: source.record });
  const hostPath = source?.contentPath ?? resolveHostPath(name);
  if (hostPath === undefined) {
    throw new ActivateError('CLOSURE', 'there is no such closure', {
      path: name,
      hint: 'Name a built system, or a directory with etc in it.',
    });
  }
  const storePath = source === undefined ? storePathOf(machine, hostPath) : undefined;
  const top = openClosure(hostPath, name);
  try {
    const file = options.policy && posix.resolve(context.workingDirectory, options.policy);
    const policy = file ? readNamedPolicy(file) : inClosure(name, () => readOwnPolicy(top, name));
    const isStore = storePath !== undefined || options.format === 'nixos';
    const listing: Listing = {
      closure: name,
      items: policy.roots.flatMap((root) => readItems(top, root, name, isStore)),
    };
    tidy(listing.items.length);
    const names = new Set(inClosure(name, () => listDirectory(top, '/' as TargetPath)).map((entry) => entry.name));
    const asked = options.format;
    const format =
      (asked === 'bundle' || asked === 'image' ? undefined : asked) ??
      detectFormat(listing, { store: storePath === undefined ? undefined : storeOf(storePath), names });
    refuseLoops(listing);
    const holder = options.names ?? 'machine';
    const accounts = readClosureAccounts(context, machine, {
      place:
        storePath === undefined ? { root: top, prefix: '', name } : { root: machine.root, prefix: storePath, name },
      top,
      // What is in a store or an image cannot be added to.
      items: storePath === undefined && source === undefined ? listing.items : undefined,
      roots: policy.roots,
      holder,
    });
    const owners = readOwners({ machine, top, accounts }, holder);
    const items = itemsWith(listing.items, accounts.fixed);
    // A bundle is for machines that nothing is known of here.
    const hook = holder === 'machine' ? installedHook(machine) : undefined;
    const placed = desiredEntries({ listing: { ...listing, items }, format, policy, ...owners, hook });
    const known = options.known ?? [];
    refuseUnplaceable(placed, name);
    tidy(placed.length);
    const sourceOf = hostPaths(top, policy);
    const isLater = options.contents === 'later';
    const unread: Unread[] = [];
    const entries = fillStatic(placed, { ...accounts.fixed, owner: context.uid }, (others) => {
      if (isLater) return others;
      const read = fillContents({ machine, listing, hostPathOf: sourceOf, known }, others);
      unread.push(...read.unread);
      return read.entries;
    });
    const shared = shareEntries(entries, known);
    tidy(entries.length);
    const sources = readWrappers(policy.wrappers, {
      machine,
      top,
      storePath,
      carrier: isLater ? 'tree' : kindOf(source, storePath),
      names: options.names ?? 'machine',
      ...owners,
    });
    const { wrappers, additions, unread: unreadSources } = sources;
    const needs = { rules: policy.initrd, image: source?.image?.carrier.kind ?? options.image };
    const initrd = readInitrd(needs, { machine, top, storePath, names: holder });
    return {
      name,
      hostPath,
      carrier:
        source?.image?.carrier ?? (storePath === undefined ? { kind: 'tree' } : { kind: 'store', path: storePath }),
      imageFile: source?.image?.file,
      additions: [...accounts.fixed.additions, ...additions],
      // What is in a store is not read again.
      listing: storePath === undefined || isLater ? listing : { closure: name, items: [] },
      sourceOf,
      manifest: { format, roots: policy.roots, entries: shared, ...(wrappers.length === 0 ? {} : { wrappers }) },
      sysusers: accounts.lines,
      unfixed: accounts.fixed.unfixed,
      accounts: accounts.plan,
      initrd,
      rules: policy.rules,
      unread: [...unread, ...unreadSources],
    };
  } finally {
    closeRoot(top);
  }
}

function kindOf(source: Source | undefined, storePath: TargetPath | undefined): 'tree' | 'store' | 'image' {
  if (source?.image !== undefined) return 'image';
  return storePath === undefined ? 'tree' : 'store';
}

/** Takes an entry that is as it was before from the record: what is the same is in memory once. */
function shareEntries(entries: readonly Entry[], known: readonly Entry[]): readonly Entry[] {
  if (known.length === 0) return entries;
  const shared: Entry[] = [];
  for (const { previous, next } of joinEntries(known, entries)) {
    if (next !== undefined) shared.push(previous !== undefined && isSameRecord(previous, next) ? previous : next);
  }
  return shared;
}

/** Longer than any overlay's path and two sidecars: what is shorter than the rest of a line can always be placed. */
const LONGEST_HARMLESS = 1000;

function refuseUnplaceable(entries: readonly Entry[], closure: string): void {
  for (const entry of entries) {
    const isHarmless =
      entry.kind !== 'file' &&
      entry.kind !== 'directory' &&
      entry.path.length + ('linkText' in entry ? entry.linkText.length : 0) < LONGEST_HARMLESS;
    const why = isHarmless ? undefined : whyNotPlaceable(entry, `${GENERATIONS}/999999999/tree`);
    if (why !== undefined)
      throw new ActivateError('CLOSURE', why, {
        path: entry.path,
        hint: `Mend it in ${closure}, or skip it in the policy.`,
      });
  }
}

/**
 * Reads again what a store path holds for the roots of a generation that was made of it.
 *
 * @param name the closure as the user named it
 */
export function readStoreClosure(hostPath: string, name: string, manifest: Manifest): Closure {
  const top = openClosure(hostPath, name);
  try {
    const items = manifest.roots.flatMap((root) => readItems(top, root, name, true));
    return {
      name,
      hostPath,
      carrier: { kind: 'store', path: hostPath as TargetPath },
      imageFile: undefined,
      additions: [],
      listing: { closure: name, items },
      sourceOf: hostPaths(top, manifest),
      manifest,
      sysusers: [],
      unfixed: [],
      accounts: undefined,
      initrd: noInitrd,
      rules: [],
      unread: [],
    };
  } finally {
    closeRoot(top);
  }
}

/** Where a closure has what it has for a path: the top of a root may be a link, nothing below it is. */
function hostPaths(top: Root, { roots }: Pick<Manifest, 'roots'>): (path: TargetPath) => string {
  const bases = roots.map((root) => ({ root, base: resolveBelow(top, root) ?? '' }));
  return (path) => {
    const { root, base } = bases.find((candidate) => path.startsWith(`${candidate.root}/`)) ?? {
      root: '',
      base: top.path,
    };
    return base + path.slice(root.length);
  };
}

/** Where a store path is in the tree at the root; a store outside the root is of no use to what runs in it. */
function storePathOf({ root }: Machine, hostPath: string): TargetPath | undefined {
  const inRoot =
    root.path === '/' ? hostPath : hostPath.startsWith(`${root.path}/`) ? hostPath.slice(root.path.length) : undefined;
  if (inRoot !== undefined && isInStore(inRoot)) return parseTargetPath(inRoot);
  if (root.path === '/' || !isInStore(hostPath)) return undefined;
  throw new ActivateError('CLOSURE', `this store path is not in the store below ${root.path}`, {
    path: hostPath,
    hint: `Copy it there first (nix copy --to ${root.path}), and name ${root.path}${hostPath}.`,
  });
}

function readNamedPolicy(file: string): Policy {
  const text = readHostFile(file);
  if (text !== undefined) return parsePolicy(text, file);
  throw new ActivateError('POLICY', 'there is no such policy file', {
    path: file,
    hint: 'Name a TOML or JSON file with --policy.',
  });
}

/** A policy that is there and was not meant to be passed over must not be. */
function readOwnPolicy(top: Root, name: string): Policy {
  const own = joinTarget('/' as TargetPath, 'activation.toml');
  const kind = readStatus(top, own)?.kind;
  const file = posix.join(name, 'activation.toml');
  if (kind === undefined) return defaultPolicy;
  if (kind === 'file') return parsePolicy(new TextDecoder().decode(readFile(top, own)), file);
  throw new ActivateError('POLICY', `a policy is a regular file, and this is a ${kind}`, {
    path: file,
    hint: 'Put the file itself there, or name it with --policy.',
  });
}

interface Owners {
  readonly machine: Machine;
  readonly top: Root;
  readonly accounts: ClosureAccounts;
}

/** The machine's users win over the closure's own: its numbers are the ones that its files have. */
function readOwners({ machine, top, accounts }: Owners, holder: Holder): Pick<Wish, 'users' | 'groups'> {
  const trees = holder === 'machine' ? [top, machine.root] : [top];
  const { users, groups } = accounts.names;
  const passwd = trees.flatMap((tree) => parsePasswd(readOptional(tree, '/etc/passwd')).entries().toArray());
  const group = trees.flatMap((tree) => parseGroup(readOptional(tree, '/etc/group')).entries().toArray());
  return {
    users: new Map([['root', 0], ...users, ...passwd]),
    groups: new Map([['root', 0], ...groups, ...group]),
  };
}

function readOptional(tree: Root, path: string): string {
  const target = path as TargetPath;
  return readStatus(tree, target)?.kind === 'file' ? new TextDecoder().decode(readFile(tree, target)) : '';
}
