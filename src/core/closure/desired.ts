import { type Entry, isShared, type Ownership } from '../entry';
import { ActivateError } from '../errors';
import { sameOwnership } from '../found';
import { type Item, type Listing, readSidecars } from './listing';
import type { ClosureFormat } from '../records/manifest';
import { ancestorsOf, nameOf, parentOf, type TargetPath } from '../path';
import { ASIDE } from '../plan/draft';
import type { HookName } from '../hooks/hook';
import { hookRules } from '../hooks/real';
import { builtInRules, compileRules, isAccountFile, type Policy, type Rule } from '../policy/policy';
import { whyNotRepresentable } from '../snippet/snippet';
import { type Owner, parseOwner, resolveOwner } from './users';

/** What the entries of a closure depend on besides the closure itself. */
export interface Wish {
  readonly listing: Listing;
  readonly format: ClosureFormat;
  readonly policy: Policy;
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
  /** The boot hook of the machine that shows it. */
  readonly hook?: HookName | undefined;
}

/**
 * What each path must be, from what the closure holds and the policy says; sorted by path.
 *
 * Files have neither digest nor, where they come from behind a link, size, mode and owner yet: `fillContents` in the
 * engine reads those.
 *
 * @throws {ActivateError} `CLOSURE` or `POLICY` for what cannot be placed
 */
export function desiredEntries(wish: Wish): Entry[] {
  // A rule that only says what to do about conflicts has no say in where a path goes, and hides no built-in rule.
  const placing = wish.policy.rules.filter(({ place }) => place !== undefined);
  const builtIn = [...builtInRules.filter((rule) => appliesTo(rule, wish.format)), ...hookRules(wish.hook)];
  const rules = [...placing, ...builtIn];
  const job: Job = { wish, ruleFor: compileRules(rules), sidecars: readSidecars(wish.listing), opaque: new Map() };
  const entries: Entry[] = [];
  for (const item of wish.listing.items) {
    refuseUnplaceable(item, wish.listing);
    const entry = desiredEntry(job, item);
    if (entry === undefined) continue;
    refuseAccountLink(entry, wish, job.ruleFor(item.path, 'other'));
    entries.push(entry);
  }
  return wish.format === 'tree' ? entries : withoutIdleDirectories(entries);
}

/**
 * A NixOS or Guix closure says on purpose what its hostname, fstab and the like are; in a tree they are what a build left.
 */
function appliesTo(rule: Rule, format: ClosureFormat): boolean {
  return format === 'tree' || !DECLARED.has(rule.match);
}

const DECLARED = new Set(['/etc/hostname', '/etc/adjtime', '/etc/resolv.conf', '/etc/mtab', '/etc/fstab']);

interface Job {
  readonly wish: Wish;
  readonly ruleFor: (path: TargetPath, kind: 'directory' | 'other') => Rule | undefined;
  readonly sidecars: ReadonlyMap<string, { mode?: string; uid?: string; gid?: string }>;
  /** Directories whose content is not looked at: skipped, shown as a whole, or (by value) another user's. */
  readonly opaque: Map<TargetPath, 'hidden' | 'foreign'>;
}

function desiredEntry(job: Job, item: Item): Entry | undefined {
  const above = job.opaque.size === 0 ? undefined : job.opaque.get(parentOf(item.path));
  if (item.kind === 'directory' && above !== undefined) job.opaque.set(item.path, above);
  if (above === 'hidden') return undefined;
  const rule = job.ruleFor(item.path, item.kind === 'directory' ? 'directory' : 'other');
  if (above === 'foreign') refuseForeignRule(item, rule);
  if (rule?.place === 'skip') {
    if (item.kind === 'directory') job.opaque.set(item.path, 'hidden');
    return undefined;
  }
  if (item.kind === 'directory') return directoryEntry(job, item, rule);
  if (job.wish.format !== 'tree') return item.kind === 'symlink' ? storeEntry(job, item, rule) : undefined;
  return item.kind === 'symlink' ? treeLinkEntry(item, rule) : treeFileEntry(job, item, rule, above === 'foreign');
}

type ItemOf<Kind extends Item['kind']> = Item & { readonly kind: Kind };

