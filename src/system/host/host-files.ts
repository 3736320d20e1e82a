import { mkdirSync, readFileSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { ActivateError } from '../../core/errors';
import { type HostPath, nameOf, parentOf, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { resolveInRoot } from '../tree/following';
import { runProgram } from '../programs';
import { digestFile, readStatus } from '../tree/reading';
import { openPath, type Root } from '../tree/rooted';
import { errnoOf, must, systemCallError } from '../syscalls/errno';
import { close, open } from '../syscalls/files';
import { effectiveUser } from '../syscalls/libc';
import { statusOf } from '../syscalls/status';

/**
 * The path with all links resolved; `undefined` where nothing is there, or a link on the way dangles. Below /proc, where no
 * text says where links lead, it is the path itself.
 */
export function resolveHostPath(path: string): string | undefined {
  return attempt('follow the path', path, () => {
    try {
      if (path.startsWith('/proc/')) return statSync(path) && path;
      return realpathSync(path);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
  });
}

/** {@link resolveHostPath} for what a closure has. Links in an image lead nowhere else: it is seen through another namespace. */
export function resolveBelow(top: Root, target: TargetPath): string | undefined {
  if (!top.path.startsWith('/proc/')) return resolveHostPath(`${top.path}${target}`);
  const found = resolveInRoot(top, target);
  return found === undefined ? undefined : `${top.path}${found}`;
}

/** The text of a file outside the root; `undefined` where there is none, or something else. */
export function readHostFile(path: string): string | undefined {
  return attempt('read the file', path, () => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
  });
}

/** The bytes of a file outside the root. */
export function readHostBytes(path: string): Uint8Array {
  return attempt('read the file', path, () => readFileSync(path));
}

/** SHA-256 in hexadecimal. */
export function digestBytes(bytes: Uint8Array): string {
  return digestPieces([bytes]);
}

/** Takes bytes as they come, and has their SHA-256 in the end. */
export function newHasher(): Bun.CryptoHasher {
  return new Bun.CryptoHasher('sha256');
}

/** {@link digestBytes} for content that comes in pieces: only one of them is in memory at a time. */
export function digestPieces(pieces: Iterable<Uint8Array>): string {
  const hasher = newHasher();
  for (const piece of pieces) hasher.update(piece);
  return hasher.digest('hex');
}

/** A regular file that a path leads to in the tree at the root: where it is, and what it holds. */
export function digestInRoot(
  root: Root,
  path: string,
): { readonly source: TargetPath; readonly sizeBytes: number; readonly digest: string } | undefined {
  const source = resolveInRoot(root, path);
  const status = source === undefined ? undefined : readStatus(root, source);
  if (source === undefined || status?.kind !== 'file') return undefined;
  return { source, sizeBytes: status.sizeBytes, digest: digestFile(root, source) };
}

/**
 * Copies a tree with owners, modes, times, links, hard links and extended attributes; content is shared where the
 * filesystem can. `to` must not exist.
 *
 * @param held descriptors that cp keeps open to its end, such as that of a lock: it may outlive whoever started it
 * @throws {ActivateError} `IO`, with what cp said
 */
export async function copyTree(from: HostPath, to: HostPath, held: readonly number[]): Promise<void> {
  const args = ['--archive', '--reflink=auto', '--no-target-directory', '--', from, to];
  const { status, stderr } = await runProgram('cp', args, { inherit: held });
  if (status === 0) return;
  throw new ActivateError('IO', `cannot copy it: ${stderr.trim().split('\n').at(-1) ?? ''}`, { path: from });
}

/**
 * {@link copyTree} within the tree at the root, as `content` in a directory that nobody else may enter.
 *
 * No link on the way is followed: cp is given descriptors of the directories.
 */
export async function copyTreeInto(
  root: Root,
  from: TargetPath,
  directory: TargetPath,
  held: readonly number[],
): Promise<void> {
  const source = attempt('open the directory', from, () =>
    must(openPath(root, parentOf(from), open.handle | open.directory), 'openat2', from),
  );
  try {
    const target = openPrivate(root, directory);
    try {
      const args = ['--archive', '--reflink=auto', '--no-target-directory', '--'];
      const paths = [`/proc/self/fd/3/${nameOf(from)}`, '/proc/self/fd/4/content'];
      const { status, stderr } = await runProgram('cp', [...args, ...paths], { inherit: [source, target, ...held] });
      if (status !== 0)
        throw new ActivateError('IO', `cannot copy it: ${stderr.trim().split('\n').at(-1) ?? ''}`, { path: from });
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}

/** A descriptor of a directory that is this user's alone. */
function openPrivate(root: Root, directory: TargetPath): number {
  return attempt('open the directory', directory, () => {
    const opened = must(openPath(root, directory, open.handle | open.directory | open.noFollow), 'openat2', directory);
    const { uid, mode } = must(statusOf(opened), 'statx', directory);
    if (uid === effectiveUser() && (mode & 0o077) === 0) return opened;
    close(opened);
    throw systemCallError('openat2', constants.errno.ESTALE, directory);
  });
}

/**
 * Makes a directory outside the root, with those above it; fine where it is there.
 *
 * @returns the topmost directory that was made; `undefined` where it was there
 */
export async function makeHostDirectory(path: string): Promise<string | undefined> {
  return attempt('make the directory', path, () => mkdirSync(path, { recursive: true }));
}

/** Removes empty directories that {@link makeHostDirectory} made: `path`, and those above it up to `top`. */
export function removeHostDirectory(path: string, top: string): void {
  attempt('remove the directory', path, () => {
    for (let at = path; at === top || at.startsWith(`${top}/`); at = parentOf(at as TargetPath)) rmdirSync(at);
  });
}

/** Whether a pattern of glob(7) is for a path, with alternatives in braces. */
export function matchesPattern(pattern: string, path: string): boolean {
  return new Bun.Glob(pattern).match(path);
}
