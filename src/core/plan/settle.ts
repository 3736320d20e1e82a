import type { Decision } from './decision';
import type { Actual } from '../found';
import { ancestorsOf, parentOf, type TargetPath } from '../path';

/**
 * Makes decisions about single paths agree with each other: what comes back needs a directory to come back to, and a
 * directory that gets something back stays.
 *
 * @param decisions in path order
 */
export function settle(decisions: readonly Decision[], actual: Actual): readonly Decision[] {
  const placed = decisions.some(({ action }) => action === 'restore')
    ? withoutFilledDirectories(withPlaces(decisions, actual))
    : decisions;
  return placed.some(({ action }) => action === 'release') ? withoutLosses(placed) : placed;
}

/** What was left to the machine, in a directory of ours that makes room for something else, becomes a backup. */
function withoutLosses(decisions: readonly Decision[]): Decision[] {
  const leaving = new Set<TargetPath>();
  return decisions.map((decision) => {
    const { path, action } = decision;
    const gone = action === 'replace' || action === 'restore' ? decision : undefined;
    if (gone?.found?.kind === 'directory' && gone.save === undefined) leaving.add(path);
    if (action !== 'release' || decision.found === undefined) return decision;
    const isLost = ancestorsOf(path).some((ancestor) => leaving.has(ancestor));
    return isLost ? { path, action: 'evict', save: 'drifted' } : decision;
  });
}

/** What would come back into a directory that is none any more stays a backup. */
function withPlaces(decisions: readonly Decision[], { directories }: Actual): Decision[] {
  const made = new Set<TargetPath>();
  const restored = new Set<TargetPath>();
  return decisions.map((decision) => {
    const { path, action, next } = decision;
    if (action === 'reopen' || (next?.place === 'directory' && (action === 'create' || action === 'replace')))
      made.add(path);
    if (action !== 'restore') return decision;
    const parent = parentOf(path);
    const isCovered = restored.size > 0 && ancestorsOf(path).some((ancestor) => restored.has(ancestor));
    if (isCovered) return withoutOriginal(decision);
    if (!directories.has(parent) && !made.has(parent)) return { path, action: 'release' };
    restored.add(path);
    return decision;
  });
}

/** A path in a directory of ours that makes room for an original of its own. */
function withoutOriginal({ path, previous, found, save }: Decision & { readonly action: 'restore' }): Decision {
  if (found === undefined || previous === undefined) return { path, action: 'release' };
  return { path, action: 'remove', previous, found, ...(save === undefined ? {} : { save }) };
}

function withoutFilledDirectories(decisions: readonly Decision[]): Decision[] {
  const filled = new Set<TargetPath>();
  for (const { path, action } of decisions) {
    if (action === 'restore') for (const ancestor of ancestorsOf(path)) filled.add(ancestor);
  }
  return decisions.filter(
    ({ path, action, previous }) => !(action === 'remove' && previous?.place === 'directory' && filled.has(path)),
  );
}
