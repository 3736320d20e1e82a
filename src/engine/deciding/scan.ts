import type { Entry } from '../../core/entry';
import type { Side } from '../../core/plan/decision';
import { joinEntries } from '../../core/plan/decide';
import { ActivateError } from '../../core/errors';
import {
  type Actual,
  type DirectoryFacts,
  type Found,
  foundOf,
  type Obstacle,
  sameFound,
  sameOwnership,
} from '../../core/found';
import { ancestorsOf, isBelow, joinTarget, nameOf, parentOf, type TargetPath } from '../../core/path';
import { isAside } from '../../core/plan/draft';
import { readMounts } from '../../system/mounts/mounts';
import { canWriteDirectory, digestFile, listDirectory, readLinkTexts, readStatus } from '../../system/tree/reading';
import { errnoOf } from '../../system/syscalls/errno';
import type { Status } from '../../system/syscalls/status';
import type { Machine } from '../state/machine';

/** A path to look at, with what was recorded for it and what it is to become. */
interface Question {
  readonly path: TargetPath;
  readonly previous?: Entry;
  readonly next?: Entry;
}

interface Scan {
  readonly machine: Machine;
  readonly deviations: Map<TargetPath, Found | 'absent'>;
  readonly directories: Map<TargetPath, DirectoryFacts>;
  readonly obstacles: Map<TargetPath, Obstacle>;
  readonly strangers: Map<TargetPath, TargetPath[]>;
  readonly times: Map<TargetPath, string>;
  readonly unread: TargetPath[];
  readonly mounts: readonly TargetPath[];
}

/**
 * Looks at each path that one of two generations names, and writes nothing.
 *
 * Each directory is opened once, without following a link on the way; what is behind a link is absent.
 */
export function scan(machine: Machine, from: Side, to: readonly Entry[]): Actual {
  const mounts = (readMounts() ?? []).map(({ path }) => targetOf(machine, path)).filter((path) => path !== undefined);
  const job: Scan = {
    machine,
    deviations: new Map(),
    directories: new Map(),
    obstacles: new Map(),
    strangers: new Map(),
    times: new Map(),
    unread: [],
    mounts,
  };
  const groups = new Map<TargetPath, Question[]>();
  for (const question of joinEntries(from.entries, to)) {
    const parent = parentOf(question.path);
    const group = groups.get(parent);
    if (group === undefined) groups.set(parent, [question]);
    else group.push(question);
  }
  for (const [directory, questions] of groups) {
    const isRead = unlessForbidden(() => {
      for (const ancestor of [...ancestorsOf(directory), directory]) lookAtDirectory(job, ancestor);
      scanDirectory(job, directory, questions);
      return true;
    });
    if (isRead === undefined) job.unread.push(...questions.map(({ path }) => path));
  }
  const named = new Set([...from.entries, ...to].map(({ path }) => path));
  for (const path of from.ledger.displaced.keys()) {
    if (named.has(path)) continue;
    unlessForbidden(() => {
      for (const ancestor of ancestorsOf(path)) lookAtDirectory(job, ancestor);
      lookAt(job, { path });
    });
  }
  findStrangers(job, from, to);
  return job;
}

/** What `action` returns; `undefined` where this user may not do it. */
function unlessForbidden<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return undefined;
    throw error;
  }
}

/** What `action` returns; `undefined` where what it is about went away, or a link came in its way, while others were at it. */
function unlessGone<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Where a mount point is in the tree at the root; `undefined` where it is outside. */
function targetOf({ root }: Machine, path: string): TargetPath | undefined {
  if (root.path === '/') return path as TargetPath;
  return isBelow(path, root.path) ? (path.slice(root.path.length) as TargetPath) : undefined;
}

function lookAtDirectory(job: Scan, path: TargetPath): void {
  if (job.directories.has(path)) return;
  const parent = parentOf(path);
  if (path !== '/' && !job.directories.has(parent)) return;
  const status = readStatus(job.machine.root, path);
  if (status?.kind !== 'directory') return;
  const { mode, uid, gid } = status;
  const obstacle = obstacleInside(job, path, status);
  job.directories.set(path, { mode, uid, gid, ...(obstacle === undefined ? {} : { obstacle }) });
}

function obstacleInside({ machine }: Scan, path: TargetPath, status: Status): Obstacle | undefined {
  if (status.immutable) return 'immutable';
  if (status.appendOnly) return 'append-only';
  const access = unlessGone(() => canWriteDirectory(machine.root, path));
  return access === 'read-only' ? 'a read-only filesystem' : undefined;
}

function scanDirectory(job: Scan, directory: TargetPath, questions: readonly Question[]): void {
  if (!job.directories.has(directory)) {
    for (const { path, previous } of questions) if (previous !== undefined) job.deviations.set(path, 'absent');
    return;
  }
  const links: Question[] = [];
  const others: Question[] = [];
  for (const question of questions) {
    const isLink = question.previous !== undefined && foundOf(question.previous).kind === 'symlink';
    (isLink ? links : others).push(question);
  }
  scanLinks(job, directory, links);
  scanOthers(job, directory, others);
}

