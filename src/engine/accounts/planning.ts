import type { Context } from '../../context';
import {
  type AccountName,
  accountNames,
  accountPath,
  type Accounts,
  type AccountTexts,
  parseAccounts,
} from '../../core/accounts/accounts';
import { type AccountChange, type AccountDecisions, conflictOf } from '../../core/accounts/decide-accounts';
import type { SysusersLine } from '../../core/accounts/sysusers';
import { findContradictions, firstUnmet, fixedNames } from '../../core/accounts/wishes';
import { decodeName, encodeName } from '../../core/bytes';
import type { Ownership } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import type { Conflict } from '../../core/plan/decision';
import { parentOf, parseTargetPath, type TargetPath } from '../../core/path';
import { resolveInRoot } from '../../system/tree/following';
import { digestBytes } from '../../system/host/host-files';
import { canWriteDirectory, readFile, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import type { Status } from '../../system/syscalls/status';
import type { Machine } from '../state/machine';
import type { Unread } from '../closure/contents';
import { compileAccounts, FIXED_SECONDS } from './compiling';

/** What becomes of the users and groups of the machine, with the bytes of each file that changes. */
export interface AccountPlan extends AccountDecisions {
  readonly changes: readonly (AccountChange & { readonly bytes: Uint8Array })[];
  readonly unread: readonly Unread[];
  /** Everybody who there will be, by name. */
  readonly names: { readonly users: ReadonlyMap<string, number>; readonly groups: ReadonlyMap<string, number> };
}

/**
 * Finds out what the lines add to the users and groups of the machine. Changes nothing there.
 *
 * @param own what the closure has as its own files: a machine that has neither users nor groups begins with these
 * @throws {ActivateError} `REFUSED` where systemd-sysusers is missing or cannot do what a line says
 */
export function planAccounts(
  context: Context,
  machine: Machine,
  { lines, own }: { readonly lines: readonly SysusersLine[]; readonly own: () => AccountTexts },
): AccountPlan {
  const there = readThere(machine.root);
  const isEmpty = there.texts.passwd === undefined && there.texts.group === undefined;
  const before = isEmpty ? own() : there.texts;
  const accounts = parseAccounts(before);
  const contradictions = findContradictions(lines, accounts);
  const isMet = firstUnmet(lines, accounts) === undefined;
  if (contradictions.length > 0 || (isMet && !isEmpty)) {
    const names = fixedNames(lines, accounts);
    return { changes: [], conflicts: contradictions.map(conflictOf), unread: [], names };
  }
  const after = compileAccounts(lines, {
    texts: before,
    owners: ownersOf(machine.root, lines),
    nowSeconds: isEmpty ? FIXED_SECONDS : Math.max(FIXED_SECONDS, Math.floor(context.now() / 1000)),
  });
  const names = parseAccounts(after);
  const changes = accountNames.flatMap((name) => changeOf(there, name, after[name], names));
  return { changes, conflicts: obstacles(machine.root, there, changes), unread: there.unread, names };
}

interface There {
  readonly texts: AccountTexts;
  readonly statuses: ReadonlyMap<AccountName, Status>;
  /** Files that this user may not read: what would be added to them is not known. */
  readonly unread: readonly Unread[];
}

function readThere(root: Root): There {
  const texts: Partial<Record<AccountName, string>> = {};
  const statuses = new Map<AccountName, Status>();
  const unread: Unread[] = [];
  for (const name of accountNames) {
    const path = accountPath(name);
    const status = readStatus(root, path);
    if (status === undefined) continue;
    statuses.set(name, status);
    if (status.kind !== 'file') throw irregular(path, status.kind);
    const bytes = unlessForbidden(() => readFile(root, path));
    if (bytes === undefined) unread.push({ path, why: 'no permission to read it' });
    else texts[name] = decodeName(bytes);
  }
  return { texts, statuses, unread };
}

/** What an overlay has as its own; `hostPath` is where that can be read while it is not in its place. */
export function readOverlayAccounts(
  { root }: Machine,
  overlay: TargetPath,
  hostPath: string | undefined,
): AccountTexts {
  if (hostPath === undefined) return readOwnAccounts(root, overlay);
  const tree = openRoot(hostPath);
  try {
    return readOwnAccounts(tree, '');
  } finally {
    closeRoot(tree);
  }
}

/** What a closure has as its own, as far as this user may read it. */
export function readOwnAccounts(root: Root, prefix: string): AccountTexts {
  const texts: Partial<Record<AccountName, string>> = {};
  for (const name of accountNames) {
    const path = resolveInRoot(root, prefix + accountPath(name));
    if (path === undefined || readStatus(root, path)?.kind !== 'file') continue;
    const bytes = unlessForbidden(() => readFile(root, path));
    if (bytes !== undefined) texts[name] = decodeName(bytes);
  }
  return texts;
}

function unlessForbidden<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return undefined;
    throw error;
  }
}

