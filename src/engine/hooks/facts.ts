import { STATE } from '../../core/entry';
import { type MachineFacts, type OwnFilesystem, ownFilesystems, SYSTEM } from '../../core/hooks/choose';
import type { HookName } from '../../core/hooks/hook';
import { joinTarget, type TargetPath, targetPathOf } from '../../core/path';
import { carrierPath } from '../../core/records/generation';
import { resolveInRoot } from '../../system/tree/following';
import { readMounts } from '../../system/mounts/mounts';
import { listDirectory, readFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import { findGeneration, readState } from '../state/generations';
import type { Machine } from '../state/machine';
import { decode } from '../state/records';

/** What a hook is chosen by. Nothing is run: the tree may be that of another machine. */
export function readMachineFacts(machine: Machine): MachineFacts {
  const { root } = machine;
  const isThere = (path: string): boolean => resolveInRoot(root, path) !== undefined;
  return {
    makers: makers
      .filter(({ signs }) => signs.every(isThere))
      .map(({ hook, signs }) => ({ hook, seen: signs[0] }))
      .concat(loaders(root)),
    wired: wires.filter(([, path]) => isThere(path)).map(([hook]) => hook),
    ownFilesystems: readOwnFilesystems(machine),
    systemdVersion: readSystemdVersion(root),
    init: inits.find(isThere),
  };
}

const makers: readonly { readonly hook: HookName; readonly signs: readonly [TargetPath, ...TargetPath[]] }[] = [
  { hook: 'dracut', signs: ['/usr/bin/dracut' as TargetPath] },
  {
    hook: 'initramfs-tools',
    signs: ['/usr/sbin/update-initramfs', '/usr/share/initramfs-tools/hook-functions'] as [TargetPath, TargetPath],
  },
];

const wires: readonly (readonly [HookName, string])[] = [
  ['dracut', '/etc/kernel/postinst.d/dracut'],
  ['dracut', '/usr/lib/kernel/install.d/50-dracut.install'],
  ['initramfs-tools', '/etc/kernel/postinst.d/initramfs-tools'],
];

const inits = [
  '/usr/lib/systemd/systemd',
  '/lib/systemd/systemd',
  '/sbin/init',
] as readonly string[] as readonly TargetPath[];

const KERNEL_INSTALL = '/usr/bin/kernel-install';
const ENTRIES = ['/boot/loader/entries', '/efi/loader/entries', '/boot/efi/loader/entries'];

/** Entries of a boot loader that have an initrd, and kernel-install to make them. */
function loaders(root: Root): MachineFacts['makers'] {
  if (resolveInRoot(root, KERNEL_INSTALL) === undefined) return [];
  for (const path of ENTRIES) {
    const directory = resolveInRoot(root, path);
    if (directory === undefined || readStatus(root, directory)?.kind !== 'directory') continue;
    const names = listDirectory(root, directory).filter(({ name }) => name.endsWith('.conf'));
    const texts = names.map(({ name }) => textOf(root, joinTarget(directory, name)));
    if (texts.some((text) => /^initrd\s/mu.test(text))) return [{ hook: 'addon', seen: directory }];
  }
  return [];
}

/** The filesystems that the boot needs besides the root; see {@link OwnFilesystem}. */
export function readOwnFilesystems(machine: Machine): OwnFilesystem[] {
  const { root } = machine;
  const mounted = (readMounts() ?? []).flatMap(({ path }) => targetPathOf(root.path, path) ?? []);
  return ownFilesystems(textOf(root, '/etc/fstab'), mounted, neededPaths(machine));
}

function neededPaths(machine: Machine): Map<TargetPath, string> {
  const needed = new Map([
    [STATE, 'the state of activate'],
    [SYSTEM, 'the system'],
  ]);
  const { live, default: next } = readState(machine);
  for (const number of new Set([live, next])) {
    const generation = number === 0 ? undefined : findGeneration(machine, number);
    if (generation !== undefined) needed.set(carrierPath(generation), `what generation ${number} shows`);
  }
  return needed;
}

/** As the names of its libraries have it. */
function readSystemdVersion(root: Root): number | undefined {
  const top = '/usr/lib' as TargetPath;
  if (readStatus(root, top)?.kind !== 'directory') return undefined;
  const places = [top, ...listDirectory(root, top).map(({ name }) => joinTarget(top, name))];
  const versions = places.flatMap((place) => {
    const directory = joinTarget(place, 'systemd');
    if (readStatus(root, directory)?.kind !== 'directory') return [];
    return listDirectory(root, directory).flatMap(({ name }) => /^libsystemd-shared-(\d+)/u.exec(name)?.[1] ?? []);
  });
  return versions.length === 0 ? undefined : Math.max(...versions.map(Number));
}

function textOf(root: Root, path: string): string {
  const file = resolveInRoot(root, path);
  return file === undefined || readStatus(root, file)?.kind !== 'file' ? '' : decode(readFile(root, file));
}
