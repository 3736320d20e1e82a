import type { ImageKind } from './records/overlay';
import type { TargetPath } from './path';

/** Where a machine without `activate` mounts the image of a bundle. */
export const IMAGE_MOUNT = '/run/activate/image' as TargetPath;

/** The name that systemd insists on for a unit that mounts something at {@link IMAGE_MOUNT}. */
export const IMAGE_UNIT = 'run-activate-image.mount';

/**
 * The unit that mounts the image of a bundle before systemd-tmpfiles carries out the full snippet.
 *
 * @param image where the image is on the machine that shows it
 * @see systemd.mount(5)
 */
export function renderMountUnit(image: string, kind: ImageKind): string {
  return `# Made by activate: shows the image of a bundle.
[Unit]
Description=The image that /etc is shown from
DefaultDependencies=no
Conflicts=umount.target
Before=local-fs.target umount.target systemd-tmpfiles-setup.service

[Mount]
What=${image.replaceAll('%', '%%')}
Where=${IMAGE_MOUNT}
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
