import type { Context } from '../../context';
import { parseAccounts } from '../../core/accounts/accounts';
import type { SysusersLine } from '../../core/accounts/sysusers';
import { fixedNames } from '../../core/accounts/wishes';
import type { Item } from '../../core/closure/listing';
import { isBelow, type TargetPath } from '../../core/path';
import type { Root } from '../../system/tree/rooted';
import type { Machine } from '../state/machine';
import { type AccountPlan, planAccounts, readOwnAccounts } from './planning';
import { compileStatic, noAccounts, type StaticAccounts } from './static-accounts';
import { type Place, readSysusers } from './sysusers-files';

/** Whose users and groups there are besides the closure's own. */
export type Holder = 'machine' | 'closure alone';

/** What a closure says about users and groups, and what comes of it. */
export interface ClosureAccounts {
  readonly lines: readonly SysusersLine[];
  /** What the overlay gets, for machines that have no users yet. */
  readonly fixed: StaticAccounts;
  /** What becomes of the machine's; `undefined` where that is not asked. */
  readonly plan: AccountPlan | undefined;
  /** Everybody whose number is known: there or about to be made. */
  readonly names: { readonly users: ReadonlyMap<string, number>; readonly groups: ReadonlyMap<string, number> };
}

interface Asked {
  readonly place: Place;
  /** The top of the closure. */
  readonly top: Root;
  /** What it holds; `undefined` where nothing can be added to it. */
  readonly items: readonly Item[] | undefined;
  readonly roots: readonly TargetPath[];
  readonly holder: Holder;
}

const none: ClosureAccounts = {
  lines: [],
  fixed: noAccounts,
  plan: undefined,
  names: { users: new Map(), groups: new Map() },
};

/**
 * Reads what a closure says about users and groups, and has it worked out.
 *
 * @throws {ActivateError} `CLOSURE` or `REFUSED`
 */
export function readClosureAccounts(
  context: Context,
  machine: Machine,
  { place, top, items, roots, holder }: Asked,
): ClosureAccounts {
  const lines = readSysusers(place);
  if (lines.length === 0) return none;
  const own = readOwnAccounts(top, '');
  const hasRoot = roots.some((root) => isBelow('/etc/passwd', root));
  const fixed = items === undefined || !hasRoot ? noAccounts : compileStatic(lines, { own, items });
  const plan = holder === 'machine' ? planAccounts(context, machine, { lines, own: () => own }) : undefined;
  return { lines, fixed, plan, names: plan?.names ?? fixedNames(lines, parseAccounts(own)) };
}
