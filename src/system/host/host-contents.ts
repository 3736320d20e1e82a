import { readSync } from 'node:fs';
import type { Attribute } from '../../core/image/attributes';
import { attempt } from '../failure';
import { forReading } from '../tree/rooted';
import { type DirectoryItem, readDirectory } from '../syscalls/directories';
import { must } from '../syscalls/errno';
import { close, openAt } from '../syscalls/files';
import { workingDirectory } from '../syscalls/libc';
import { type Status, statusAt, statusOf } from '../syscalls/status';
import { listAttributes, readAttribute } from '../syscalls/xattrs';

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

/** The extended attributes whose names `isWanted` takes, sorted by name, and whether there are others. */
export function readHostAttributes(
  { path, descriptor }: Opened,
  isWanted: (name: string) => boolean,
): { readonly wanted: readonly Attribute[]; readonly others: 'some' | 'none' } {
  return attempt('read the attributes', path, () => {
    const names = must<readonly string[]>(listAttributes(descriptor), 'flistxattr', path);
    if (names.length === 0) return none;
    const wanted = names
      .filter(isWanted)
      .toSorted()
      .map((name) => ({ name, value: must<Uint8Array>(readAttribute(descriptor, name), 'fgetxattr', path) }));
    return { wanted, others: wanted.length === names.length ? 'none' : 'some' };
  });
}

const none = { wanted: [], others: 'none' } as const;

/** The status of what is outside the root, of a symlink itself. */
export function readHostStatus(path: string): Status {
  return attempt('look at this', path, () => must(statusAt(workingDirectory, path), 'statx', path));
}

/** Reads on, into `room`; how many bytes there were. Fewer than there is room for are the last ones. */
export function readHostInto({ path, descriptor }: Opened, room: Uint8Array): number {
  return attempt('read the file', path, () => readSync(descriptor, room, 0, room.length, null));
}

/** The names in a directory outside the root, in no order. */
export function listHostNames(path: string): readonly string[] {
  const opened = openHost(path);
  try {
    return attempt('list the directory', path, () =>
      must<readonly DirectoryItem[]>(readDirectory(opened.descriptor), 'getdents64', path).map(({ name }) => name),
    );
  } finally {
    closeHost(opened);
  }
}
