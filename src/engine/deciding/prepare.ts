import type { Context } from '../../context';
import { encodePieces } from '../../core/bytes';
import { type BootChanges, sideAfterBoot, unasked } from '../../core/plan/boot-side';
import type { OnConflict, OnDrift, Side } from '../../core/plan/decision';
import { type Answer, decideTransition } from '../../core/plan/decide';
import type { Merge } from '../../core/plan/merge';
import type { AccountTexts } from '../../core/accounts/accounts';
import { withAccounts } from '../../core/accounts/decide-accounts';
import type { SysusersLine } from '../../core/accounts/sysusers';
import type { Entry } from '../../core/entry';
import { decideWrappers, type WrapperAnswer, type WrappersFound } from '../../core/plan/wrappers';
import type { Wrapper } from '../../core/wrapper';
import { ActivateError } from '../../core/errors';
import type { Actual } from '../../core/found';
import { backupContent } from '../../core/records/backup';
import { type AttitudeRule, overlayOf } from '../../core/records/generation';
import { manifestPieces, withheldDigests } from '../../core/records/manifest';
import type { TargetPath } from '../../core/path';
import { tidy } from '../../system/host/memory';
import { readStatus } from '../../system/tree/reading';
import { type Closure, type ClosureOptions, readClosure } from '../closure/closure';
import type { Unread } from '../closure/contents';
import {
  digestManifest,
  findGeneration,
  numberBefore,
  readLive,
  readRecorded,
  readState,
  type Recorded,
  type Role,
  type State,
} from '../state/generations';
import {
  canBeShown,
  type Content,
  type Elsewhere,
  imagePathOf,
  noContent,
  refuseMissingOverlay,
} from '../closure/content';
import { unlessDamaged } from '../closure/source';
import { attitudeTo } from './attitude';
import { readTries, refuseTrial } from '../state/booting';
import type { Machine } from '../state/machine';
import { readMerges } from './merging';
import { mountedNumbers } from '../transition/showing';
import { scan } from './scan';
import { lookAtWrappers } from '../wrappers/looking';
import { refuseLostSources } from '../wrappers/sources';
import { type AccountPlan, planAccounts, readOverlayAccounts } from '../accounts/planning';
import { digestSysusers, readSysusersRecord } from '../accounts/records';

/** What the command line says about the machine's own. */
export interface Attitudes {
  readonly onConflict?: OnConflict | undefined;
  readonly onDrift?: OnDrift | undefined;
}

/** {@link Attitudes}, and where content can be read that is not on the machine yet. */
export interface Means extends Attitudes {
  readonly content?: Content;
  /** What a boot without `activate` changed, where nobody settled that yet. */
  readonly boot?: BootChanges | undefined;
}

/** Where a transition leads: to a closure, or to a generation; 0 gives everything back. */
export type Target =
  | ({ readonly kind: 'closure'; readonly argument: string } & ClosureOptions & Trial)
  | ({ readonly kind: 'generation'; readonly number: number } & Trial)
  /** The generation before the live one. */
  | { readonly kind: 'previous' }
  /** What the next boot shows. */
  | { readonly kind: 'default' }
  /** What is live already: what drifted from it, and would be put right. */
  | { readonly kind: 'live' };

/** For how many boots the user wants it to be on trial; without it the next boots trust it. */
interface Trial {
  readonly trial?: number | undefined;
}

/** The generation that a transition leads to. */
export interface Destination {
  readonly number: number;
  /** `undefined` for a generation that exists, and for 0. */
  readonly closure: Closure | undefined;
  readonly entries: readonly Entry[];
  readonly wrappers: readonly Wrapper[];
  readonly overlay: TargetPath | undefined;
  /** Where an image is that is used where it lies. */
  readonly imagePath: TargetPath | undefined;
  readonly resident: boolean;
  readonly digest: string;
  /** What the closure says about users and groups. */
  readonly sysusers: readonly SysusersLine[];
  /** What becomes of the machine's, where that was found out when the closure was read. */
  readonly accounts?: AccountPlan | undefined;
  readonly rules: readonly AttitudeRule[];
  /** Paths whose originals were given up to this generation before: going back to it takes them over again. */
  readonly consent: ReadonlySet<TargetPath>;
}

