import type { Outcome } from './errno';
import { architecture, decodeRange, libc } from './libc';
import { type Kind, kindOfType } from './status';

export interface DirectoryItem {
  readonly name: string;
  /** `unknown` where the filesystem does not keep kinds beside names. */
  readonly kind: Kind | 'unknown';
}

/** Everything in the directory that `descriptor` is open for reading on, in the filesystem's order. @see getdents64(2) */
export function readDirectory(descriptor: number): readonly DirectoryItem[] | Outcome {
  const { getdents64, outcome } = libc();
  const items: DirectoryItem[] = [];
  for (;;) {
    const length = outcome(getdents64(architecture.getdents64, descriptor, buffer, buffer.length));
    if (length < 0) return length;
    if (length === 0) return items;
    takeItems(items, length);
  }
}

/** Room for about a thousand records, used within one call only. */
const buffer = Buffer.alloc(64 * 1024);
const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);

/** Each `struct linux_dirent64` has its length at 16, its type at 18 and a NUL-terminated name from 19 on. */
function takeItems(items: DirectoryItem[], length: number): void {
  for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
    const name = decodeRange(buffer, at + 19, buffer.indexOf(0, at + 19));
    if (name !== '.' && name !== '..') items.push({ name, kind: kindOfType(view.getUint8(at + 18)) ?? 'unknown' });
  }
}
