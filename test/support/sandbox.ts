import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A root directory that belongs to one test. */
export interface Sandbox {
  /** The directory itself; what `--root` is given. It holds `etc`, `run` and `var/lib`. */
  readonly root: string;
  /** Where a path of the root is on the machine: `/etc/hosts` becomes `…/etc/hosts`. */
  readonly on: (path: string) => string;
  readonly remove: () => void;
}

/** Makes a root directory with an empty `etc`, `run` and `var/lib`; the caller removes it. */
export function makeSandbox(): Sandbox {
  const root = makeTemporaryDirectory();
  for (const directory of ['etc', 'run', 'var/lib']) mkdirSync(join(root, directory), { recursive: true });
  return { root, on: (path) => join(root, path), remove: () => removeTree(root) };
}

/** Gives a task a root directory, and removes that afterwards, however the task ends. */
export async function withSandbox<Result>(task: (sandbox: Sandbox) => Result | Promise<Result>): Promise<Result> {
  const sandbox = makeSandbox();
  try {
    return await task(sandbox);
  } finally {
    sandbox.remove();
  }
}

/** An empty directory of mode 0755 on a real filesystem: /tmp is a tmpfs on many machines, and shows other errors. */
export function makeTemporaryDirectory(): string {
  const directory = mkdtempSync(join(process.env['TMPDIR'] ?? '/var/tmp', 'activate-test-'));
  spawnSync('chmod', ['0755', directory]);
  return directory;
}

/** Removes a tree, with what is mounted in it, immutable files included. */
export function removeTree(path: string): void {
  for (const mount of mountsIn(path)) spawnSync('umount', ['--lazy', '--', mount]);
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    // What a generation keeps is immutable, and names that are not UTF-8 are more than some runtimes remove.
    spawnSync('chattr', ['-R', '-f', '-i', '-a', '--', path]);
    const { status, stderr } = spawnSync('rm', ['-rf', '--', path], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr, { cause: error });
  }
}

/** The mount points in a tree, the last mounted first. */
function mountsIn(path: string): string[] {
  const places = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return places.filter((place) => place.startsWith(`${path}/`)).toReversed();
}