/** A transition, read and decided; nothing was written. */
export interface Prepared extends Answer {
  readonly state: State;
  readonly from: Side & { readonly number: number; readonly overlay: TargetPath | undefined };
  readonly to: Destination;
  /** How many boots `to` has left now, and is to have; `undefined` where it is not on trial. */
  readonly tries: { readonly from: number | undefined; readonly to: number | undefined };
  readonly actual: Actual;
  readonly wrappers: WrapperAnswer & { readonly found: WrappersFound };
  /** Where the content of an overlay is that cannot be looked at yet. */
  readonly elsewhere: Elsewhere;
  /** What three-way merges came to, where the policy asks for them. */
  readonly merges: ReadonlyMap<TargetPath, Merge>;
  /** What becomes of the users and groups of the machine, where the closure says anything about them. */
  readonly accounts: AccountPlan | undefined;
  /** What a boot changed that is still to be recorded. */
  readonly boot: BootChanges | undefined;
  /** What this user could not read, so that the plan may say too much or too little there. */
  readonly unread: readonly Unread[];
}

/**
 * Reads what is wanted, what was recorded and what is there, and decides. Writes nothing.
 *
 * @throws {ActivateError} for a closure, policy, generation or record that cannot be used
 */
export function prepareTransition(
  context: Context,
  machine: Machine,
  target: Target,
  { content = noContent, boot, ...attitudes }: Means = {},
): Prepared {
  const state = readState(machine);
  const live = withoutLost(machine, readLive(machine, state.live));
  tidy(live.entries.length);
  const generation = isRecorded(live) ? live.generation : undefined;
  const to = destinationOf(context, machine, target, { state, live, content });
  tidy(to.entries.length);
  const tries = triesOn(machine, target, to.number, state);
  const placed = boot === undefined ? live : { ...live, ...sideAfterBoot(live, boot) };
  const from = { ...placed, number: state.live, overlay: generation?.overlay };
  const actual = scan(machine, from, to.entries);
  tidy(to.entries.length);
  const asked = attitudeTo(to, { rules: generation?.rules ?? [], kept: from.ledger.kept }, attitudes);
  const attitude = boot === undefined ? asked : (path: TargetPath) => unasked(asked(path));
  const elsewhere = withClosure(content.elsewhere, to);
  const merges = readMerges(machine, { from, to, actual, attitude, elsewhere });
  const accounts = target.kind === 'live' ? undefined : accountsOf(context, machine, to, elsewhere);
  const decided = decideTransition({ from, to: to.entries, actual, attitude, merges });
  const answer = accounts === undefined ? decided : withAccounts(decided, accounts, to.entries);
  const unread = [
    ...(to.closure?.unread ?? []),
    ...(accounts?.unread ?? []),
    ...actual.unread.map((path) => ({ path, why: 'no permission to read it' })),
  ];
  const wrappers = decideOnWrappers(machine, target, to, elsewhere);
  const conflicts = [...answer.conflicts, ...wrappers.conflicts];
  return { ...answer, conflicts, state, from, to, tries, actual, wrappers, elsewhere, merges, accounts, boot, unread };
}

function triesOn(machine: Machine, target: Target, number: number, { numbers }: State): Prepared['tries'] {
  const wanted = 'trial' in target ? target.trial : undefined;
  if (wanted !== undefined) refuseTrial(machine, number, numbers);
  return { from: readTries(machine, number), to: wanted };
}

function decideOnWrappers(
  machine: Machine,
  { kind }: Target,
  to: Destination,
  elsewhere: Elsewhere,
): Prepared['wrappers'] {
  const { number, overlay, wrappers, closure } = to;
  const found = lookAtWrappers(machine);
  const answer = decideWrappers(wrappers, found);
  if (answer.moves && overlay !== undefined && closure === undefined && kind !== 'live')
    refuseLostSources(machine, { number, overlay, wrappers, elsewhere });
  return { ...answer, found };
}

/** What becomes of users and groups: known already where a closure was read, found out again for a generation or a bundle. */
function accountsOf(
  context: Context,
  machine: Machine,
  { sysusers: lines, accounts, overlay }: Destination,
  elsewhere: Elsewhere,
): AccountPlan | undefined {
  if (accounts !== undefined || lines.length === 0 || overlay === undefined) return accounts;
  const own = (): AccountTexts => readOverlayAccounts(machine, overlay, elsewhere.get(overlay)?.hostPath);
  return planAccounts(context, machine, { lines, own });
}

/**
 * Whoever may write a directory can take away what is aside in it before it becomes a backup: then there is nothing that
 * could come back.
 */
function withoutLost<Live extends Side>(machine: Machine, live: Live): Live {
  const displaced = [...live.ledger.displaced].filter(([, backup]) => hasContent(machine, backup));
  if (displaced.length === live.ledger.displaced.size) return live;
  return { ...live, ledger: { ...live.ledger, displaced: new Map(displaced) } };
}

