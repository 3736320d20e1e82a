import { type Generation, storePathOf } from '../records/generation';
import { describeTrial, type Tries } from './boot-report';
import { describeOverlay, type Shown } from './overlay-report';
import { displayName } from './text/display';
import { renderTable, shortTime } from './text/table';

/** Which generation is what; 0 where nothing is managed. */
export interface Roles {
  readonly live: number;
  readonly default: number;
  readonly booted: number | undefined;
}

/** What can be seen of generations that are shown through a mount, by number. */
export type Mounts = Readonly<Record<number, Shown>>;

/** The generations, and what can be seen of each. */
export interface Listing {
  readonly generations: readonly Generation[];
  readonly mounts: Mounts;
  readonly tries: Tries;
}

/** The generations, oldest first, a line each. */
export function renderGenerations(
  { generations, mounts, tries }: Listing,
  roles: Roles,
  form: 'text' | 'json',
): string {
  if (form === 'json') {
    const rows = generations.map((generation) => ({
      ...generation,
      ...mounts[generation.number],
      tries: tries[generation.number],
      roles: rolesOf(generation.number, roles),
    }));
    return `${JSON.stringify({ schema: 1, generations: rows, live: roles.live, default: roles.default, booted: roles.booted ?? null }, undefined, 1)}\n`;
  }
  if (generations.length === 0) return 'There are no generations: nothing is managed.\n';
  const rows = generations.map((generation) => [
    String(generation.number),
    shortTime(generation.created),
    generation.format,
    describeOverlay(generation, mounts[generation.number]),
    String(generation.paths),
    [...rolesOf(generation.number, roles), ...describeTrial(tries[generation.number])].join(', '),
    displayName(shownClosure(generation)),
  ]);
  return renderTable([['number', 'made', 'format', 'overlay', 'paths', 'role', 'closure'], ...rows]);
}

/** A name like ./result may mean something else tomorrow; a store path never does. */
export function shownClosure(generation: Generation): string {
  return storePathOf(generation) ?? generation.closure;
}

function rolesOf(number: number, roles: Roles): string[] {
  return (['live', 'default', 'booted'] as const).filter((role) => roles[role] === number);
}
