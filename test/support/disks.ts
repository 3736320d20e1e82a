import { mkdirSync } from 'node:fs';
import { openMachine, type TestMachine } from './machine';
import { type Look, lookAt } from './disk-look';
import type { Finished } from './namespace';
import { writeDiskClosures } from './disk-closures';

/** Where the filesystems of a machine are: all on one, or /etc and /var each on one of its own. */
export type Layout = 'one filesystem' | '/etc and /var apart';

/** A machine in which `--root` trees lie on filesystems in image files. */
export interface DiskMachine extends TestMachine {
  /** Runs `activate` on the tree at a path, to whatever end. */
  readonly activateAt: (root: string, ...args: readonly string[]) => Promise<Finished>;
  /** The same, insisting that it succeeds; returns what it printed. */
  readonly insistAt: (root: string, ...args: readonly string[]) => Promise<string>;
  readonly lookAt: (root: string) => Look;
  /** Where a path of the namespace is seen from outside, mounts included. */
  readonly through: (path: string) => string;
}

export const FIRST = '/var/closures/first';
export const SECOND = '/var/closures/second';
export const BACKUP = ['--on-conflict', 'backup'] as const;

/** Makes such a machine, with two closures; the caller closes it, and whatever is mounted in it is gone then. */
export async function openDiskMachine(): Promise<DiskMachine> {
  const machine = await openMachine();
  writeDiskClosures(machine.on('/var/closures'));
  mkdirSync(machine.on('/var/images'));
  // Any process of the namespace shows its mounts to whoever asks from outside.
  const { pid } = machine.start(['sleep', 'infinity']);
  const through = (path: string): string => `/proc/${pid}/root${path}`;
  const activateAt: DiskMachine['activateAt'] = (root, ...args) => machine.attempt([...args, '--root', root]);
  return {
    ...machine,
    activateAt,
    insistAt: async (root, ...args) => {
      const { status, stdout, stderr } = await activateAt(root, ...args);
      if (status !== 0) throw new Error(`${args.join(' ')}: status ${status}\n${stderr}${stdout}`);
      return stdout;
    },
    lookAt: (root) => lookAt(through(root)),
    through,
  };
}

/** The names of the image files of a layout. */
export function imagesOf(layout: Layout): readonly string[] {
  return layout === 'one filesystem' ? ['all'] : ['etc', 'var'];
}

/** Shell commands that make ext4 images below `images`. */
export function makeScript(layout: Layout, images: string, flags: string): string {
  return imagesOf(layout)
    .map(
      (name) =>
        `truncate -s 8M ${images}/${name}; mkfs.ext4 -q -b 1024 -m 0 -E lazy_itable_init=0 ${flags} ${images}/${name}`,
    )
    .join('\n');
}

/** Shell commands that mount the images below `images` at `root`, with the empty /run that a machine has after a boot. */
export function mountScript(layout: Layout, images: string, root: string): string {
  const mounts = imagesOf(layout).map((name) => {
    const place = name === 'all' ? root : `${root}/${name}`;
    return `mkdir -p ${place}; mount -t ext4 -o loop ${images}/${name} ${place}; if [ -d ${place}/lost+found ]; then rmdir ${place}/lost+found; fi`;
  });
  return [
    `mkdir -p ${root}`,
    ...mounts,
    `mkdir -p ${root}/etc ${root}/var/lib ${root}/run`,
    `mount -t tmpfs none ${root}/run`,
  ].join('\n');
}

/** Shell commands that unmount them again. */
export function unmountScript(root: string): string {
  return `umount --recursive ${root}/run ${root}/etc ${root}/var ${root} 2>/dev/null || true; ! findmnt -rno TARGET | grep -q '^${root}'`;
}
