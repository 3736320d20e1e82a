import { constants } from 'node:os';
import { decodeName } from '../../core/bytes';
import type { Outcome } from './errno';
import { libc, terminated } from './libc';

const { ENOTSUP } = constants.errno;

/** The names of the extended attributes; none where the filesystem has no such thing. @see listxattr(2) */
export function listAttributes(descriptor: number): readonly string[] | Outcome {
  const { flistxattr, outcome } = libc();
  const length = outcome(flistxattr(descriptor, room, room.length));
  if (length === 0 || length === -ENOTSUP) return [];
  return length < 0 ? length : decodeName(room.subarray(0, length)).split('\0').slice(0, -1);
}

/** @see fgetxattr(2) */
export function readAttribute(descriptor: number, name: string): Uint8Array | Outcome {
  const { fgetxattr, outcome } = libc();
  const length = outcome(fgetxattr(descriptor, terminated(name), room, room.length));
  return length < 0 ? length : room.slice(0, length);
}

/** @see fsetxattr(2) */
export function writeAttribute(descriptor: number, name: string, value: Uint8Array): Outcome {
  const { fsetxattr, outcome } = libc();
  const bytes = value.length === 0 ? new Uint8Array(1) : value;
  return outcome(fsetxattr(descriptor, terminated(name), bytes, value.length, 0));
}

/** The kernel's own limit, for one value and for the list of names. */
const LARGEST = 64 * 1024;

/** Used within one call only. */
const room = new Uint8Array(LARGEST);
