import { statfsSync } from 'node:fs';
import { joinTarget, type TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { listDirectory, readStatus } from '../tree/reading';
import type { Root } from '../tree/rooted';

/** How much of a filesystem is used. @see statfs(2) */
export function usedBytes(at: string): number {
  return attempt('look at the filesystem', at, () => {
    const { blocks, bfree, bsize } = statfsSync(at);
    return (blocks - bfree) * bsize;
  });
}

const PAGE_BYTES = 4096;

/** How many bytes of memory files of these sizes take, with a page for each name. */
export function pagesOf(sizes: readonly number[]): number {
  return sizes.reduce(
    (sum, sizeBytes) => sum + PAGE_BYTES + Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES,
    PAGE_BYTES,
  );
}

/** How many bytes of memory the content of a tree takes, in whole pages, with one for each name. */
export function measureTree(root: Root, path = '/' as TargetPath): number {
  return listDirectory(root, path).reduce((sum, { name, kind }) => {
    const here = joinTarget(path, name);
    if (kind === 'directory') return sum + PAGE_BYTES + measureTree(root, here);
    const sizeBytes = readStatus(root, here)?.sizeBytes ?? 0;
    return sum + PAGE_BYTES + Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
  }, PAGE_BYTES);
}
