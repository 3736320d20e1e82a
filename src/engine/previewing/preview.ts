import type { Context } from '../../context';
import type { Preview } from '../../core/report/preview';
import { withContent } from '../closure/content';
import { findGeneration } from '../state/generations';
import { type Machine, withMachine } from '../state/machine';
import { type Attitudes, type Prepared, prepareTransition, type Target } from '../deciding/prepare';
import { mentionTransition } from '../transition/journal';
import { isVisible } from '../transition/transition';
import { viewChanges, type Viewed, type ViewOptions } from './views';
import { type ViewedWrappers, viewWrappers } from '../wrappers/views';

/** The plan that a switch would carry out, as people see it. Writes nothing, takes no lock, needs no root. */
export function previewTransition(
  context: Context,
  target: Target,
  attitudes: Attitudes,
  options: ViewOptions,
): Promise<Preview> {
  return withMachine(context, (machine) => {
    mentionTransition(context, machine);
    return withContent(context, machine, target, async (content) =>
      previewOf(machine, prepareTransition(context, machine, target, { ...attitudes, content }), options),
    );
  });
}

/** A plan, and between what. */
interface Previewed extends Viewed, ViewedWrappers, Pick<Prepared, 'conflicts' | 'unread'> {
  readonly from: Viewed['from'] & { readonly number: number | string };
  readonly to: Viewed['to'] & {
    readonly number: number | string;
    readonly closure?: { readonly name: string } | undefined;
  };
}

/** A plan as people see it. */
export function previewOf(machine: Machine, plan: Previewed, options: ViewOptions): Preview {
  const { conflicts, unread, decisions, from, to } = plan;
  const kept = decisions.flatMap(({ path, action }) => (action === 'keep' ? [path] : []));
  const changes = [...viewChanges(machine, plan, options), ...viewWrappers(machine, plan, options)];
  return {
    from: from.number,
    to: to.number,
    closures: { from: closureOf(machine, from.number), to: to.closure?.name ?? closureOf(machine, to.number) },
    changes,
    conflicts,
    unread,
    kept,
    touched: decisions.filter(isVisible).length + plan.wrappers.changes.length,
  };
}

/** The closure that a generation was made from; a closure that is none stands for itself. */
function closureOf(machine: Machine, number: number | string): string | undefined {
  if (typeof number === 'string') return number;
  return number === 0 ? undefined : findGeneration(machine, number)?.closure;
}