function directoryEntry(job: Job, item: ItemOf<'directory'>, rule: Rule | undefined): Entry {
  const { path } = item;
  if (rule?.place === 'link') {
    job.opaque.set(path, 'hidden');
    return { path, place: 'link', kind: 'whole-directory', digest: '' };
  }
  const plain = job.wish.format === 'tree' ? item : { mode: 0o755, uid: 0, gid: 0 };
  const ownership = ruled(job, rule, plain);
  if (isForeign(ownership)) {
    if (job.wish.format !== 'tree') refuseForeignStoreDirectory(path, rule);
    job.opaque.set(path, 'foreign');
  }
  return { path, place: 'directory', named: rule?.place === 'directory', kind: 'directory', ...ownership };
}

/** An entry of a NixOS or Guix closure: a link into the store, and what its sidecars say. */
function storeEntry(job: Job, item: ItemOf<'symlink'>, rule: Rule | undefined): Entry {
  const { path, linkText } = item;
  const sidecar = job.sidecars.get(path);
  const mode = sidecar?.mode;
  const wantsCopy = rule === undefined ? mode !== undefined && mode !== 'direct-symlink' : wantsFile(rule);
  if (wantsCopy) {
    const ownership = ruled(job, rule, sidecarOwnership(job, path, sidecar));
    const place = rule?.place === 'seed' ? 'seed' : 'copy';
    return { path, place, kind: 'file', ...ownership, sizeBytes: 0, digest: '', source: linkText, restyled: true };
  }
  const isDirect = rule?.place === undefined ? mode === 'direct-symlink' : rule.place === 'direct';
  return { path, place: isDirect ? 'direct' : 'link', kind: 'symlink', linkText };
}

function wantsFile(rule: Rule): boolean {
  return rule.place === 'copy' || rule.place === 'seed' || (rule.place === undefined && hasOwnership(rule));
}

function hasOwnership(rule: Rule): boolean {
  return rule.mode !== undefined || rule.owner !== undefined || rule.group !== undefined;
}

/** A store file is 0444 and root's; the sidecars say what the copy is. */
function sidecarOwnership(
  job: Job,
  path: TargetPath,
  sidecar: { mode?: string; uid?: string; gid?: string } = {},
): Ownership {
  const { mode = '0444', uid = '+0', gid = '+0' } = sidecar;
  if (mode !== 'direct-symlink' && !/^[0-7]{3,4}$/u.test(mode)) {
    throw new ActivateError('CLOSURE', `the mode is neither octal nor direct-symlink: ${JSON.stringify(mode)}`, {
      path: `${path}.mode`,
      hint: 'Write three or four octal digits, e.g. 0440, or direct-symlink.',
    });
  }
  const { users, groups } = job.wish;
  return {
    mode: mode === 'direct-symlink' ? 0o444 : Number.parseInt(mode, 8),
    uid: sidecarId(`${path}.uid`, uid, users),
    gid: sidecarId(`${path}.gid`, gid, groups),
  };
}

function sidecarId(sidecar: string, text: string, names: ReadonlyMap<string, number>): number {
  const owner = parseOwner(text);
  const id = owner === undefined ? undefined : resolveOwner(owner, names);
  if (id !== undefined) return id;
  throw new ActivateError('CLOSURE', `there is no user or group ${JSON.stringify(text)}`, {
    path: sidecar,
    hint: 'Create it first, or let the closure name it by number, e.g. +998.',
  });
}

/** A link of a tree keeps its text; a seed is made once. */
function treeLinkEntry({ path, linkText }: ItemOf<'symlink'>, rule: Rule | undefined): Entry {
  const place = rule?.place === 'seed' || rule?.place === 'link' ? rule.place : 'direct';
  return { path, place, kind: 'symlink', linkText };
}

function treeFileEntry(job: Job, item: ItemOf<'file'>, rule: Rule | undefined, isForeign: boolean): Entry {
  const { path, sizeBytes } = item;
  const file = { kind: 'file', ...ruled(job, rule, item), sizeBytes, digest: '' } as const;
  if (rule?.place === 'direct') {
    throw new ActivateError('POLICY', 'a regular file cannot be placed direct: it has no link text', {
      path: `${rule.origin}, for ${path}`,
      hint: 'Use link, copy or seed.',
    });
  }
  const copied = { ...file, restyled: !sameOwnership(file, item) };
  if (rule !== undefined && wantsFile(rule)) return { path, place: rule.place === 'seed' ? 'seed' : 'copy', ...copied };
  return isForeign ? { path, place: 'copy', ...copied } : { path, place: 'link', ...file };
}

