import { openSync, readSync, statSync } from 'node:fs';
import { type ImageKind } from '../core/records/overlay';
import { attempt } from './failure';
import { close } from './syscalls/files';

/** Where each filesystem says what it is: bytes at an offset of its image. */
const magics: readonly { readonly kind: ImageKind; readonly offset: number; readonly bytes: readonly number[] }[] = [
  { kind: 'squashfs', offset: 0, bytes: [0x68, 0x73, 0x71, 0x73] },
  { kind: 'erofs', offset: 1024, bytes: [0xe2, 0xe1, 0xf5, 0xe0] },
];

/** Whether a regular file is at the end of a path. */
export function isRegularFile(path: string): boolean {
  return attempt('look at this', path, () => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

/** How many bytes a file has. */
export function sizeOf(path: string): number {
  return attempt('look at this', path, () => statSync(path).size);
}

/** Which filesystem a file is an image of; `undefined` for anything else. */
export function imageKindOf(path: string): ImageKind | undefined {
  return attempt('read the file', path, () => {
    const descriptor = openSync(path, 'r');
    try {
      return magics.find(({ offset, bytes }) => {
        const found = Buffer.alloc(bytes.length);
        readSync(descriptor, found, 0, bytes.length, offset);
        return found.equals(Buffer.from(bytes));
      })?.kind;
    } finally {
      close(descriptor);
    }
  });
}
