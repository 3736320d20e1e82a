import { openSync, readSync, statSync } from 'node:fs';
import { type ImageKind } from '../../core/records/overlay';
import { attempt } from '../failure';
import { close } from '../syscalls/files';

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
  const head = readHead(path);
  return magics.find(({ offset, bytes }) => head.subarray(offset, offset + bytes.length).equals(Buffer.from(bytes)))
    ?.kind;
}

/**
 * How many bytes an image needs, as its superblock has it: not every kernel misses those that were cut off before they are read.
 *
 * @see squashfs_fs.h, erofs_fs.h of Linux: `bytes_used`; `blkszbits`, `blocks`
 */
export function neededSize(path: string, kind: ImageKind): number {
  const head = readHead(path);
  return kind === 'squashfs'
    ? Number(head.readBigUInt64LE(40))
    : head.readUInt32LE(1024 + 36) * 2 ** head.readUInt8(1024 + 12);
}

/** As far as the longest superblock of the kinds; zeros where there is less. */
const HEAD_BYTES = 2048;

function readHead(path: string): Buffer {
  return attempt('read the file', path, () => {
    const descriptor = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      readSync(descriptor, head, 0, HEAD_BYTES, 0);
      return head;
    } finally {
      close(descriptor);
    }
  });
}
