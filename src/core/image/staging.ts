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

/** The directory that has all that an image has at the same paths; `undefined` where something comes from elsewhere. */
export function directoryOf(nodes: readonly ImageNode[]): string | undefined {
  const top = nodes[0] === undefined ? undefined : hostPathOf(nodes[0])?.slice(0, -nodes[0].path.length);
  return nodes.every((node) => hostPathOf(node) === `${top}${node.path}`) ? top : undefined;
}

/** Where a node comes from on the machine that makes the image; nowhere for what an image has on its own. */
export function hostPathOf(node: ImageNode): string | undefined {
  if (node.kind !== 'file') return node.hostPath;
  return 'hostPath' in node.content ? node.content.hostPath : undefined;
}
