import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { bootWith, bootWithout, type Hook, installOf } from '../support/vm/hooks';
import { type MachineFiles, machineFiles } from '../support/vm/image';
import { boot, type BootOptions, type Disk, forkDisk } from '../support/vm/qemu';

// Run as `npm run bench:boot`, on a machine that does nothing else: seconds of the guest's own clock under emulation, medians of
// interleaved boots. A hook that is in the initrd counts there; the init wrapper runs before systemd, so it counts as the kernel's.

const RUNS = Number(process.env['RUNS'] ?? 5);
const stamps = ['UserspaceTimestampMonotonic', 'FinishTimestampMonotonic'] as const;

interface Times {
  /** Until systemd of the root filesystem starts. */
  readonly start: number;
  /** Until everything is up. */
  readonly finish: number;
}

interface Row {
  readonly what: string;
  readonly disk: Disk;
  readonly how: BootOptions;
  readonly times: Times[];
}

const scratch = makeTemporaryDirectory();
try {
  await benchmark();
} finally {
  removeTree(scratch);
}

async function benchmark(): Promise<void> {
  const machine = await machineFiles('bookworm');
  // Both disks are of the same kind, and were written to once: the kernel takes longer to mount such a one.
  const prepare = 'set -e; mkdir -p /var/closure; cp -a /etc /var/closure/etc';
  const real = await preparedDisk(machine, prepare);
  const managed = await preparedDisk(machine, `${prepare}; ${installOf.init}; activate switch /var/closure`);
  const rowsOf = async (hook: Hook, what: string): Promise<Row[]> => [
    { what, disk: managed, how: await bootWith(machine, hook), times: [] },
    { what: 'without, a real /etc', disk: real, how: await bootWithout(machine, hook), times: [] },
  ];
  const groups = [await rowsOf('addon', 'the add-on'), await rowsOf('init', 'the init wrapper')];
  // The first of each is not counted.
  for (let run = 0; run <= RUNS; run += 1) {
    for (const each of groups.flat()) {
      const show = `systemctl show ${stamps.map((name) => `--property=${name}`).join(' ')}`;
      const booted = await boot(machine, each.disk, { ...each.how, run: show });
      each.times.push(timesOf(booted.results['stdout'] ?? ''));
    }
  }
  for (const group of groups) print(group);
}

async function preparedDisk(machine: MachineFiles, run: string): Promise<Disk> {
  const disk = await forkDisk({ file: machine.disk, format: 'raw' }, scratch);
  const { status, results } = await boot(machine, disk, { writes: 'keep', run });
  if (status !== 0) throw new Error(results['stderr'] ?? 'the machine did not boot');
  return disk;
}

function timesOf(text: string): Times {
  const at = (name: (typeof stamps)[number]): number =>
    Number(new RegExp(`^${name}=(\\d+)$`, 'mu').exec(text)?.[1] ?? Number.NaN) / 1e6;
  return { start: at('UserspaceTimestampMonotonic'), finish: at('FinishTimestampMonotonic') };
}

function print(group: readonly Row[]): void {
  const counted = group.map(({ times }) => times.slice(1));
  for (const [index, { what }] of group.entries()) {
    const [start, finish] = (['start', 'finish'] as const).map((stamp) =>
      median((counted[index] ?? []).map((each) => each[stamp])).toFixed(2),
    );
    console.log(`  ${what.padEnd(24)} systemd starts at ${start} s, all is up at ${finish} s`);
  }
  const [first = [], second = []] = counted;
  const added = (stamp: keyof Times): string => {
    const differences = first.map((each, run) => each[stamp] - (second[run]?.[stamp] ?? Number.NaN));
    const [low = 0, middle = 0, high = 0] = [0.25, 0.5, 0.75].map((part) => quantile(differences, part));
    return `${middle.toFixed(2)} s (${low.toFixed(2)} to ${high.toFixed(2)})`;
  };
  console.log(
    `  adds ${added('start')} before systemd starts, ${added('finish')} in all: run by run, with quartiles\n`,
  );
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
