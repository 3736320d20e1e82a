import { readFileSync, realpathSync } from 'node:fs';
import { ActivateError } from '../core/errors';
import { type HostPath, hostPath, joinTarget, parentOf, type TargetPath } from '../core/path';
import { attempt } from './failure';
import { runProgram } from './programs';
import { digestFile, readLinkText, readStatus } from './reading';
import type { Root } from './rooted';
import { errnoOf } from './syscalls/errno';

/** The path with all links resolved; `undefined` where nothing is there, or a link on the way dangles. */
export function resolveHostPath(path: string): string | undefined {
  return attempt('follow the path', path, () => {
    try {
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
 * @throws {ActivateError} `IO`, with what cp said
 */
export async function copyTree(from: HostPath, to: HostPath): Promise<void> {
  const { status, stderr } = await runProgram('cp', [
    '--archive',
    '--reflink=auto',
    '--no-target-directory',
    '--',
    from,
    to,
  ]);
  if (status === 0) return;
  throw new ActivateError('IO', `cannot copy it: ${stderr.trim().split('\n').at(-1) ?? ''}`, { path: from });
}

/** {@link copyTree} within the tree at the root. */
export function copyTreeWithin(root: Root, from: TargetPath, to: TargetPath): Promise<void> {
  return copyTree(hostPath(root.path, from), hostPath(root.path, to));
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
