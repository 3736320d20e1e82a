import { type Outcome } from './errno';
import { libc, terminated } from './libc';

/** Flags of mount(2). */
export const mountFlags = { readOnly: 1, noSetuid: 2, noDevices: 4, remount: 32 } as const;

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** @see mount(2) */
export function mountFilesystem(source: string, target: string, type: string, flags: number): Outcome {
  const { mount, outcome } = libc();
  const [from, at, kind] = [source, target, type].map((text) => Buffer.from(`${text}\0`)) as [Buffer, Buffer, Buffer];
  return outcome(mount(from, at, kind, flags, null));
}

/** @see umount2(2) */
export function detachMount(target: string): Outcome {
  const { umount2, outcome } = libc();
  return outcome(umount2(terminated(target), MNT_DETACH | UMOUNT_NOFOLLOW));
}