function irregular(path: TargetPath, kind: string): ActivateError {
  return new ActivateError('REFUSED', `users and groups can only be added to regular files, and this is a ${kind}`, {
    path,
    hint: 'Put the file itself there.',
  });
}

function ownersOf(root: Root, lines: readonly SysusersLine[]): Map<string, { uid: number; gid: number }> {
  const owners = new Map<string, { uid: number; gid: number }>();
  for (const line of lines) {
    const named = 'id' in line && line.id.kind === 'path' ? parseTargetPath(line.id.path) : undefined;
    const path = named === undefined ? undefined : resolveInRoot(root, named);
    const status = path === undefined ? undefined : readStatus(root, path);
    if (named !== undefined && status !== undefined) owners.set(named, { uid: status.uid, gid: status.gid });
  }
  return owners;
}

function changeOf(
  { texts, statuses }: There,
  name: AccountName,
  text: string | undefined,
  names: Accounts,
): AccountPlan['changes'] {
  const status = statuses.get(name);
  const isUnread = status !== undefined && texts[name] === undefined;
  if (text === undefined || isUnread || text === texts[name]) return [];
  const bytes = encodeName(text);
  const { mode, uid, gid } = status ?? newOwnership(name, names);
  const made = { mode, uid, gid, sizeBytes: bytes.length, digest: digestBytes(bytes) };
  const path = accountPath(name);
  if (status === undefined) return [{ path, made, bytes }];
  const digest = digestBytes(encodeName(texts[name] ?? ''));
  const found = { kind: 'file', mode, uid, gid, sizeBytes: status.sizeBytes, digest } as const;
  return [{ path, found, mtimeNs: status.mtimeNs.toString(), made, bytes }];
}

/** Passwords are for root alone, and for the programs of the group that is there for them. */
export function newOwnership(name: AccountName, { groups }: Pick<Accounts, 'groups'>): Ownership {
  if (name === 'passwd' || name === 'group') return { mode: 0o644, uid: 0, gid: 0 };
  const gid = groups.get('shadow');
  return gid === undefined ? { mode: 0o400, uid: 0, gid: 0 } : { mode: 0o640, uid: 0, gid };
}

function obstacles(root: Root, { statuses }: There, changes: readonly AccountChange[]): Conflict[] {
  return changes.flatMap(({ path }): Conflict[] => {
    const parent = parentOf(path);
    const above = readStatus(root, parent);
    const status = accountNames.filter((name) => accountPath(name) === path).map((name) => statuses.get(name))[0];
    const fixed = [above, status].find((each) => each?.immutable === true || each?.appendOnly === true);
    if (fixed !== undefined)
      return [{ path, reason: 'blocked', obstacle: fixed.immutable ? 'immutable' : 'append-only' }];
    if (status?.mountRoot === true) return [{ path, reason: 'blocked', obstacle: 'a mount point' }];
    const isReadOnly = above?.kind === 'directory' && canWriteDirectory(root, parent) === 'read-only';
    return isReadOnly ? [{ path, reason: 'blocked', obstacle: 'a read-only filesystem' }] : [];
  });
}
