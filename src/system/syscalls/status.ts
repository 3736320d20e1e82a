import type { Outcome } from './errno';
import { architecture, libc, terminated } from './libc';

/** What is at a path, as the kernel tells it. */
export interface Status {
  readonly kind: Kind;
  /** The twelve permission bits, e.g. `0o4755`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** How many names it has. */
  readonly links: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  /**
   * Tells one object from another on one filesystem, after a reboot too: when it was made, where the filesystem knows that.
   * Inode numbers do not outlive a mount everywhere (overlayfs over several filesystems).
   */
  readonly identity: string;
  /** The filesystem, as `major:minor`. */
  readonly device: string;
  /** Whether another filesystem or a bind mount begins here; `false` where the kernel cannot tell (before 5.8). */
  readonly mountRoot: boolean;
  readonly immutable: boolean;
  readonly appendOnly: boolean;
}

export type Kind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'block device' | 'character device';

/** The kind for a file type, the upper four bits of a mode: the same numbers as `d_type` of a directory's record. */
export function kindOfType(type: number): Kind | undefined {
  return kinds.get(type);
}

const kinds = new Map<number, Kind>([
  [1, 'fifo'],
  [2, 'character device'],
  [4, 'directory'],
  [6, 'block device'],
  [8, 'file'],
  [10, 'symlink'],
  [12, 'socket'],
]);

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const attributes = { immutable: 0x10, appendOnly: 0x20, mountRoot: 0x2000 } as const;

/** Does not follow a symlink, nor start an automount. @see statx(2) */
export function statusAt(directory: number, name: string): Status | Outcome {
  return statx(directory, name, AT_SYMLINK_NOFOLLOW);
}

/** The status of what a descriptor is open on. */
export function statusOf(descriptor: number): Status | Outcome {
  return statx(descriptor, '', AT_EMPTY_PATH);
}

function statx(directory: number, name: string, flags: number): Status | Outcome {
  const { statx, outcome } = libc();
  const bytes = terminated(name);
  const returned = outcome(
    statx(architecture.statx, directory, bytes, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, buffer),
  );
  return returned < 0 ? returned : parseStatus();
}

const AT_NO_AUTOMOUNT = 0x800;

/** One `struct statx`, used within one call only. */
const buffer = new Uint8Array(256);
const view = new DataView(buffer.buffer);

function parseStatus(): Status {
  const attribute = view.getUint32(8, true);
  const mode = view.getUint16(28, true);
  const hasBirth = (view.getUint32(0, true) & STATX_BTIME) !== 0;
  const kind = kindOfType(mode >> 12);
  if (kind === undefined)
    throw new Error(`the kernel knows a file type that is not known here: mode ${mode.toString(8)}`);
  return {
    kind,
    mode: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    links: view.getUint32(16, true),
    sizeBytes: Number(view.getBigUint64(40, true)),
    mtimeNs: timeAt(112),
    ctimeNs: timeAt(96),
    inode: view.getBigUint64(32, true),
    identity: hasBirth ? `born ${timeAt(80)}` : `inode ${view.getBigUint64(32, true)}`,
    device: `${view.getUint32(136, true)}:${view.getUint32(140, true)}`,
    mountRoot: (attribute & attributes.mountRoot) !== 0,
    immutable: (attribute & attributes.immutable) !== 0,
    appendOnly: (attribute & attributes.appendOnly) !== 0,
  };
}

function timeAt(offset: number): bigint {
  return view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true));
}