/** The common case, and a cheap one: a link that is as it was recorded. */
function scanLinks(job: Scan, directory: TargetPath, questions: readonly Question[]): void {
  if (questions.length === 0) return;
  const texts = readLinkTexts(
    job.machine.root,
    directory,
    questions.map(({ path }) => nameOf(path)),
  );
  questions.forEach((question, index) => {
    const linkText = texts[index];
    if (linkText === undefined) return lookAt(job, question);
    const { previous } = question;
    const expected = previous === undefined ? undefined : foundOf(previous);
    if (expected?.kind === 'symlink' && expected.linkText === linkText) return undefined;
    job.deviations.set(question.path, { kind: 'symlink', linkText });
  });
}

const LIST_FROM = 8;

/** Most paths that are new are not there, which one look at the directory tells for all of them. */
function scanOthers(job: Scan, directory: TargetPath, questions: readonly Question[]): void {
  if (questions.length === 0) return;
  const names =
    questions.length < LIST_FROM
      ? undefined
      : new Set((unlessGone(() => listDirectory(job.machine.root, directory)) ?? []).map(({ name }) => name));
  for (const question of questions) {
    if (names === undefined || names.has(nameOf(question.path))) lookAt(job, question);
    else if (question.previous !== undefined) job.deviations.set(question.path, 'absent');
  }
}

function lookAt(job: Scan, { path, previous, next }: Question): void {
  const status = readStatus(job.machine.root, path);
  if (status === undefined) {
    if (previous !== undefined) job.deviations.set(path, 'absent');
    return;
  }
  const obstacle = obstacleAt(job, path, status, next);
  if (obstacle !== undefined) job.obstacles.set(path, obstacle);
  if (status.kind === 'file') job.times.set(path, status.mtimeNs.toString());
  const found = foundFrom(job, path, status, [previous, next]);
  if (found === undefined) job.deviations.set(path, 'absent');
  else if (previous === undefined || !sameFound(found, foundOf(previous))) {
    if (previous?.kind === 'file' && isUnreadAsRecorded(found, foundOf(previous))) job.unread.push(path);
    else job.deviations.set(path, found);
  }
}

/** Where the content is out of reach, the rest speaks for it. */
function isUnreadAsRecorded(found: Found, recorded: Found): boolean {
  if (found.kind !== 'file' || recorded.kind !== 'file') return false;
  const isUnknown = recorded.digest === '' || (found.digest === undefined && found.sizeBytes === recorded.sizeBytes);
  return isUnknown && sameOwnership(found, recorded) && found.sizeBytes === recorded.sizeBytes;
}

function obstacleAt({ mounts }: Scan, path: TargetPath, status: Status, next: Entry | undefined): Obstacle | undefined {
  if (status.immutable) return 'immutable';
  if (status.appendOnly) return 'append-only';
  const stays = status.kind === 'directory' && next?.place === 'directory';
  if (stays) return undefined;
  if (status.mountRoot || mounts.includes(path)) return 'a mount point';
  return status.kind === 'directory' && mounts.some((mount) => isBelow(mount, path))
    ? 'a mount point inside'
    : undefined;
}

function foundFrom(
  job: Scan,
  path: TargetPath,
  status: Status,
  entries: readonly (Entry | undefined)[],
): Found | undefined {
  const { mode, uid, gid, sizeBytes } = status;
  switch (status.kind) {
    case 'symlink': {
      const [linkText] = readLinkTexts(job.machine.root, parentOf(path), [nameOf(path)]);
      return linkText === undefined ? undefined : { kind: 'symlink', linkText };
    }
    case 'directory':
      return { kind: 'directory', mode, uid, gid };
    case 'file': {
      const file = { kind: 'file', mode, uid, gid, sizeBytes } as const;
      // The content matters only where it could be what an entry wants.
      const matters = entries.some(
        (entry) => entry?.kind === 'file' && entry.sizeBytes === sizeBytes && entry.digest !== '',
      );
      const digest = matters ? digestOf(job, path) : undefined;
      return digest === undefined ? file : { ...file, digest };
    }
    default:
      return { kind: 'special', what: status.kind };
  }
}

function digestOf({ machine }: Scan, path: TargetPath): string | undefined {
  // What went away meanwhile is like nothing that was recorded.
  return unlessForbidden(() => unlessGone(() => digestFile(machine.root, path)) ?? 'gone');
}

/** In directories of ours that go, finds what no generation names. */
function findStrangers(job: Scan, from: Side, to: readonly Entry[]): void {
  const going = [...joinEntries(from.entries, to)].filter(({ path, previous, next }) => {
    if (previous?.place !== 'directory' || next?.place === 'directory') return false;
    unlessForbidden(() => lookAtDirectory(job, path));
    return job.directories.has(path);
  });
  if (going.length === 0) return;
  const ours = new Set<TargetPath>();
  for (const { path, place } of from.entries)
    if (place !== 'seed' && from.ledger.kept.get(path) !== 'unmanaged') ours.add(path);
  // Children first, so that a directory knows what its subdirectories hold.
  for (const { path } of going.toReversed()) job.strangers.set(path, strangersIn(job, path, ours));
}

function strangersIn(job: Scan, directory: TargetPath, ours: ReadonlySet<TargetPath>): TargetPath[] {
  const listed = unlessForbidden(() => unlessGone(() => listDirectory(job.machine.root, directory)) ?? []);
  if (listed === undefined) job.unread.push(directory);
  return (listed ?? [])
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name }) => {
      const path = joinTarget(directory, name);
      if (isAside(path)) return [];
      if (!ours.has(path)) return [path];
      return job.strangers.get(path) ?? [];
    });
}
