import type { Context } from '../../context';
import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { foundOf } from '../../core/found';
import { joinTarget, type TargetPath } from '../../core/path';
import type { BootChanges } from '../../core/plan/boot-side';
import type { Side } from '../../core/plan/decision';
import { backupDirectory } from '../../core/records/backup';
import { type BootAct, BOOT_JOURNAL, type BootJournal, parseBootJournal } from '../../core/records/boot-journal';
import { emptyLedger } from '../../core/records/ledger';
import { digestFile, readLinkText, readStatus, listDirectory } from '../../system/tree/reading';
import { removeRecord } from '../../system/tree/records';
import { removeTree } from '../../system/tree/removing';
import { keepAside, keptBefore } from '../backups/keeping';
import { findRecorded, readLive, readRecorded, readState, roleLink } from '../state/generations';
import type { Machine } from '../state/machine';
import { readRecordBytes } from '../state/records';
import { writeRole } from '../transition/stage';

/** A boot that showed another generation than the one that was live, and whose changes are recorded now. */
export interface Settled {
  readonly state: 'settled';
  readonly from: number;
  readonly to: number;
  readonly live: number;
}

/** What boots changed below /etc since `activate` last looked; `undefined` where they changed nothing. */
export function readBootJournal(machine: Machine): BootJournal | undefined {
  const bytes = readRecordBytes(machine, BOOT_JOURNAL);
  return bytes === undefined ? undefined : parseBootJournal(bytes);
}

/**
 * Makes the records say what a boot did, and does what it left: what it put aside becomes a backup or goes, originals and
 * ledgers are put right. Run again, it changes nothing.
 *
 * @param move carries out the transition to a generation, from what the boot left
 * @throws {ActivateError} what `move` throws; the boot journal is there then
 */
export async function settleBoot(
  context: Context,
  machine: Machine,
  move: (to: number, boot: BootChanges) => Promise<void>,
): Promise<Settled | undefined> {
  const journal = readBootJournal(machine);
  if (journal === undefined) return undefined;
  const { live: from } = readState(machine);
  const to = journal.shown;
  const sides = readSides(context, machine, from, to);
  if (sides === undefined) {
    // Whose it was is not known any more: all of it is kept.
    await settleActs(context, machine, journal, nothing);
    writeRole(machine, roleLink('live'), to);
  } else {
    const { restored, displaced } = await settleActs(context, machine, journal, sides.recorded);
    const shown = journal.brought === 'all' ? sides.shown : sides.recorded;
    await move(to, { shown, restored: new Set(restored.keys()), displaced });
    for (const [path, backup] of sides.recorded.ledger.displaced)
      if (restored.get(path) === backup || (displaced.get(path) ?? backup) !== backup)
        removeTree(machine.root, backupDirectory(backup));
  }
  removeRecord(machine.root, BOOT_JOURNAL);
  return { state: 'settled', from, to, live: to };
}

const nothing: Side = { entries: [], ledger: emptyLedger };

interface Sides {
  readonly recorded: Side;
  readonly shown: Side;
}

/** `undefined` where a record is damaged: then it is enough that the live generation is the one that is shown. */
function readSides({ log }: Context, machine: Machine, from: number, to: number): Sides | undefined {
  try {
    const shown = to === 0 ? nothing : readRecorded(machine, to);
    return { recorded: readLive(machine, from), shown };
  } catch (error) {
    if (!(error instanceof ActivateError) || (error.code !== 'STATE' && error.code !== 'USAGE')) throw error;
    log.warn(`what the boot changed cannot be held against the records: ${error.message}`, { path: error.path });
    return undefined;
  }
}

/** What has become of originals: those that are back, with their backups, and those that have a new backup. */
interface Originals {
  readonly restored: Map<TargetPath, number>;
  readonly displaced: Map<TargetPath, number>;
}

/** What was in the way of a boot: ours goes, and the machine's own is kept. */
async function settleActs(
  context: Context,
  machine: Machine,
  { acts, placed, shown: generation }: BootJournal,
  recorded: Side,
): Promise<Originals> {
  const originals: Originals = { restored: new Map(), displaced: new Map() };
  const others = acts.length === 0 ? [] : [...placed].filter((number) => number !== generation && number !== 0);
  const sides = [recorded, ...others.map((number) => findRecorded(machine, number))];
  const isOurs = (path: TargetPath, aside: TargetPath): boolean =>
    sides.some((side) => side?.entries.some((entry) => entry.path === path && isEntry(machine, aside, entry)));
  const directories = new Set(recorded.entries.filter(({ place }) => place === 'directory').map(({ path }) => path));
  for (const act of acts.flatMap((each) => strangersIn(machine, each, directories))) {
    const { path } = act;
    if ('restored' in act) {
      // The script says so before it does it, and only where nothing was.
      if (readStatus(machine.root, path) !== undefined) originals.restored.set(path, act.restored);
      continue;
    }
    // What was given back, and was in the way of another boot, is an original as before.
    const isOriginal = originals.restored.delete(path);
    const reason = isOriginal || act.whose === 'own' ? 'displaced' : 'drifted';
    const stray = { ...act, generation, reason } as const;
    if (!isOriginal && isOurs(path, act.aside)) removeTree(machine.root, act.aside);
    const isThere = readStatus(machine.root, act.aside) !== undefined;
    const backup = isThere ? await keepAside(context, machine, stray) : keptBefore(machine, stray);
    const isNew = backup !== undefined && recorded.ledger.displaced.get(path) !== backup;
    // Of several, the oldest is the machine's own from before.
    if (reason === 'displaced' && isNew && !originals.displaced.has(path)) originals.displaced.set(path, backup);
  }
  return originals;
}

/** A directory of ours was put aside for what others have in it: each of these comes back by itself. */
function strangersIn(machine: Machine, act: BootAct, ours: ReadonlySet<TargetPath>): readonly BootAct[] {
  if ('restored' in act || !ours.has(act.path)) return [act];
  const { path, aside } = act;
  if (readStatus(machine.root, aside)?.kind !== 'directory') return [act];
  const inside = listDirectory(machine.root, aside).flatMap(({ name }) =>
    strangersIn(machine, { path: joinTarget(path, name), aside: joinTarget(aside, name), whose: 'own' }, ours),
  );
  // The directory itself goes last, when it is empty.
  return [...inside, act];
}

/** Whether something is what an entry makes, and nothing besides. */
function isEntry({ root }: Machine, at: TargetPath, entry: Entry): boolean {
  const status = readStatus(root, at);
  const wanted = foundOf(entry);
  if (status === undefined || status.kind !== wanted.kind) return false;
  if (wanted.kind === 'symlink') return readLinkText(root, at) === wanted.linkText;
  if (wanted.kind === 'directory') return listDirectory(root, at).length === 0;
  const { mode, uid, gid } = status;
  if (wanted.kind !== 'file' || mode !== wanted.mode || uid !== wanted.uid || gid !== wanted.gid) return false;
  return digestFile(root, at) === wanted.digest;
}
