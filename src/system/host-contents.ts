import { readSync } from 'node:fs';
import type { Attribute } from '../core/image/attributes';
import { attempt } from './failure';
import { forReading } from './rooted';
import { must } from './syscalls/errno';
import { close, openAt } from './syscalls/files';
import { workingDirectory } from './syscalls/libc';
import { type Status, statusOf } from './syscalls/status';
import { listAttributes, readAttribute } from './syscalls/xattrs';

/** A file or directory outside the root, open for reading. */
export interface Opened {
  readonly path: string;
  readonly descriptor: number;
  readonly status: Status;
}

/** Opens a file or directory outside the root; {@link closeHost} gives it back. Symlinks are followed. */
export function openHost(path: string): Opened {
  return attempt('read this', path, () => {
    const descriptor = must(openAt(workingDirectory, path, forReading), 'openat', path);
    try {
      return { path, descriptor, status: must(statusOf(descriptor), 'statx', path) };
    } catch (error) {
      close(descriptor);
      throw error;
    }
  });
}

export function closeHost({ descriptor }: Opened): void {
  close(descriptor);
}

/** The extended attributes whose names `isWanted` takes, sorted by name. */
export function readHostAttributes({ path, descriptor }: Opened, isWanted: (name: string) => boolean): Attribute[] {
  return attempt('read the attributes', path, () =>
    must<readonly string[]>(listAttributes(descriptor), 'flistxattr', path)
      .filter(isWanted)
      .toSorted()
      .map((name) => ({ name, value: must<Uint8Array>(readAttribute(descriptor, name), 'fgetxattr', path) })),
  );
}

/** Reads on, into all of `room` where there is that much; how many bytes there were. */
export function readHostInto({ path, descriptor }: Opened, room: Uint8Array): number {
  return attempt('read the file', path, () => {
    let filled = 0;
    while (filled < room.length) {
      const length = readSync(descriptor, room, filled, room.length - filled, null);
      if (length === 0) break;
      filled += length;
    }
    return filled;
  });
}
