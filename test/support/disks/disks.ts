import { mkdirSync } from 'node:fs';
import { openMachine, type TestMachine } from '../machine';
import { type Look, lookAt } from './look';
import type { Finished } from '../namespace';
import { writeDiskClosures, writeMachineEtc } from './closures';

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
  // Any process of the namespace shows its mounts to whoever asks from outside. It ends with the tests, even where they are killed.
  const { pid } = machine.start(['setpriv', '--pdeathsig', 'KILL', 'sleep', 'infinity']);
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
function makeScript(layout: Layout, images: string, flags: string): string {
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
  return `umount --recursive ${root}/run ${root}/etc ${root}/var/lib ${root}/var ${root} 2>/dev/null || true; ! findmnt -rno TARGET | grep -q '^${root}'`;
}

/** A directory with images, none of them mounted, that every trial begins with a copy of. */
export interface Stock {
  readonly images: string;
  readonly layout: Layout;
}

/** Where the tree of a trial is mounted, and where its images are. */
const TRIAL = '/var/trial';
export const TRIAL_IMAGES = '/var/images/trial';

/** Gives a task a tree that is a copy of the stock, mounted, with the pointer that it had; unmounts it afterwards. */
export async function withCopy<Result>(
  machine: DiskMachine,
  { images, layout }: Stock,
  task: (root: string) => Promise<Result>,
): Promise<Result> {
  await machine.shell(`
    rm -rf ${TRIAL_IMAGES}; cp -r --sparse=always ${images} ${TRIAL_IMAGES}
    ${mountScript(layout, TRIAL_IMAGES, TRIAL)}
    if [ -L ${TRIAL}/var/lib/activate/live ]; then
      ln -s /var/lib/activate/$(readlink ${TRIAL}/var/lib/activate/live)/tree ${TRIAL}/run/filesystem-overlay
    fi
  `);
  try {
    return await task(TRIAL);
  } finally {
    await machine.shell(unmountScript(TRIAL));
  }
}

export const transitions = {
  'the first switch': ['switch', FIRST, ...BACKUP],
  'a switch to another closure': ['switch', SECOND, ...BACKUP],
  'a rollback to generation 0': ['rollback', '0'],
} as const;
export type Transition = keyof typeof transitions;
export const layouts: readonly Layout[] = ['one filesystem', '/etc and /var apart'];

/** Makes the images that each transition begins with. */
export async function makeStocks(machine: DiskMachine, flags: string): Promise<void> {
  for (const layout of layouts) await makeStocksOf(machine, layout, flags);
}

async function makeStocksOf(machine: DiskMachine, layout: Layout, flags: string): Promise<void> {
  const root = '/var/stock';
  const { images } = stockOf('the first switch', layout);
  await machine.shell(`mkdir -p ${images}; ${makeScript(layout, images, flags)}`);
  let [from, before] = [images, [] as readonly string[]];
  for (const transition of Object.keys(transitions) as Transition[]) {
    const to = stockOf(transition, layout).images;
    if (to !== from) await machine.shell(`cp -r --sparse=always ${from} ${to}`);
    await machine.shell(mountScript(layout, to, root));
    if (transition === 'the first switch') writeMachineEtc(machine.through(`${root}/etc`));
    else await machine.insistAt(root, ...before);
    await machine.shell(unmountScript(root));
    [from, before] = [to, transitions[transition]];
  }
}

export function stockOf(transition: Transition, layout: Layout): Stock {
  return { images: `/var/images/${`${layout} ${transition}`.replaceAll(/\W+/gu, '-')}`, layout };
}
