import { readFileSync, realpathSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { ActivateError } from '../core/errors';
import { type HostPath, joinTarget, nameOf, parentOf, type TargetPath } from '../core/path';
import { attempt } from './failure';
import { runProgram } from './programs';
import { digestFile, readLinkText, readStatus } from './reading';
import { openPath, type Root } from './rooted';
import { errnoOf, must, systemCallError } from './syscalls/errno';
import { close, open } from './syscalls/files';
import { effectiveUser } from './syscalls/libc';
import { statusOf } from './syscalls/status';

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

/** {@link digestBytes} for content that comes in pieces: only one of them is in memory at a time. */
export function digestPieces(pieces: Iterable<Uint8Array>): string {
  const hasher = new Bun.CryptoHasher('sha256');
  for (const piece of pieces) hasher.update(piece);
  return hasher.digest('hex');
}

const MOST_LINKS = 40;

/**
 * Where a path leads in the tree at the root, as a process whose `/` that is would see it; `undefined` where it leads
 * nowhere. No link leads out.
 */
export function resolveInRoot(root: Root, path: string): TargetPath | undefined {
  const pending = path.split('/').toReversed();
  let at = '/' as TargetPath;
  for (let links = 0; pending.length > 0;) {
    const name = pending.pop() ?? '';
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = parentOf(at);
      continue;
    }
    const here = joinTarget(at, name);
    const text = readLinkText(root, here);
    if (text === undefined) {
      at = here;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return undefined;
    if (text.startsWith('/')) at = '/' as TargetPath;
    pending.push(...text.split('/').toReversed());
  }
  return readStatus(root, at) === undefined ? undefined : at;
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

/** Makes a directory outside the root, with those above it; fine where it is there. */
export async function makeHostDirectory(path: string): Promise<void> {
  const { ensureDir } = await import('fs-extra/esm');
  try {
    await ensureDir(path);
  } catch (error) {
    attempt('make the directory', path, () => {
      throw error;
    });
  }
}
