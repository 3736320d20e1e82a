import { test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeImage } from './images';
import { makeTemporaryDirectory } from './sandbox';
import { takeSnapshot } from './snapshot';

const kinds = ['tree', 'store', 'squashfs', 'erofs'] as const;

/**
 * What carries the closures that tests write: `OVERLAY=tree|store|squashfs|erofs`, `tree` without it.
 *
 * A test writes a directory, and `activate` is given what this makes of it: the same tests hold for all four.
 */
export const overlay = kinds.find((kind) => kind === (process.env['OVERLAY'] ?? 'tree')) ?? unknownOverlay();

function unknownOverlay(): never {
  throw new Error(`OVERLAY is one of ${kinds.join(', ')}`);
}

/** Version 1.5 of mkfs.erofs fails with a longer one. */
export const LONGEST_NAME = 'x'.repeat(overlay === 'erofs' ? 254 : 255);

/** Where a root is, as these tests see it and as the one who runs `activate` does. */
export interface Rooted {
  /** Where a path that `activate` is told is for these tests. */
  readonly seen: (path: string) => string;
  /** The root for these tests. */
  readonly root: string;
  /** What `activate` has to put before a path of the root. */
  readonly prefix: string;
}

const VERBS = new Set(['switch', 'test', 'boot', 'diff']);

/** A command line that names the same closure, carried by what the tests are run for. */
export function carriedArgs(args: readonly string[], rooted: Rooted): readonly string[] {
  if (overlay === 'tree' || args.includes('--format')) return args;
  const verb = args.findIndex((argument) => VERBS.has(argument));
  if (verb < 0) return args;
  return args.flatMap((argument, index) => {
    const isValue = /^--(?:policy|on-conflict|on-drift|wait|root|log-level)$/u.test(args[index - 1] ?? '');
    if (index <= verb || isValue || argument.startsWith('-') || /^\d+$/u.test(argument)) return [argument];
    const carried = carry(argument, rooted);
    return carried === argument || overlay !== 'store' ? [carried] : [carried, '--format', 'tree'];
  });
}

/** {@link carriedArgs} for a closure alone; in a store it is a tree all the same. */
export function carry(closure: string, { seen, root, prefix }: Rooted): string {
  const directory = seen(closure);
  if (overlay === 'tree' || !isTree(directory)) return closure;
  if (overlay === 'store') return prefix + copyToStore(directory, root);
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  const image = join(images(), `${name}.${overlay}`);
  writeImage(overlay, directory, image);
  return image;
}

/** A directory with an etc of its own; neither a bundle nor anything that was in a store. */
function isTree(directory: string): boolean {
  if (directory.includes('/nix/store/') || existsSync(join(directory, 'bundle.json'))) return false;
  return lstatSync(join(directory, 'etc'), { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What is the same is at the same place, and what is in a store never changes. */
function copyToStore(directory: string, root: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(takeSnapshot(directory)))
    .digest('hex');
  const path = `/nix/store/${digest.slice(0, 32)}-closure`;
  if (existsSync(root + path)) return path;
  mkdirSync(`${root}/nix/store`, { recursive: true });
  const { status, stderr } = spawnSync('cp', ['-a', '--', directory, root + path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return path;
}

let directory: string | undefined;

/** Where images are made: outside of what tests look at. */
function images(): string {
  if (directory !== undefined) return directory;
  const made = makeTemporaryDirectory();
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return (directory = made);
}

/** A root directory that `activate` is told with `--root`. */
export function rootedAt(root: string, workingDirectory: string): Rooted {
  return { root, prefix: root === '/' ? '' : root, seen: (path) => resolve(workingDirectory, path) };
}

/** Declares a test of what is so for some overlays alone; for the others it says why it is not run. */
export function testFor(
  which: readonly (typeof kinds)[number][],
  why: string,
  ...declaration: Parameters<typeof test>
): void {
  if (which.includes(overlay)) test(...declaration);
  else console.log(`not for ${overlay}: ${declaration[0]} (${why})`);
}
