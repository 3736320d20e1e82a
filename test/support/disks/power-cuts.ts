import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, futimesSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { OF_TESTS } from './look';
import { type AfterStop, traceActivate } from './tracing';
import { type DiskMachine, imagesOf, type Layout, TRIAL_IMAGES } from './disks';

/** What is on the disks after a power cut. */
export interface Cut {
  /** After how many system calls, and after which. */
  readonly stop: number;
  readonly call: string;
  /** The image files, compressed. */
  readonly images: readonly Uint8Array[];
}

/** What the kernel writes back on its own before a cut: nothing, the filesystem's journal (so names without what is in files), or all. */
export type Written = 'nothing' | 'names' | 'all';

/** What was written back at a stop, for each image. */
export type Writeback = (stop: number) => readonly Written[];

/** Runs `activate` on a tree and collects what each power cut would leave behind; equal ones once. */
export async function collectCuts(
  machine: DiskMachine,
  { layout, root, args, writeback }: { layout: Layout; root: string; args: readonly string[]; writeback: Writeback },
): Promise<{ readonly cuts: readonly Cut[]; readonly stops: number }> {
  const disks = await Promise.all(imagesOf(layout).map(async (name) => openDisk(machine, name, root)));
  const known = new Set<string>();
  const cuts: Cut[] = [];
  const cut = async (stop: number, call: string): Promise<AfterStop> => {
    const written = writeback(stop);
    disks.forEach((disk, index) => writeBack(disk, written[index] ?? 'nothing'));
    const images = await copyAll(disks);
    const hash = images.map((image) => Bun.hash(image).toString(36)).join(' ');
    if (known.has(hash)) return 'go on';
    known.add(hash);
    cuts.push({ stop, call, images: images.map((image) => Bun.zstdCompressSync(image, { level: 1 })) });
    return 'go on';
  };
  const { status, stops } = await traceActivate(machine, [...args, '--root', root], cut);
  if (status !== 0) throw new Error(`${args.join(' ')}: status ${status}`);
  return { cuts, stops };
}

interface Disk {
  readonly image: string;
  /** Where the filesystem is mounted, seen from outside. */
  readonly mounted: string;
  /** A file on it that nobody else uses. */
  readonly ticker: string;
  /** In /sys, what the block device says of itself. */
  readonly device: string;
}

async function openDisk(machine: DiskMachine, name: string, root: string): Promise<Disk> {
  const image = `${TRIAL_IMAGES}/${name}`;
  const device = (await machine.shell(`losetup --noheadings --output NAME --associated ${image}`)).trim();
  const mounted = machine.through(name === 'all' ? root : `${root}/${name}`);
  const ticker = `${mounted}/${OF_TESTS}ticker`;
  writeFileSync(ticker, '');
  return { image: machine.on(image), mounted, ticker, device: `/sys/block/${device.slice('/dev/'.length)}` };
}

function writeBack({ mounted, ticker }: Disk, written: Written): void {
  if (written === 'all') {
    const { status, stderr } = spawnSync('sync', ['-f', mounted], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  } else if (written === 'names') {
    const descriptor = openSync(ticker, 'r+');
    futimesSync(descriptor, new Date(), new Date());
    fsyncSync(descriptor);
    closeSync(descriptor);
  }
}

/** Copies all images as they are in one instant: nothing may be written to any of them meanwhile. */
async function copyAll(disks: readonly Disk[]): Promise<Buffer[]> {
  const activity = (): string => disks.map(({ device }) => readFileSync(`${device}/stat`, 'utf8')).join('');
  const isBusy = (): boolean => disks.some(({ device }) => /[1-9]/u.test(readFileSync(`${device}/inflight`, 'utf8')));
  for (;;) {
    while (isBusy()) await Bun.sleep(0.2);
    const before = activity();
    const images = disks.map(({ image }) => readFileSync(image));
    if (activity() === before) return images;
  }
}

/** Puts the disks of a cut where a trial's images are. */
export function layCut(machine: DiskMachine, layout: Layout, directory: string, { images }: Cut): void {
  imagesOf(layout).forEach((name, index) => {
    writeFileSync(machine.on(`${directory}/${name}`), Bun.zstdDecompressSync(images[index] ?? new Uint8Array()));
  });
}
