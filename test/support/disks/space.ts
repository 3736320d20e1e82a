import { statfsSync } from 'node:fs';
import { OF_TESTS } from './look';
import type { DiskMachine, Layout } from './disks';

/** What runs out, and on which image. */
export interface Shortage {
  readonly layout: Layout;
  /** The directory of the root whose filesystem is filled. */
  readonly on: '/' | '/etc' | '/var';
  readonly of: 'blocks' | 'inodes';
}

/** Takes all that is free but an amount; what takes it is a directory that nobody else knows. */
export async function fill(machine: DiskMachine, root: string, { on, of }: Shortage, left: number): Promise<void> {
  // The filesystem keeps a block or two for itself, so what is free cannot always be had.
  const script =
    of === 'blocks'
      ? `blocks=$(($(stat -f -c %a .) - ${left}))
         while [ $blocks -gt 0 ] && ! fallocate -l $((blocks * 1024)) file 2>/dev/null; do blocks=$((blocks - 1)); done`
      : `files=$(($(stat -f -c %d .) - ${left})); if [ $files -gt 0 ]; then seq $files | xargs touch; fi`;
  await machine.shell(`mkdir ${root}${on}/${OF_TESTS}filler; cd ${root}${on}/${OF_TESTS}filler; ${script}`);
}

export async function giveSpaceBack(machine: DiskMachine, root: string, { on }: Shortage): Promise<void> {
  await machine.shell(`rm -r ${root}${on}/${OF_TESTS}filler`);
}

function freeOf(machine: DiskMachine, root: string, { on, of }: Shortage): number {
  const { bavail, ffree } = statfsSync(machine.through(root + on));
  return of === 'blocks' ? bavail : ffree;
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
  const watch = setInterval(() => (least = Math.min(least, freeOf(machine, root, shortage))), 1);
  await machine.insistAt(root, ...args).finally(() => clearInterval(watch));
  return free - least;
}
