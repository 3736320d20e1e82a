import { constants } from 'node:os';
import { ActivateError } from '../../core/errors';
import type { ImageKind } from '../../core/records/overlay';
import { attempt } from '../failure';
import { runProgram } from '../programs';
import { must } from '../syscalls/errno';
import { detachMount, mountFlags, mountFilesystem } from '../syscalls/mounts';

/** An image, and the directory that is to show it; both as this process sees them. */
export interface ImageMount {
  readonly kind: ImageKind;
  readonly file: string;
  readonly at: string;
}

/** The runtime has no name for it: a block device is required. */
const ENOTBLK = 15;

const { readOnly, noSetuid, noDevices } = mountFlags;

/**
 * Mounts an image read-only, without setuid programs and devices: straight from the file where the kernel can (erofs, Linux
 * 6.12), else through a loop device that goes when the mount goes.
 *
 * @param held descriptors that mount(8) keeps open to its end, such as that of a lock
 * @throws {ActivateError} `REFUSED` where this machine cannot mount such an image, `IO` where the image is damaged
 */
export async function mountImage({ kind, file, at }: ImageMount, held: readonly number[]): Promise<void> {
  if (kind === 'erofs' && mountStraight(file, at)) return;
  const args = ['-t', kind, '-o', 'ro,nosuid,nodev,loop', '--', file, at];
  const { status, stderr } = await runProgram('mount', args, { inherit: held });
  if (status !== 0) throw explainMount(file, kind, stderr);
}

/** Whether the kernel can; older ones want a block device. @see mount(2) */
function mountStraight(file: string, at: string): boolean {
  return attempt('mount the image', file, () => {
    const outcome = mountFilesystem(file, at, 'erofs', readOnly | noSetuid | noDevices);
    const { ENODEV, EINVAL } = constants.errno;
    // What it cannot mount, and what is damaged, the other way says in words.
    if ([-ENOTBLK, -ENODEV, -EINVAL].includes(outcome)) return false;
    must(outcome, 'mount', file);
    return true;
  });
}

/** What mount(8) said, as an error: either the machine cannot, or the image is not what it seems to be. */
export function explainMount(file: string, kind: ImageKind, stderr: string): ActivateError {
  const said =
    stderr
      .trim()
      .split('\n')
      .find((line) => line.includes('mount')) ?? stderr.trim();
  if (/unknown filesystem type|loop device|must be superuser|permission denied|Operation not permitted/u.test(stderr))
    return new ActivateError('REFUSED', `this machine cannot mount an image of ${kind}: ${said}`, {
      path: file,
      hint: `It needs loop devices and a kernel with ${kind}: \`modprobe loop ${kind}\`.`,
    });
  return new ActivateError('IO', `the image cannot be mounted: ${said}`, {
    path: file,
    hint: 'It is damaged: build it again, or copy it again.',
  });
}

/**
 * Mounts an empty filesystem in memory, for what is to stay there.
 *
 * @param sizeBytes how much may be written to it
 */
export async function mountMemory(at: string, sizeBytes: number, held: readonly number[]): Promise<void> {
  const options = `size=${sizeBytes},nr_inodes=0,mode=0755,nosuid,nodev`;
  const { status, stderr } = await runProgram('mount', ['-t', 'tmpfs', '-o', options, '--', 'activate', at], {
    inherit: held,
  });
  if (status !== 0) throw new ActivateError('IO', `cannot mount a tmpfs: ${stderr.trim()}`, { path: at });
}

/** Makes sure that nothing is written to a mount any more. */
export function makeReadOnly(at: string): void {
  attempt('make the mount read-only', at, () =>
    must(mountFilesystem('none', at, 'none', mountFlags.remount | readOnly | noSetuid | noDevices), 'mount', at),
  );
}

/** Takes a mount away for everybody who looks from now on; it goes when the last process lets go. @see umount2(2) */
export function unmountLazily(at: string): void {
  attempt('unmount it', at, () => must(detachMount(at), 'umount2', at));
}
