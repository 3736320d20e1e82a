import { encodeName } from '../../src/core/bytes';
import type { PathChange, View } from '../../src/core/report/change/change';
import type { TargetPath } from '../../src/core/path';

export const absent: View = { kind: 'absent' };

/** A file; the text may have bytes that are not UTF-8, as names do. */
export function file(text: string, mode = 0o644, owner: readonly [number, number] = [0, 0]): View {
  return { kind: 'file', mode, uid: owner[0], gid: owner[1], content: { state: 'read', bytes: encodeName(text) } };
}

/** A file of root's, mode 0600, whose content is not known. */
export function hidden(state: 'withheld' | 'unreadable', sizeBytes: number, digest?: string): View {
  const content = { state, sizeBytes, ...(digest === undefined ? {} : { digest }) };
  return { kind: 'file', mode: 0o600, uid: 0, gid: 0, content };
}

export function link(linkText: string): View {
  return { kind: 'symlink', linkText };
}

export function directory(mode: number, uid = 0, gid = 0): View {
  return { kind: 'directory', mode, uid, gid };
}

export function change(path: string, before: View, after: View, notes: readonly string[] = []): PathChange {
  return { path: path as TargetPath, before, after, notes };
}

/** What a table of changes has on one side, by path without the slash it begins with. */
export function side(which: 'before' | 'after', changes: readonly PathChange[]): Readonly<Record<string, View>> {
  const views = changes.map((each) => [each.path.slice(1), each[which]] as const);
  return Object.fromEntries(views.filter(([, view]) => view.kind !== 'absent'));
}
