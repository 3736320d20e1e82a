import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTemporaryDirectory } from '../sandbox';
import { runInTree } from './chroot';
import type { MachineFiles } from './image';
import { buildInitrd, type InitrdMaker, plainInitrd } from './initrds';
import type { BootOptions } from './qemu';

/** How a machine shows its generation when it boots; as `hook` in boot.json and `activate status` has them. */
export type Hook = 'oneshot' | 'init' | 'addon' | 'dracut' | 'initramfs-tools';

export const hooks: readonly Hook[] = ['oneshot', 'addon', 'dracut', 'initramfs-tools', 'init'];

/** The command that puts a hook on a machine. */
export const installOf: Readonly<Record<Hook, string>> = {
  oneshot: 'activate install --oneshot',
  init: 'activate install --init-wrapper',
  addon: 'activate install --initrd addon',
  dracut: 'activate install --initrd dracut',
  'initramfs-tools': 'activate install --initrd initramfs-tools',
};

/** How a machine boots with a hook that is installed. */
export async function bootWith(machine: MachineFiles, hook: Hook): Promise<Pick<BootOptions, 'initrds' | 'append'>> {
  switch (hook) {
    case 'oneshot':
      return {};
    case 'init':
      return { append: 'init=/usr/lib/activate/init' };
    case 'addon':
      return { initrds: [await plainInitrd(machine), await installedAddOn(machine)] };
    case 'dracut':
    case 'initramfs-tools':
      return { initrds: [await hookedInitrd(machine, hook)] };
  }
}

/** How the same machine boots without a hook. */
export async function bootWithout(machine: MachineFiles, hook: Hook): Promise<Pick<BootOptions, 'initrds'>> {
  switch (hook) {
    case 'oneshot':
    case 'init':
      return {};
    case 'addon':
      return { initrds: [await plainInitrd(machine)] };
    case 'dracut':
    case 'initramfs-tools':
      return { initrds: [await buildInitrd(machine, hook)] };
  }
}

/** The add-on that `activate install` leaves on a machine, for whoever appends it to an initrd. */
async function installedAddOn(machine: MachineFiles): Promise<string> {
  const directory = makeTemporaryDirectory();
  const addOn = join(directory, 'addon.cpio');
  await runInTree(machine.root, installOf.addon, async (written) =>
    copyFileSync(join(written, 'usr/lib/activate/addon.cpio'), addOn),
  );
  return addOn;
}

/** The initrd is made anew only when what the hook puts into it has changed. */
async function hookedInitrd(machine: MachineFiles, hook: InitrdMaker): Promise<string> {
  let record = '';
  await runInTree(machine.root, installOf[hook], async (written) => {
    record = readFileSync(join(written, 'var/lib/activate/hooks.json'), 'utf8');
  });
  return buildInitrd(machine, hook, { before: installOf[hook], inputs: [record] });
}
