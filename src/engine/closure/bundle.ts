import { posix } from 'node:path';
import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { joinTarget, type TargetPath } from '../../core/path';
import { storePathOf } from '../../core/records/generation';
import { makeSymlink } from '../../system/changing';
import { closeRoot, openRoot, type Root } from '../../system/rooted';
import { listDirectory, readStatus } from '../../system/reading';
import { makeHostDirectory } from '../../system/host-files';
import { removeTree } from '../../system/removing';
import { type Closure, type ClosureOptions, readClosure } from './closure';
import { type Machine, withMachine } from '../machine';
import { copyOverlay } from '../transition/overlay';
import { writeBundle } from '../transition/stage';

export interface BundleOptions extends ClosureOptions {
  /** The directory to make. */
  readonly output: string;
  /** Where the bundle will lie on the machine that shows it. */
  readonly location: string | undefined;
}

/** A bundle that was written. */
export interface Bundle {
  readonly output: string;
  readonly paths: number;
  /** The text of the pointer in the full snippet. */
  readonly overlay: string;
}

/**
 * Writes what a closure needs to be shown without `activate`: manifest, full snippet, overlay. Needs no root.
 *
 * @throws {ActivateError} `USAGE` where the output directory holds something already
 */
export function generate(context: Context, argument: string, options: BundleOptions): Promise<Bundle> {
  return withMachine(context, async (machine) => {
    const closure = readClosure(context, machine, argument, { ...options, names: 'closure alone' });
    const unread = closure.unread[0];
    if (unread !== undefined)
      throw new ActivateError('PERMISSION', unread.why, {
        path: unread.path,
        hint: 'Run this as a user who may read it.',
      });
    const output = posix.resolve(context.workingDirectory, options.output);
    await makeHostDirectory(output);
    const directory = openRoot(output);
    try {
      const overlay = storePathOf(closure) ?? posix.join(options.location ?? output, 'overlay');
      refuseFilled(directory, output);
      await fill(directory, machine, closure, overlay);
      return { output, paths: closure.manifest.entries.length, overlay };
    } finally {
      closeRoot(directory);
    }
  });
}

const TOP = '/' as TargetPath;

function refuseFilled(directory: Root, output: string): void {
  if (listDirectory(directory, TOP).length === 0) return;
  throw new ActivateError('USAGE', 'there is something in the output directory already', {
    path: output,
    hint: 'Name an empty or a new directory.',
  });
}

async function fill(directory: Root, machine: Machine, closure: Closure, overlay: string): Promise<void> {
  const tree = joinTarget(TOP, 'overlay');
  try {
    writeBundle(directory, TOP, closure.manifest, overlay);
    const storePath = storePathOf(closure);
    if (storePath === undefined) await copyOverlay({ ...machine, root: directory }, closure, tree);
    else makeSymlink(directory, tree, storePath);
  } catch (error) {
    for (const { name } of listDirectory(directory, TOP))
      if (readStatus(directory, joinTarget(TOP, name)) !== undefined) removeTree(directory, joinTarget(TOP, name));
    throw error;
  }
}
