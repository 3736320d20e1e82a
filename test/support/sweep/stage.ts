import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Call, type Fault, faultOptions, readCalls, traced } from './calls';
import { writeMachine } from './closures';

/** How a run ended; a status above 128 is a signal. */
export interface Ended {
  readonly status: number;
  readonly output: string;
}

/** A machine below a directory, which can be brought back to where it was kept. */
export interface Stage {
  readonly root: string;
  /** Where strace writes what each program does. */
  readonly logs: string;
  /** Keeps the machine as it is now. */
  readonly keep: () => void;
  /** Brings back what was kept. */
  readonly reset: () => void;
  readonly activate: (args: readonly string[]) => Ended;
  /** Runs `activate` and returns the calls that change the machine. */
  readonly record: (args: readonly string[]) => { ended: Ended; calls: Call[] };
  /** Runs `activate` and lets a fault happen at a call. */
  readonly inject: (args: readonly string[], call: Call, fault: Fault, options?: readonly string[]) => Ended;
}

const binary = resolve(import.meta.dir, '../../../dist/activate');

/** A program that stands before the real one in PATH, and runs that under strace where it is asked to. */
const stand = `#!/bin/sh
name=\${0##*/}
n=1
while [ -e "$SWEEP_LOGS/$name.$n" ]; do n=$((n + 1)); done
log=$SWEEP_LOGS/$name.$n
: >"$log"
PATH=\${PATH#*:}
case $SWEEP_AT in
  all) exec strace -y -o "$log" -e "trace=$SWEEP_TRACED" "$name" "$@" ;;
  "$name.$n") ;;
  *) exec "$name" "$@" ;;
esac
[ "$SWEEP_CUT" = yes ] || exec strace -y -o "$log" -e "trace=$SWEEP_TRACED" $SWEEP_OPTIONS "$name" "$@"
strace -y -o "$log" -e "trace=$SWEEP_TRACED" $SWEEP_OPTIONS "$name" "$@"
kill -KILL $PPID
`;

/**
 * Opens a stage in `directory`, with the machine that the sweep begins with.
 *
 * Only in a mount namespace of one's own: it mounts a tmpfs for each run.
 *
 * @param mounts directories of the machine that are filesystems of their own
 */
export function openStage(directory: string, mounts: readonly string[]): Stage {
  const [root, kept, logs] = setStage(directory, mounts);
  const tracing = ['strace', '-y', '-o', join(logs, 'activate'), '-e', `trace=${traced}`];
  const run = (args: readonly string[], before: readonly string[], variables: Record<string, string> = {}): Ended => {
    for (const name of readdirSync(logs)) rmSync(join(logs, name));
    const env = { ...environmentIn(directory, 'SWEEP_AT' in variables), SWEEP_LOGS: logs, ...variables };
    return insistOnEnd([...before, binary, '--root', root, ...args], env, directory);
  };
  return {
    root,
    logs,
    keep: () => {
      for (const overlay of overlaysOf(root)) insist(['umount', '--lazy', overlay.at]);
      rmSync(kept, { recursive: true });
      insist(['cp', '-a', '--', root, kept]);
    },
    reset: () => {
      insist(['umount', '--lazy', root]);
      mountFresh(root, mounts);
      insist(['cp', '-a', '--', `${kept}/.`, root]);
      for (const overlay of overlaysOf(root)) showImage(overlay);
    },
    activate: (args) => run(args, []),
    record: (args) => ({ ended: run(args, tracing, { SWEEP_AT: 'all' }), calls: readCalls(logs, root) }),
    inject: (args, call, fault, options = []) => {
      const faulty = [...faultOptions(call, fault), ...options];
      if (call.program === 'activate') return run(args, [...tracing, ...faulty]);
      const cut = fault.kind === 'kill' ? 'yes' : 'no';
      return run(args, [], { SWEEP_AT: call.program, SWEEP_OPTIONS: faulty.join(' '), SWEEP_CUT: cut });
    },
  };
}

interface Overlay {
  readonly at: string;
  readonly kind: string;
  readonly file: string;
}

/** Where images are shown, or were when the machine was kept. */
function overlaysOf(root: string): Overlay[] {
  const shown = `${root}/run/activate/gen`;
  if (!existsSync(shown)) return [];
  return readdirSync(shown).flatMap((number) =>
    ['squashfs', 'erofs']
      .map((kind) => ({
        at: join(shown, number),
        kind,
        file: `${root}/var/lib/activate/generations/${number}/image.${kind}`,
      }))
      .filter(({ file }) => existsSync(file)),
  );
}

/** Shows an image again, where it was shown. */
function showImage({ at, kind, file }: Overlay): void {
  const loop = kind === 'squashfs' ? ',loop' : '';
  insist(['mount', '-i', '-t', kind, '-o', `ro,nosuid,nodev${loop}`, file, at]);
}

/** Puts everything into its place, and returns where the machine is, where it is kept, and where the logs are. */
function setStage(directory: string, mounts: readonly string[]): [root: string, kept: string, logs: string] {
  insist(['mount', '-t', 'tmpfs', 'tmpfs', directory]);
  const [root, kept, logs, stands] = [
    `${directory}/root`,
    `${directory}/kept`,
    `${directory}/logs`,
    standsIn(directory),
  ];
  for (const path of [root, kept, logs, stands]) mkdirSync(path);
  for (const name of ['cp', 'systemd-tmpfiles', 'setcap', 'mount']) {
    writeFileSync(join(stands, name), stand);
    chmodSync(join(stands, name), 0o755);
  }
  mountFresh(root, mounts);
  writeMachine(root, join(directory, 'closures'));
  return [root, kept, logs];
}

function standsIn(directory: string): string {
  return join(directory, 'stands');
}

function environmentIn(directory: string, hasStands: boolean): Record<string, string> {
  const stands = hasStands ? `${standsIn(directory)}:` : '';
  return {
    PATH: `${stands}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: 'C.UTF-8',
    // Nothing here runs long enough to be worth a better compiler: a fifth of the time.
    BUN_JSC_useDFGJIT: '0',
    SWEEP_TRACED: traced,
  };
}

function mountFresh(root: string, mounts: readonly string[]): void {
  for (const path of ['', ...mounts]) {
    mkdirSync(root + path, { recursive: true });
    insist(['mount', '-t', 'tmpfs', '-o', 'mode=0755', 'tmpfs', root + path]);
  }
}

/** What a shell says of a program that was killed. */
export const KILLED = 137;

const MOST_MS = 30_000;

function insistOnEnd(command: readonly string[], env: Record<string, string>, cwd: string): Ended {
  const { status, signal, error, stdout, stderr } = spawnSync(command[0] ?? '', command.slice(1), {
    encoding: 'utf8',
    env,
    cwd,
    timeout: MOST_MS,
  });
  if (error !== undefined) throw error;
  return { status: status ?? (signal === 'SIGKILL' ? KILLED : 255), output: `${stdout}${stderr}` };
}

function insist(command: readonly string[]): void {
  const { status, stderr } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
}
