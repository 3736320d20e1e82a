import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { errnoOf } from '../../system/syscalls/errno';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';

/** The tree that is being worked on. */
export interface Machine {
  readonly root: Root;
  /** The descriptor of the lock, while it is held. */
  readonly lock?: number;
}

/**
 * What a program that writes has to inherit: it holds the lock as well, so that nobody else begins before it has ended, should
 * `activate` be killed.
 */
export function heldDescriptors({ lock }: Machine): readonly number[] {
  return lock === undefined ? [] : [lock];
}

/** Opens the root directory for the length of a task. */
export async function withMachine<Result>(
  context: Context,
  task: (machine: Machine) => Result | Promise<Result>,
): Promise<Result> {
  const root = openTheRoot(context);
  try {
    return await task({ root });
  } finally {
    closeRoot(root);
  }
}

/** What systemd-tmpfiles takes for a pattern, even in the value of `--root`. */
const PATTERN = /[*?[\]{}\\]/u;

function openTheRoot(context: Context): Root {
  if (PATTERN.test(context.root)) {
    throw new ActivateError('USAGE', 'systemd-tmpfiles takes this for a pattern', {
      path: context.root,
      hint: 'Rename the directory: no * ? [ ] { } or \\.',
    });
  }
  try {
    return openRoot(context.root);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) throw error;
    throw new ActivateError('USAGE', 'this is not a directory that can be opened', {
      path: context.root,
      hint: 'Name an existing directory with --root.',
      cause: error,
    });
  }
}
