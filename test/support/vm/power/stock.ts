import { rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeContents } from '../../closures';
import { cached, digestOf } from '../cache';
import { type MachineFiles, machineFiles } from '../image';
import { type Booted, boot, type Cut, forkDisk } from '../qemu';
import { insist } from '../running';
import { closures, own, policy } from './closures';
import { compareSight, type Look, parseLook } from './looking';

/** How a machine went off, and what it said. */
export type Powered = Pick<Booted, 'ended' | 'console' | 'seconds'>;

/** What a machine does while it is on. */
export interface Session {
  /** A shell script that runs once it is up. */
  readonly run: string;
  readonly cut: Cut | undefined;
  /** Options of its root filesystem, such as `barrier=0`. */
  readonly mounted: string | undefined;
}

/** A machine that has something of its own, a boot hook, and closures. */
export interface Stock {
  /** A raw disk that is only copied. */
  readonly disk: string;
  /** What its /etc looks like before anything is managed. */
  readonly own: Look;
  /** Where the machine has the scripts of the tests. */
  readonly work: string;
  /** Switches it on with a raw disk, which is then what is left when it is off. */
  readonly power: (disk: string, session: Session) => Promise<Powered>;
}

export const guest = join(import.meta.dir, 'guest');

/** What has no part in this, and takes most of the time of a boot; without udev nothing may wait for a device. */
const masked =
  'redis-server ssh cron site-broken networking console-setup keyboard-setup e2scrub_reap serial-getty@ttyS0 getty@tty1 dbus kmod-static-nodes ' +
  'systemd-udevd systemd-udev-trigger systemd-udev-settle systemd-modules-load systemd-sysctl systemd-random-seed systemd-logind systemd-update-utmp';
const masks = masked.split(' ').map((each) => `systemd.mask=${each}.service`);
const append = ['init=/usr/lib/activate/init', 'fstab=no', ...masks].join(' ');

/** A machine with a kernel of its own, which boots with systemd and the hook that `activate install` put there. */
export async function machineOfItsOwn(): Promise<Stock> {
  const machine = await machineFiles('bookworm');
  const inputs = [basename(dirname(machine.disk)), digestOf(guest), digestOf(join(import.meta.dir, 'closures.ts'))];
  const directory = await cached('power', inputs, async (into) => {
    const payload = join(into, 'payload');
    writeClosures(join(payload, 'closures'));
    writeContents(join(payload, 'own'), own);
    const fork = await forkDisk({ file: machine.disk, format: 'raw' }, into);
    const names = ['look', 'work', 'writer', 'prepare'].map((name) => [name, join(guest, name)] as const);
    const { ended, status, results } = await boot(machine, fork, {
      writes: 'keep',
      append: masks.join(' '),
      payload: { closures: join(payload, 'closures'), own: join(payload, 'own'), ...Object.fromEntries(names) },
      run: 'exec sh ./prepare\n',
    });
    if (ended !== 'run' || status !== 0)
      throw new Error(`${ended} ${status}: ${results['stderr']}${results['stdout']}`);
    await insist(['qemu-img', 'convert', '-q', '-O', 'raw', fork.file, join(into, 'disk')]);
    rmSync(fork.file);
    writeFileSync(join(into, 'look'), results['stdout'] ?? '');
  });
  return {
    disk: join(directory, 'disk'),
    own: ownLook(await Bun.file(join(directory, 'look')).text()),
    work: '/usr/lib/power',
    power: (disk, session) => powerOn(machine, disk, session),
  };
}

/** Boots from a fresh overlay, which has lost what was not flushed when the power goes, and then becomes part of the disk. */
async function powerOn(machine: MachineFiles, disk: string, { run, cut, mounted }: Session): Promise<Powered> {
  const overlay = await forkDisk({ file: disk, format: 'raw' }, dirname(disk));
  const booted = await boot(machine, overlay, {
    writes: 'keep',
    limitMs: 300_000,
    append: mounted === undefined ? append : `${append} rootflags=${mounted}`,
    run: `exec >/dev/console 2>&1\n${run}`,
    ...(cut === undefined ? {} : { cut }),
  });
  // What its tables say that was never flushed is gone; the space it took is not.
  const commit = 'qemu-img check -q -r all "$1" >/dev/null 2>&1; exec qemu-img commit -q "$1"';
  await insist(['sh', '-c', commit, 'sh', overlay.file]);
  rmSync(overlay.file);
  return booted;
}

/** @throws where the machine does not show what {@link own} says */
export function ownLook(console: string): Look {
  const look = parseLook(console, 'own');
  if (look === undefined) throw new Error(`the machine did not say what its own is: ${console}`);
  const differences = compareSight(look.sight, undefined);
  if (differences.length > 0) throw new Error(`the machine's own is not as planned: ${differences.join('; ')}`);
  return look;
}

export function writeClosures(directory: string): void {
  for (const [name, contents] of Object.entries(closures))
    writeContents(join(directory, name), { 'activation.toml': policy, ...contents });
}
