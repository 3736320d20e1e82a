import type { Context } from '../context';
import type { Preview } from '../core/report/preview';
import { withContent } from './closure/content';
import { type Machine, withMachine } from './machine';
import { type Attitudes, type Prepared, prepareTransition, type Target } from './prepare';
import { mentionTransition } from './transition/journal';
import { isVisible } from './transition/transition';
import { viewChanges, type ViewOptions } from './views';
import { viewWrappers } from './wrappers/views';

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
      viewPlan(machine, prepareTransition(context, machine, target, { ...attitudes, content }), options),
    );
  });
}

function viewPlan(machine: Machine, prepared: Prepared, options: ViewOptions): Preview {
  const { conflicts, unread, decisions, from, to } = prepared;
  const kept = decisions.flatMap(({ path, action }) => (action === 'keep' ? [path] : []));
  const changes = [...viewChanges(machine, prepared, options), ...viewWrappers(machine, prepared, options)];
  return {
    from: from.number,
    to: to.number,
    changes,
    conflicts,
    unread,
    kept,
    touched: decisions.filter(isVisible).length + prepared.wrappers.changes.length,
  };
}
