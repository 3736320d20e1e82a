import type { Ownership } from '../../src/core/entry';
import type { TargetPath } from '../../src/core/path';
import type { SnippetLine } from '../../src/core/snippet/snippet';

// Snippet lines, written shortly.

export function link(path: string, linkText = 't'): SnippetLine {
  return { type: 'link', path: path as TargetPath, linkText };
}

export function pointer(path: string, linkText = 't'): SnippetLine {
  return { type: 'pointer', path: path as TargetPath, linkText };
}

export function directory(path: string, ownership: Ownership = owned(0o755, 0, 0)): SnippetLine {
  return { type: 'directory', path: path as TargetPath, ...ownership };
}

export function namedDirectory(path: string, ownership: Ownership): SnippetLine {
  return { type: 'named-directory', path: path as TargetPath, ...ownership };
}

export function copy(path: string, source: string, ownership: Ownership): SnippetLine {
  return { type: 'copy', path: path as TargetPath, source, ...ownership };
}

export function copyTree(path: string, source: string): SnippetLine {
  return { type: 'copy-tree', path: path as TargetPath, source };
}

export function remove(path: string): SnippetLine {
  return { type: 'remove', path: path as TargetPath };
}

export function owned(mode: number, uid: number, gid: number): Ownership {
  return { mode, uid, gid };
}
