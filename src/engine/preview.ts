import type { Context } from '../context';
import type { Preview } from '../core/report/preview';
import { withMachine } from './machine';
import { type Attitudes, prepareTransition, type Target } from './prepare';
import { mentionTransition } from './transition/journal';
import { isVisible } from './transition/transition';
import { viewChanges, type ViewOptions } from './views';

/** The plan that a switch would carry out, as people see it. Writes nothing, takes no lock, needs no root. */
export function previewTransition(
  context: Context,
  target: Target,
  attitudes: Attitudes,
  options: ViewOptions,
): Promise<Preview> {
  return withMachine(context, (machine) => {
    mentionTransition(context, machine);
    const prepared = prepareTransition(context, machine, target, attitudes);
    const { conflicts, unread, decisions, from, to } = prepared;
    const kept = decisions.flatMap(({ path, action }) => (action === 'keep' ? [path] : []));
    const changes = [...viewChanges(machine, prepared, options)];
    return {
      from: from.number,
      to: to.number,
      changes,
      conflicts,
      unread,
      kept,
      touched: decisions.filter(isVisible).length,
    };
  });
}
