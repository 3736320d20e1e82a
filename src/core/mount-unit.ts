import type { ImageKind } from './records/overlay';
import type { TargetPath } from './path';
import type { Unit } from './snippet/unit';

/** Where a machine without `activate` mounts the image of a bundle. */
export const IMAGE_MOUNT = '/run/activate/image' as TargetPath;

/** An image, on the machine that shows it, and where that is to be. */
export interface MountedImage {
  readonly image: string;
  readonly kind: ImageKind;
  readonly at: TargetPath;
}

/**
 * The unit that mounts an image before systemd-tmpfiles carries out the full snippet; systemd insists on its name.
 *
 * @see systemd.mount(5)
 */
export function mountUnit({ image, kind, at }: MountedImage): Unit {
  return { name: `${at.slice(1).replaceAll('/', '-')}.mount`, text: renderMountUnit({ image, kind, at }) };
}

function renderMountUnit({ image, kind, at }: MountedImage): string {
  return `# Made by activate: shows an image.
[Unit]
Description=The image that /etc is shown from
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target systemd-tmpfiles-setup.service

[Mount]
What=${image.replaceAll('%', '%%')}
Where=${at}
Type=${kind}
Options=loop,ro,nosuid,nodev

[Install]
WantedBy=local-fs.target
`;
}

/** Why no unit can name a path; `undefined` where one can. */
export function whyNotInUnit(path: string): string | undefined {
  if (!path.isWellFormed()) return 'a unit cannot name a path that is not UTF-8';
  return /\p{Cc}/u.test(path) ? 'a unit cannot name a path with control characters' : undefined;
}
