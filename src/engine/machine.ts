import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { closeRoot, openRoot, type Root } from '../system/rooted';

/** The tree that is being worked on. */
export interface Machine {
  readonly root: Root;
}

/** Opens the root directory for the length of a task. */
export async function withMachine<Result>(context: Context, task: (machine: Machine) => Result | Promise<Result>): Promise<Result> {
  const root = openTheRoot(context);
  try {
    return await task({ root });
  } finally {
    closeRoot(root);
  }
}

function openTheRoot(context: Context): Root {
  try {
    return openRoot(context.root);
  } catch (error) {
    throw new ActivateError('USAGE', 'this is not a directory that can be opened', {
      path: context.root,
      hint: 'Name an existing directory with --root.',
      cause: error,
    });
  }
}
