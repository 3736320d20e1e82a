import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { makeTemporaryDirectory, removeTree } from '../sandbox';
import type { MachineFiles } from './image';
import { insist, takeTurns } from './running';

/** A disk that a machine boots from. */
export interface Disk {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
}

export interface BootOptions {
  /** `keep` leaves on the disk what the machine wrote; without it that goes away. */
  readonly writes?: 'keep';
  /** Concatenated, in this order; none without it. */
  readonly initrds?: readonly string[];
  /** More of the kernel's command line; a later word wins, such as `ro`. */
  readonly append?: string;
  /** More disks, kept: `/dev/nvme0n4` and so on. */
  readonly disks?: readonly Disk[];
  /** A shell script that runs when the machine is up; its exit status ends in `status`, what it leaves in `$RESULTS` in `results`. */
  readonly run?: string;
  /** The same for a machine that ends in emergency mode. */
  readonly emergency?: string;
  /** Directories and files that lie beside the script. */
  readonly payload?: Readonly<Record<string, string>>;
  /** What is typed on the console, each once it shows a text. */
  readonly answers?: readonly Answer[];
  /** Ends the boot once the console shows this: for a machine that waits for somebody. */
  readonly until?: RegExp;
  /** Cuts the power so long after the console shows this: what the machine has not told its disk to keep is lost. */
  readonly cut?: Cut;
  readonly limitMs?: number;
}

export interface Cut {
  readonly after: RegExp;
  readonly ms: number;
}

export interface Answer {
  readonly after: RegExp;
  readonly type: string;
}

/** How a boot went. */
export interface Booted {
  /**
   * `run`: the script ran; `cut`: the power was cut; `emergency`: emergency mode, where its own script ran, if any; `until`: the console showed what was
   * waited for; `nothing`: the machine went off by itself without a word; `late`: it was switched off in the end.
   */
  readonly ended: 'run' | 'cut' | 'emergency' | 'until' | 'nothing' | 'late';
  readonly status: number;
  /** What was left in `$RESULTS`, by path, with `stdout` and `stderr` of the script. */
  readonly results: Readonly<Record<string, string>>;
  readonly console: string;
  readonly seconds: number;
}

const PROCESSORS = 2;
const MEMORY_MIB = 640;
/** More of them slow each other down by more than they gain. */
const MACHINES = Math.max(1, Math.floor(availableParallelism() / PROCESSORS));
const atATime = takeTurns(Number(process.env['MACHINES'] ?? MACHINES));

// On a busy machine the frequency of the TSC is measured so wrongly that time runs many times too fast.
const commandLine = [
  'console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rootwait rw',
  'panic=-1 mitigations=off no_timer_check tsc=unstable clocksource=hpet random.trust_cpu=on',
  'quiet systemd.show_status=no',
].join(' ');

/** For the kernel's command line, where it is not the services that matter: without those that take longest to start. */
export const FEW_SERVICES = ['redis-server', 'cron', 'systemd-logind', 'e2scrub_reap', 'dbus', 'systemd-user-sessions']
  .map((name) => `systemd.mask=${name}.service`)
  .join(' ');

