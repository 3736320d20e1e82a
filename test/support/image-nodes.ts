import type { ImageNode } from '../../src/core/image/node';
import type { TargetPath } from '../../src/core/path';

type NodeOf<Kind extends ImageNode['kind']> = ImageNode & { readonly kind: Kind };

/** An empty file of root's that everybody may read. */
export function file(path: string): NodeOf<'file'> {
  const content = { hostPath: `/closure${path}` };
  return { path: path as TargetPath, kind: 'file', mode: 0o644, uid: 0, gid: 0, sizeBytes: 0, content };
}

export function directory(path: string): NodeOf<'directory'> {
  return { path: path as TargetPath, kind: 'directory', mode: 0o755, uid: 0, gid: 0, hostPath: `/closure${path}` };
}

export function link(path: string, linkText: string): NodeOf<'symlink'> {
  return { path: path as TargetPath, kind: 'symlink', linkText, hostPath: `/closure${path}` };
}
