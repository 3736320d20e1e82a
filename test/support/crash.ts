import type { Step } from '../../src/core/plan/step';
import { withMachine } from '../../src/engine/state/machine';
import { carryOut, type Scope } from '../../src/engine/transition/transition';
import { closureAt, contextOn, withPrepared } from './engine';
import { backup } from './laws';
import type { Sandbox } from './sandbox';

/** Before which step a crash comes, and which step fails before that; steps that undo others are counted on. */
interface Moment {
  readonly at: number;
  readonly fail?: number;
  readonly scope?: Scope;
}

/** Leaves the machine as it is before one of the steps, as a power cut between two system calls would. */
export async function crashAt(
  sandbox: Sandbox,
  closure: string,
  { at, fail, scope = 'live and default' }: Moment,
): Promise<'crashed' | 'done'> {
  const context = contextOn(sandbox.root);
  let count = 0;
  return withMachine(context, (machine) =>
    withPrepared({ context, machine, attitudes: backup }, closureAt(closure), async (prepared) => {
      const { promise: dead, resolve: die } = Promise.withResolvers<'crashed'>();
      const transition = carryOut(context, machine, prepared, scope, (perform) => async (step: Step) => {
        count += 1;
        if (count - 1 === fail) throw new Error('the disk is on fire');
        if (count < at + 1) return perform(step);
        die('crashed');
        // Nothing ever happens again in this transition.
        return new Promise<void>(() => undefined);
      });
      return Promise.race([
        dead,
        transition.then(
          () => 'done' as const,
          () => 'done' as const,
        ),
      ]);
    }),
  );
}