/** Makes a disk that begins as another, which must not change from now on. */
export async function forkDisk(from: Disk, directory: string): Promise<Disk> {
  const file = join(directory, `${crypto.randomUUID()}.qcow2`);
  await insist(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', from.file, '-F', from.format, file]);
  return { file, format: 'qcow2' };
}

/**
 * Boots a machine, and waits until it is off. As many are on at a time as this machine has processors for.
 *
 * Once in a hundred times the emulator loses the timer of a processor, and the kernel says that nothing goes on: that boot
 * says nothing of what is tested, and another one begins with the disks as they were.
 */
export async function boot(machine: MachineFiles, disk: Disk, options: BootOptions = {}): Promise<Booted> {
  return atATime(async () => {
    for (let tries = 1; ; tries += 1) {
      const directory = makeTemporaryDirectory();
      try {
        const giveBack = await saveDisks(
          [...(options.writes === 'keep' ? [disk] : []), ...(options.disks ?? [])],
          directory,
        );
        const { booted, isStalled } = await bootIn(directory, machine, disk, options);
        if (!isStalled || tries === MOST_TRIES) return booted;
        console.log(`the emulated processors stood still after ${booted.seconds.toFixed(0)} s: it is booted again`);
        await giveBack();
      } finally {
        removeTree(directory);
      }
    }
  });
}

const MOST_TRIES = 3;
const STALL =
  /rcu: INFO: \w+ (?:self-)?detected stall|watchdog: BUG: soft lockup|INFO: task \S+ blocked for more than/gu;
/** A processor that goes on after a while does not say so that often. */
const MOST_STALLS = 3;

/** Copies what is on disks; what is returned puts it back. */
async function saveDisks(disks: readonly Disk[], directory: string): Promise<() => Promise<void>> {
  const copies = disks.map(({ file }, index) => ({ file, copy: join(directory, `saved-${index}`) }));
  for (const each of copies) await copy(each.file, each.copy);
  return async () => {
    for (const each of copies) await copy(each.copy, each.file);
  };
}

async function copy(from: string, to: string): Promise<void> {
  await insist(['cp', '--sparse=always', '--', from, to]);
}

interface Ended {
  readonly booted: Booted;
  readonly isStalled: boolean;
}

async function bootIn(directory: string, machine: MachineFiles, disk: Disk, options: BootOptions): Promise<Ended> {
  await packPayload(directory, options);
  writeFileSync(join(directory, 'results.raw'), '');
  truncateSync(join(directory, 'results.raw'), 64 << 20);
  const started = performance.now();
  const qemu = Bun.spawn(commandOf(directory, machine, disk, options), {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const complaint = new Response(qemu.stderr).text();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    qemu.kill('SIGKILL');
  }, options.limitMs ?? 600_000);
  const { text, found, isStalled } = await follow(qemu, options);
  await qemu.exited;
  clearTimeout(timer);
  const seconds = (performance.now() - started) / 1000;
  const results = await unpackResults(directory);
  const [, how, status] = /^(run|emergency) (\d+)/u.exec(results['ended'] ?? '') ?? [];
  const otherwise = found ? (options.cut === undefined ? 'until' : 'cut') : late ? 'late' : 'nothing';
  if (how === undefined && !found && !late && text === '') throw new Error(`qemu: ${await complaint}`);
  const ended: Booted['ended'] = (how as 'run' | 'emergency' | undefined) ?? otherwise;
  const booted: Booted = { ended, status: Number(status ?? -1), results, console: text, seconds };
  keepForPeople(booted, { ...options, cpuSeconds: Number(qemu.resourceUsage()?.cpuTime.total ?? 0) / 1e6 });
  return { booted, isStalled };
}

/** `KEEP_BOOTS=DIRECTORY` leaves what each boot said there, for whoever wants to know why a test fails. */
function keepForPeople(booted: Booted, how: BootOptions & { readonly cpuSeconds: number }): void {
  const top = process.env['KEEP_BOOTS'];
  if (top === undefined) return;
  const directory = join(top, new Date().toISOString());
  const files = {
    ...booted.results,
    console: booted.console,
    'options.json': JSON.stringify({ ...how, ...booted, console: '', results: '' }, undefined, 1),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

interface Process {
  readonly stdin: Bun.FileSink;
  readonly stdout: ReadableStream<Uint8Array>;
  kill(signal: NodeJS.Signals): void;
}

/** Reads the console to its end, and types what is to be typed. */
async function follow(
  qemu: Process,
  { answers = [], until, cut }: BootOptions,
): Promise<{ readonly text: string; readonly found: boolean; readonly isStalled: boolean }> {
  const decoder = new TextDecoder();
  const open = [...answers];
  let text = '';
  let answered = 0;
  let found = false;
  let isStalled = false;
  for await (const chunk of qemu.stdout) {
    text += decoder.decode(chunk, { stream: true });
    const next = open[0];
    if (next?.after.test(text.slice(answered)) === true) {
      open.shift();
      answered = text.length;
      void qemu.stdin.write(next.type);
      await qemu.stdin.flush();
    }
    if (!isStalled && (text.match(STALL)?.length ?? 0) >= MOST_STALLS) {
      isStalled = true;
      qemu.kill('SIGKILL');
    }
    if (!found && (until ?? cut?.after)?.test(text) === true) {
      found = true;
      setTimeout(() => qemu.kill('SIGKILL'), cut?.ms ?? 0);
    }
  }
  return { text: text.replaceAll('\r', ''), found, isStalled };
}

/** Payload and results travel as bare tar archives on disks of their own: no network, and nothing to mount. */
async function packPayload(directory: string, { run, emergency, payload = {} }: BootOptions): Promise<void> {
  const content = join(directory, 'payload');
  mkdirSync(content);
  for (const [name, from] of Object.entries(payload)) await insist(['cp', '-a', '--', from, join(content, name)]);
  if (run !== undefined) writeFileSync(join(content, 'run'), run);
  if (emergency !== undefined) writeFileSync(join(content, 'emergency'), emergency);
  const archive = join(directory, 'payload.raw');
  await insist(['tar', '--create', `--file=${archive}`, '--blocking-factor=2048', `--directory=${content}`, '.']);
}

async function unpackResults(directory: string): Promise<Readonly<Record<string, string>>> {
  const results = join(directory, 'results');
  mkdirSync(results);
  const first = Buffer.alloc(1);
  const archive = join(directory, 'results.raw');
  first.set(new Uint8Array(await Bun.file(archive).slice(0, 1).arrayBuffer()));
  if (first[0] === 0) return {};
  await insist(['tar', '--extract', `--file=${archive}`, `--directory=${results}`]);
  const paths = readdirSync(results, { recursive: true, encoding: 'utf8' });
  const files = paths.filter((path) => existsSync(join(results, path)) && statSync(join(results, path)).isFile());
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(results, path), 'utf8')]));
}

