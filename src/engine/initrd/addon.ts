import type { Context } from '../../context';
import { type AddonMember, parseAddon, renderAddon } from '../../core/boot/archive';
import type { InitrdRecord } from '../../core/boot/initrd';
import { addonMembers, hookArchive } from '../../core/hooks/files';
import { joinTarget, parentOf, type TargetPath } from '../../core/path';
import { makeDirectories } from '../../system/tree/changing';
import { createFile } from '../../system/tree/copying';
import { digestBytes } from '../../system/host/host-files';
import { readFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import type { Initrd } from './initrd';

/** Where a generation and a bundle have the add-on that an initrd needs to show them. */
export const ADDON = 'boot/addon.cpio';

/** What the record of a generation or bundle says of its add-on. */
interface AddonRecord {
  readonly initrd?: InitrdRecord;
  readonly addon: string;
}

/** Writes the add-on, and the hooks for machines that have no initrd, into the directory of a generation or bundle. */
export function writeAddon(root: Root, directory: TargetPath, { record, members }: Initrd): AddonRecord {
  const file = joinTarget(directory, ADDON);
  const bytes = renderAddon([...addonMembers(), ...members]);
  makeDirectories(root, parentOf(file), 0o755);
  createFile(root, file, { mode: 0o644 }, bytes);
  for (const hook of ['init', 'oneshot'] as const)
    createFile(root, joinTarget(directory, `boot/${hook}.cpio`), { mode: 0o644 }, hookArchive(hook));
  return { ...(record === undefined ? {} : { initrd: record }), addon: digestBytes(bytes) };
}

/** What the add-on of a generation or bundle has; `undefined` where it is not what was recorded. */
export function readAddon(root: Root, directory: TargetPath, digest: string): AddonMember[] | undefined {
  const file = joinTarget(directory, ADDON);
  const bytes = readStatus(root, file)?.kind === 'file' ? readFile(root, file) : undefined;
  return bytes === undefined || digestBytes(bytes) !== digest ? undefined : parseAddon(bytes);
}

/** A boot of a kernel that lacks a module that somebody asked for ends before anything is mounted. */
export function warnOfLacking({ log }: Context, { lacking }: Initrd): void {
  for (const { version, missing } of lacking)
    log.warn(`the kernel ${version} has no module ${missing.join(', ')}: it does not boot with this add-on`);
}
