import { encodeName } from '../../bytes';
import type { PathChange, View } from './change';
import { compareLines, type Edit, type Lines, splitLines } from './hunks';

/** What can be said of the content on the two sides of a change. */
export type Comparison =
  /** Equal, or no content on either side. */
  | { readonly state: 'same' }
  | { readonly state: 'text'; readonly before: Lines; readonly after: Lines; readonly edits: readonly Edit[] }
  | { readonly state: 'binary' | 'withheld' | 'unreadable' };

/** A change where a path is of one kind, or absent on one side. */
export type Half = Omit<PathChange, 'notes'>;

/** Beyond this, a text is not compared by lines, just as git does not beyond `core.bigFileThreshold`. */
const MOST_BYTES = 16 * 1024 * 1024;
/** How far git looks for a NUL. @see buffer_is_binary in git's xdiff-interface.c */
const BINARY_BYTES = 8000;

/** A path that changes its kind is first deleted, then created, as in git; any other change is one half alone. */
export function halvesOf({ path, before, after }: PathChange): Half[] {
  if (!isOtherKind(before, after)) return [{ path, before, after }];
  const absent = { kind: 'absent' } as const;
  return [
    { path, before, after: absent },
    { path, before: absent, after },
  ];
}

/** Whether something takes the place of something else, not just of another version of itself. */
export function isOtherKind(before: View, after: View): boolean {
  if (before.kind === 'absent' || after.kind === 'absent') return false;
  if (before.kind === 'special' && after.kind === 'special') return before.what !== after.what;
  return before.kind !== after.kind;
}

/** The path as output has it: a directory has a slash at the end. */
export function pathWithSlash({ path, before, after }: Half): string {
  const isDirectory = [before, after].every(({ kind }) => kind === 'directory' || kind === 'absent');
  return isDirectory && path !== '/' ? `${path}/` : path;
}

/** How many bytes of content people see at a path; the text of a link counts. */
export function sizeOf(view: View): number {
  if (view.kind === 'symlink') return encodeName(view.linkText).length;
  if (view.kind !== 'file') return 0;
  return view.content.state === 'read' ? view.content.bytes.length : view.content.sizeBytes;
}

/** Compares the content of a {@link Half}, as far as it may be seen. */
export function compareContent({ before, after }: Half): Comparison {
  const hidden = hiddenState(before, after);
  if (hidden !== undefined) return { state: isSameDigest(before, after) ? 'same' : hidden };
  const old = bytesOf(before);
  const next = bytesOf(after);
  if (isSame(old, next)) return { state: 'same' };
  if (isBinary(old) || isBinary(next)) return { state: 'binary' };
  const [left, right] = [splitLines(old), splitLines(next)];
  return { state: 'text', before: left, after: right, edits: compareLines(left, right) };
}

/** `unreadable` wins: asking for secrets does not help there. */
function hiddenState(before: View, after: View): 'withheld' | 'unreadable' | undefined {
  const states = new Set([before, after].map((view) => (view.kind === 'file' ? view.content.state : 'read')));
  return (['unreadable', 'withheld'] as const).find((state) => states.has(state));
}

function isSameDigest(before: View, after: View): boolean {
  const [a, b] = [digestOf(before), digestOf(after)];
  return a !== undefined && a === b;
}

function digestOf(view: View): string | undefined {
  return view.kind === 'file' && view.content.state !== 'read' ? view.content.digest : undefined;
}

function bytesOf(view: View): Uint8Array {
  if (view.kind === 'symlink') return encodeName(view.linkText);
  return view.kind === 'file' && view.content.state === 'read' ? view.content.bytes : new Uint8Array();
}

function isBinary(bytes: Uint8Array): boolean {
  return bytes.length > MOST_BYTES || bytes.subarray(0, BINARY_BYTES).includes(0);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