function commandOf(directory: string, machine: MachineFiles, disk: Disk, options: BootOptions): string[] {
  const { writes, initrds = [], append = '', disks = [], cut } = options;
  const drives = [
    // What the process keeps in memory of a qcow2 goes with it, until the machine flushes.
    driveOf(1, disk, writes ?? 'discard', cut === undefined ? 'unsafe' : 'writeback'),
    driveOf(2, { file: join(directory, 'payload.raw'), format: 'raw' }, 'discard'),
    driveOf(3, { file: join(directory, 'results.raw'), format: 'raw' }, 'keep'),
    ...disks.map((each, index) => driveOf(4 + index, each, 'keep')),
  ];
  return [
    // It ends with the tests, however they end.
    ...'setpriv --pdeathsig KILL -- qemu-system-x86_64'.split(' '),
    ...`-accel tcg,thread=multi -cpu max -smp ${PROCESSORS} -m ${MEMORY_MIB} -M q35,usb=off,smbus=off`.split(' '),
    ...'-nodefaults -no-user-config -display none -monitor none -no-reboot'.split(' '),
    ...'-chardev stdio,id=console,signal=off -serial chardev:console'.split(' '),
    // One controller with several namespaces: the names nvme0n1, nvme0n2, … cannot race.
    ...'-device nvme,id=nvme,serial=vm-test'.split(' '),
    ...drives.flat(),
    '-kernel',
    machine.kernel,
    '-append',
    `${commandLine} ${append}`,
    ...(initrds.length > 0 ? ['-initrd', concatenate(initrds, join(directory, 'initrd'))] : []),
  ];
}

function driveOf(
  number: number,
  { file, format }: Disk,
  writes: 'keep' | 'discard',
  cache: 'unsafe' | 'writeback' = 'unsafe',
): string[] {
  const snapshot = writes === 'keep' ? 'off' : 'on';
  const drive = `file=${file},format=${format},if=none,id=disk${number},cache=${cache},snapshot=${snapshot}`;
  return ['-drive', drive, '-device', `nvme-ns,drive=disk${number},bus=nvme,nsid=${number}`];
}

/** Archives for the kernel, each at a multiple of four bytes. */
function concatenate(initrds: readonly string[], to: string): string {
  const parts = initrds.flatMap((initrd) => {
    const content = readFileSync(initrd);
    return [content, Buffer.alloc((4 - (content.length % 4)) % 4)];
  });
  writeFileSync(to, Buffer.concat(parts));
  return to;
}
