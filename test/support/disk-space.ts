import { statfsSync } from 'node:fs';
import { type DiskMachine, type Layout, mountScript, unmountScript } from './disks';

/** What runs out, and on which image. */
export interface Shortage {
  readonly layout: Layout;
  /** The directory of the root whose filesystem is filled. */
  readonly on: '/' | '/etc' | '/var';
  readonly of: 'blocks' | 'inodes';
}

/** A directory with images, none of them mounted, that every trial begins with a copy of. */
export interface Stock {
  readonly images: string;
  readonly layout: Layout;
}

const ROOT = '/var/trial';
const COPIES = '/var/images/trial';

/** Gives a task a tree that is a copy of the stock, mounted, and unmounts it afterwards. */
export async function withCopy<Result>(
  machine: DiskMachine,
  { images, layout }: Stock,
  task: (root: string) => Promise<Result>,
): Promise<Result> {
  await machine.shell(`
    rm -rf ${COPIES}; cp -r --sparse=always ${images} ${COPIES}
    ${mountScript(layout, COPIES, ROOT)}
    if [ -L ${ROOT}/var/lib/activate/live ]; then
      ln -s /var/lib/activate/$(readlink ${ROOT}/var/lib/activate/live)/tree ${ROOT}/run/filesystem-overlay
    fi
  `);
  try {
    return await task(ROOT);
  } finally {
    await machine.shell(unmountScript(ROOT));
  }
}

function freeOf(machine: DiskMachine, root: string, { on, of }: Shortage): number {
  const { bavail, ffree } = statfsSync(machine.through(root + on));
  return of === 'blocks' ? bavail : ffree;
}

/** Takes all that is free but an amount; what takes it is a directory that nobody else knows. */
export async function fill(machine: DiskMachine, root: string, { on, of }: Shortage, left: number): Promise<void> {
  // The filesystem keeps a block or two for itself, so what is free cannot always be had.
  const script =
    of === 'blocks'
      ? `blocks=$(($(stat -f -c %a .) - ${left}))
         while [ $blocks -gt 0 ] && ! fallocate -l $((blocks * 1024)) file 2>/dev/null; do blocks=$((blocks - 1)); done`
      : `files=$(($(stat -f -c %d .) - ${left})); if [ $files -gt 0 ]; then seq $files | xargs touch; fi`;
  await machine.shell(`mkdir ${root}${on}/filler; cd ${root}${on}/filler; ${script}`);
}

export async function giveSpaceBack(machine: DiskMachine, root: string, { on }: Shortage): Promise<void> {
  await machine.shell(`rm -r ${root}${on}/filler`);
}

/** How much a command takes at the most while it runs, or a little less. */
export async function peakOf(
  machine: DiskMachine,
  root: string,
  shortage: Shortage,
  args: readonly string[],
): Promise<number> {
  const free = freeOf(machine, root, shortage);
  let least = free;
  let isRunning = true;
  const running = machine.insistAt(root, ...args).finally(() => (isRunning = false));
  while (isRunning) {
    least = Math.min(least, freeOf(machine, root, shortage));
    await Bun.sleep(0);
  }
  await running;
  return free - least;
}
