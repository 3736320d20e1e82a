import { cpSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { cached, digestOf } from './cache';
import { runInTree } from './chroot';
import type { MachineFiles } from './image';

/** What builds a machine's initrd. */
export type InitrdMaker = 'dracut' | 'initramfs-tools';

const make: Readonly<Record<InitrdMaker, (release: string) => string>> = {
  dracut: (release) => `dracut --quiet --force --no-hostonly --no-compress --kver ${release} /initrd`,
  'initramfs-tools': (release) => `mkinitramfs -o /initrd ${release}`,
};

/**
 * Builds an initrd of a machine with the program that its distribution has for that, run in its tree; returns the file.
 *
 * @param before a shell script that runs first, such as one that installs a hook
 * @param inputs what that script depends on
 */
export async function buildInitrd(
  machine: MachineFiles,
  maker: InitrdMaker,
  { before = '', inputs = [] }: { readonly before?: string; readonly inputs?: readonly string[] } = {},
): Promise<string> {
  const script = `${before}\n${make[maker](machine.release)}`;
  const key = [basename(dirname(machine.root)), script, ...inputs];
  const directory = await cached(`${maker}-${machine.suite}${before === '' ? '' : '-hooked'}`, key, async (into) => {
    await runInTree(machine.root, script, async (written) => cpSync(join(written, 'initrd'), join(into, 'initrd')));
  });
  return join(directory, 'initrd');
}

/** Cuts a small initrd with systemd and without `activate` out of a machine's tree, as mkosi and NixOS make them; returns the file. */
export async function plainInitrd(machine: MachineFiles): Promise<string> {
  const script = join(import.meta.dir, 'make-initrd');
  const key = [basename(dirname(machine.root)), digestOf(script)];
  const directory = await cached(`plain-${machine.suite}`, key, async (into) => {
    await runInTree(machine.root, await Bun.file(script).text(), async (written) =>
      cpSync(join(written, 'initrd'), join(into, 'initrd')),
    );
  });
  return join(directory, 'initrd');
}
