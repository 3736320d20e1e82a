import type { ImageNode } from './node';

/**
 * Whether a user who is not root can make files that need nothing but `--all-root` to be those of an image: all are root's,
 * and their owner may read them.
 */
export function isUsersOwn(nodes: readonly ImageNode[]): boolean {
  return nodes.every((node) => {
    if (node.kind === 'symlink') return true;
    const needed = node.kind === 'directory' ? 0o500 : 0o400;
    return node.uid === 0 && node.gid === 0 && (node.mode & needed) === needed;
  });
}
