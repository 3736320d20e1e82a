import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Sandbox } from './sandbox';

const script = resolve(import.meta.dir, '../../src/hooks/boot.sh');

/** What runs the script: the shells of Debian's initrds, with all tools of this machine, or with the few that any initrd has. */
export const shells = ['dash', 'dash with few tools', 'busybox'] as const;
export type Shell = (typeof shells)[number];

export interface BootOptions {
  readonly shell?: Shell;
  /** The kernel command line. */
  readonly cmdline?: string;
  /** The power goes after so many programs that change something were run. */
  readonly cutAfter?: number;
}

/** How a boot went, as far as /etc is concerned. */
export interface Boot {
  readonly status: number;
  readonly stderr: string;
  /** `/run/activate/boot.json`; `undefined` where none was written. */
  readonly record: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Boots a sandbox as an initrd does: /run is empty, and the machine is mounted below another directory.
 *
 * It happens in a mount namespace of its own; what would be in /run afterwards is in the sandbox's.
 */
export function bootSandbox(sandbox: Sandbox, { shell = 'dash', cmdline = '', cutAfter }: BootOptions = {}): Boot {
  const tools = toolsOf(shell);
  const cut = cutAfter === undefined ? '' : cuttingTools(tools, cutAfter);
  const inside = `
    mount --bind /dev/null /dev/kmsg && mount -t tmpfs run /run && mount -t tmpfs lib /var/lib || exit 99
    printf '%s\\n' "$CMDLINE" >/run/cmdline && mount --bind /run/cmdline /proc/cmdline || exit 99
    SYSROOT=$ROOT HOOK=initrd PATH=$TOOLS $SHELL_COMMAND ${script}
    status=$?
    find "$ROOT/run" -mindepth 1 -delete
    mkdir -p "$ROOT/run/activate"
    if [ -L /run/filesystem-overlay ]; then cp -P /run/filesystem-overlay "$ROOT/run/"; fi
    if [ -e /run/activate/boot.json ]; then cp /run/activate/boot.json "$ROOT/run/activate/"; fi
    exit $status`;
  const { status, stderr } = spawnSync('unshare', ['--mount', '--propagation', 'private', 'bash', '-c', inside], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      ROOT: sandbox.root,
      CMDLINE: cmdline,
      TOOLS: cut === '' ? tools : `${cut}:${tools}`,
      SHELL_COMMAND: shell === 'busybox' ? '/usr/bin/busybox sh' : '/usr/bin/dash',
    },
  });
  const record = sandbox.on('/run/activate/boot.json');
  return {
    status: status ?? -1,
    stderr,
    record: existsSync(record) ? (JSON.parse(readFileSync(record, 'utf8')) as Record<string, unknown>) : undefined,
  };
}

const few = ['sh', 'mount', 'umount', 'modprobe', 'ln', 'mkdir', 'cat', 'mv', 'readlink', 'systemd-tmpfiles'];
const applets = ['ln', 'mkdir', 'cat', 'mv', 'readlink', 'rm', 'cp', 'sync', 'sha256sum', 'sleep', 'chmod', 'chown'];
const made = new Map<Shell, string>();

/** The PATH that a shell has. */
function toolsOf(shell: Shell): string {
  if (shell === 'dash') return '/usr/sbin:/usr/bin:/sbin:/bin';
  const known = made.get(shell);
  if (known !== undefined) return known;
  const directory = mkdtempSync(join(tmpdir(), 'activate-tools-'));
  const names = shell === 'busybox' ? ['mount', 'umount', 'modprobe', 'systemd-tmpfiles'] : few;
  for (const name of names) symlinkSync(Bun.which(name) ?? name, join(directory, name));
  if (shell === 'busybox') for (const name of applets) symlinkSync('/usr/bin/busybox', join(directory, name));
  made.set(shell, directory);
  return directory;
}

/** The programs that change something, each of which ends everything when its turn comes: before it did anything. */
function cuttingTools(tools: string, after: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'activate-cut-'));
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'count'), `${after}\n`);
  for (const name of ['ln', 'mv', 'rm', 'cp', 'systemd-tmpfiles']) {
    const file = join(directory, 'bin', name);
    const real = tools
      .split(':')
      .map((each) => join(each, name))
      .find(existsSync);
    if (real === undefined) continue;
    writeFileSync(
      file,
      `#!/bin/sh\nread -r left <${directory}/count\nif [ "$left" = 0 ]; then kill -9 "$PPID"; exit 1; fi\necho $((left - 1)) >${directory}/count\nexec ${real} "$@"\n`,
    );
    chmodSync(file, 0o755);
  }
  return join(directory, 'bin');
}