/** The mode and owner that a rule asks for, and the closure's where it asks for none. */
function ruled(job: Job, rule: Rule | undefined, { mode, uid, gid }: Ownership): Ownership {
  if (rule === undefined) return { mode, uid, gid };
  return {
    mode: rule.mode ?? mode,
    uid: rule.owner === undefined ? uid : ruledId(rule, rule.owner, job.wish.users),
    gid: rule.group === undefined ? gid : ruledId(rule, rule.group, job.wish.groups),
  };
}

function ruledId(rule: Rule, owner: Owner, names: ReadonlyMap<string, number>): number {
  const id = resolveOwner(owner, names);
  if (id !== undefined) return id;
  throw new ActivateError(
    'POLICY',
    `there is no user or group ${JSON.stringify('name' in owner ? owner.name : owner.id)}`,
    {
      path: rule.origin,
      hint: 'Create it first, or write its number.',
    },
  );
}

/**
 * systemd-tmpfiles refuses the way through a directory that another user owns, so such a directory is made as one, by
 * one line of the full snippet, and has to be what the closure holds.
 */
function refuseForeignRule(item: Item, rule: Rule | undefined): void {
  if (rule === undefined || rule.origin === 'built-in') return;
  if (rule.place === 'copy' && !hasOwnership(rule)) return;
  throw new ActivateError(
    'POLICY',
    'no rule may change what is below a directory that another user owns or may write',
    {
      path: `${rule.origin}, for ${item.path}`,
      hint: 'Skip the directory as a whole, or give it to root.',
    },
  );
}

function refuseForeignStoreDirectory(path: TargetPath, rule: Rule | undefined): void {
  throw new ActivateError(
    'POLICY',
    'a directory that holds links into a store belongs to root, and nobody else may write it',
    {
      path: `${rule?.origin ?? 'built-in'}, for ${path}`,
      hint: 'Leave its owner and mode out, or have the files in it made by a tree closure.',
    },
  );
}

function refuseUnplaceable(item: Item, { closure }: Listing): void {
  const why =
    whyNotRepresentable(item.path) ??
    (nameOf(item.path).startsWith(ASIDE) ? `names that begin with ${ASIDE} are kept for activate itself` : undefined);
  if (why === undefined) return;
  throw new ActivateError('CLOSURE', why, { path: item.path, hint: `Rename it in ${closure}.` });
}

/**
 * Links to accounts would lead nowhere whenever the pointer is missing, and nobody could log in; what changes accounts replaces
 * them, and insists on a file for its lock. What a tree has as a link of its own is one all the same.
 */
function refuseAccountLink({ place, path }: Entry, { format }: Wish, rule: Rule | undefined): void {
  if (place !== 'link' && (place !== 'direct' || format === 'tree')) return;
  if (!isAccountFile(path)) return;
  throw new ActivateError('POLICY', 'this is never a link', {
    path: rule === undefined ? path : `${rule.origin}, for ${path}`,
    hint: 'Have the policy say place = "seed", "copy" or "skip" for it.',
  });
}

/** Drops directories without any entry below them: in a store closure only links are entries. */
function withoutIdleDirectories(entries: readonly Entry[]): Entry[] {
  const used = new Set<TargetPath>();
  for (const { path, place } of entries) {
    if (place === 'directory') continue;
    for (let at = parentOf(path); at !== '/' && !used.has(at); at = parentOf(at)) used.add(at);
  }
  return entries.filter(({ path, place }) => place !== 'directory' || used.has(path));
}

/** Whether another user could lead systemd-tmpfiles astray in a directory. */
function isForeign(ownership: Ownership): boolean {
  return ownership.uid !== 0 || isShared(ownership);
}

/** The topmost directories that another user owns or may write, with whether anything is below them. */
export function foreignDirectories(entries: readonly Entry[]): Map<TargetPath, boolean> {
  const foreign = new Map<TargetPath, boolean>();
  for (const entry of entries) {
    const above = foreign.size === 0 ? undefined : ancestorsOf(entry.path).find((ancestor) => foreign.has(ancestor));
    if (above !== undefined) foreign.set(above, true);
    else if (entry.place === 'directory' && isForeign(entry)) foreign.set(entry.path, false);
  }
  return foreign;
}
