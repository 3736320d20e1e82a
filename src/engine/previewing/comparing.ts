import type { Context } from '../../context';
import type { Entry } from '../../core/entry';
import type { Actual, DirectoryFacts } from '../../core/found';
import { ancestorsOf, type TargetPath } from '../../core/path';
import { decideTransition } from '../../core/plan/decide';
import { decideWrappers, type WrappersFound } from '../../core/plan/wrappers';
import { type AttitudeRule, overlayOf } from '../../core/records/generation';
import { emptyLedger, type Ledger } from '../../core/records/ledger';
import type { Preview } from '../../core/report/preview';
import type { Wrapper } from '../../core/wrapper';
import { attitudeTo } from '../deciding/attitude';
import { type Closure, readClosure } from '../closure/closure';
import { type Content, refuseMissingOverlay, withContents } from '../closure/content';
import { readRecorded, readState } from '../state/generations';
import { type Machine, withMachine } from '../state/machine';
import { type Attitudes, type Target, withClosure } from '../deciding/prepare';
import { previewOf } from './preview';
import type { ViewOptions } from './views';

/** What can be compared without a look at what is live. */
export type Comparable = Extract<Target, { readonly kind: 'generation' | 'closure' }>;

/**
 * What a machine that shows `from` would see change when it showed `to`: the plan of a switch on a machine that is exactly as
 * `from` says. Nothing managed of this machine is looked at, and nothing is written.
 *
 * @throws {ActivateError} for a closure, policy or generation that cannot be used
 */
export function compareTargets(
  context: Context,
  { from, to }: { readonly from: Comparable; readonly to: Comparable },
  attitudes: Attitudes,
  options: ViewOptions,
): Promise<Preview> {
  return withMachine(context, (machine) =>
    withContents(context, machine, [from, to], async ([before, after]) => {
      // Numbers that no generation has tell the content of closures apart.
      const spare = Math.max(0, ...readState(machine).numbers) + 1;
      const left = readEnd(context, machine, from, { content: before, spare });
      const right = isSame(from, to) ? left : readEnd(context, machine, to, { content: after, spare: spare + 1 });
      const attitude = attitudeTo({ ...right, consent: new Set() }, { rules: left.rules, kept: new Map() }, attitudes);
      const answer = decideTransition({
        from: { entries: left.entries, ledger: ledgerOf(left.entries) },
        to: right.entries,
        actual: exactly(left.entries),
        attitude,
      });
      const wrappers = decideWrappers(right.wrappers, exactlyWrappers(left.wrappers));
      const viewed = {
        ...answer,
        decisions: answer.decisions.filter(({ path, previous, next }) => path !== ETC || (previous && next)),
        from: left,
        to: right,
        elsewhere: new Map([...left.elsewhere, ...right.elsewhere]),
        merges: new Map(),
        // Which users there are is up to the machine.
        accounts: undefined,
        wrappers,
        made: left,
        recorded: new Map(left.entries.map((entry) => [entry.path, entry])),
        unread: [...left.unread, ...right.unread],
      };
      return previewOf(machine, viewed, options);
    }),
  );
}

/** Every machine has it, whatever is managed, and it keeps its mode and owner. */
const ETC = '/etc' as TargetPath;

function ledgerOf(entries: readonly Entry[]): Ledger {
  const etc = entries.find(({ path }) => path === ETC);
  return etc?.kind === 'directory' ? { ...emptyLedger, adopted: new Map([[ETC, etc]]) } : emptyLedger;
}

/** One of two that are compared. */
interface End {
  /** The number of a generation, or the path of a closure. */
  readonly number: number | string;
  readonly entries: readonly Entry[];
  readonly overlay: TargetPath | undefined;
  readonly rules: readonly AttitudeRule[];
  readonly wrappers: readonly Wrapper[];
  readonly elsewhere: Content['elsewhere'];
  readonly unread: Closure['unread'];
}

/** Who may not read all of a record still finds it the same as itself. */
function isSame(from: Comparable, to: Comparable): boolean {
  return from.kind === 'generation' && to.kind === 'generation' && from.number === to.number;
}

function readEnd(
  context: Context,
  machine: Machine,
  target: Comparable,
  { content, spare }: { readonly content: Content | undefined; readonly spare: number },
): End {
  const elsewhere = content?.elsewhere ?? new Map();
  if (target.kind === 'closure') {
    const closure = readClosure(context, machine, target.argument, { ...target, source: content?.source });
    const overlay = overlayOf(spare, closure, false);
    const { name, manifest, rules, unread } = closure;
    const { entries, wrappers = [] } = manifest;
    return {
      number: name,
      entries,
      overlay,
      rules,
      wrappers,
      elsewhere: withClosure(elsewhere, { closure, overlay }),
      unread,
    };
  }
  const { number } = target;
  if (number === 0) return { number, entries: [], overlay: undefined, rules: [], wrappers: [], elsewhere, unread: [] };
  const { generation, manifest, entries } = readRecorded(machine, number);
  refuseMissingOverlay(machine, generation);
  const { overlay, rules } = generation;
  return { number, entries, overlay, rules, wrappers: manifest.wrappers ?? [], elsewhere, unread: [] };
}

/** A machine that is as the entries say, with nothing else on it. Seeds are its own: no directory goes while they are in it. */
function exactly(entries: readonly Entry[]): Actual {
  const directories = new Map<TargetPath, DirectoryFacts>();
  const strangers = new Map<TargetPath, TargetPath[]>();
  for (const entry of entries) {
    if (entry.kind === 'directory') directories.set(entry.path, entry);
    if (entry.place !== 'seed') continue;
    for (const above of ancestorsOf(entry.path)) {
      const inside = strangers.get(above);
      if (inside === undefined) strangers.set(above, [entry.path]);
      else inside.push(entry.path);
    }
  }
  return {
    deviations: new Map(),
    directories,
    obstacles: new Map(),
    strangers,
    times: new Map(),
    unread: [],
  };
}

function exactlyWrappers(wrappers: readonly Wrapper[]): WrappersFound {
  const live = new Map(wrappers.map((wrapper) => [wrapper.name, { ...wrapper, kind: 'file' } as const]));
  const link = wrappers.length === 0 ? undefined : '';
  return { mount: 'there', directory: 'there', link, live, names: [] };
}