/** Who is not root takes it to be there. */
function hasContent({ root }: Machine, backup: number): boolean {
  try {
    return readStatus(root, backupContent(backup)) !== undefined;
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return true;
    throw error;
  }
}

function isRecorded(side: Side): side is Recorded {
  return 'generation' in side;
}

interface Known {
  readonly state: State;
  readonly live: Side;
  readonly content: Content;
}

/** What is staged later is read from the closure. */
export function withClosure(
  elsewhere: Elsewhere,
  { closure, overlay }: Pick<Destination, 'closure' | 'overlay'>,
): Elsewhere {
  if (closure === undefined || overlay === undefined || closure.carrier.kind === 'store') return elsewhere;
  return new Map([...elsewhere, [overlay, { hostPath: closure.hostPath, additions: closure.additions }]]);
}

function destinationOf(context: Context, machine: Machine, target: Target, known: Known): Destination {
  if (target.kind === 'closure') return closureDestination(context, machine, target, known);
  const number = numberOf(target, known.state);
  if (number === 0) return { ...nothing, number };
  const { generation, manifest, entries, ledger } =
    number === known.state.live && isRecorded(known.live) ? known.live : readRecorded(machine, number, roleOf(target));
  if (target.kind !== 'live') refuseMissingOverlay(machine, generation);
  const { overlay, imagePath, resident, digest, rules } = generation;
  const consent = new Set(ledger.displaced.keys());
  const { wrappers = [] } = manifest;
  const sysusers = readSysusersRecord(machine, generation);
  return {
    number,
    closure: undefined,
    entries,
    wrappers,
    overlay,
    imagePath,
    resident,
    digest,
    sysusers,
    rules,
    consent,
  };
}

const nothing: Omit<Destination, 'number'> = {
  closure: undefined,
  entries: [],
  wrappers: [],
  overlay: undefined,
  imagePath: undefined,
  resident: false,
  digest: '',
  sysusers: [],
  rules: [],
  consent: new Set(),
};

function roleOf({ kind }: Target): Role | undefined {
  return kind === 'live' || kind === 'default' ? kind : undefined;
}

function numberOf(target: Exclude<Target, { readonly kind: 'closure' }>, state: State): number {
  if (target.kind === 'generation') return target.number;
  if (target.kind === 'default') return state.default;
  if (target.kind === 'live') return state.live;
  if (state.live !== 0) return numberBefore(state);
  throw new ActivateError('USAGE', 'there is no generation to go back from: nothing is managed', {
    hint: 'See `activate list`.',
  });
}

/** A closure becomes a new generation, unless it is what is live or what the next boot shows already. */
function closureDestination(
  context: Context,
  machine: Machine,
  target: Target & { readonly kind: 'closure' },
  { state, live, content }: Known,
): Destination {
  const { source } = content;
  const closure = unlessDamaged(source, () =>
    readClosure(context, machine, target.argument, { ...target, source, known: live.entries }),
  );
  const imagePath = target.inPlace === true ? imagePathOf(machine, closure) : undefined;
  const resident = target.resident === true;
  const digest = digestOf(closure, resident);
  const { entries, wrappers = [] } = closure.manifest;
  const { sysusers, accounts } = closure;
  const rules = closure.rules.filter(({ onConflict, onDrift }) => onConflict !== undefined || onDrift !== undefined);
  const known = [isRecorded(live) ? live.generation : undefined, findGeneration(machine, state.default)];
  const same = known.find((each) => each?.digest === digest && each.imagePath === imagePath);
  if (same !== undefined && canBeShown(machine, same, content))
    return {
      number: same.number,
      closure: undefined,
      entries,
      wrappers,
      overlay: same.overlay,
      imagePath,
      resident,
      digest,
      sysusers,
      accounts,
      rules,
      consent: new Set(),
    };
  const number = Math.max(0, ...state.numbers, ...mountedNumbers(machine)) + 1;
  const overlay = overlayOf(number, closure, resident);
  return {
    number,
    closure,
    entries,
    wrappers,
    overlay,
    imagePath,
    resident,
    digest,
    sysusers,
    accounts,
    rules,
    consent: new Set(),
  };
}

/** Equal digests show the same: the same entries, with the same content, from the same store path. */
function digestOf({ manifest, carrier, sysusers, initrd }: Closure, resident: boolean): string {
  return digestManifest(encodePieces(manifestPieces(manifest)), withheldDigests(manifest), {
    carrier,
    resident,
    sysusers: digestSysusers(sysusers),
    initrd: initrd.record,
  });
}
