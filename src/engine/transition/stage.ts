import type { Context } from '../../context';
import { POINTER, STATE } from '../../core/entry';
import { mountUnit } from '../../core/mount-unit';
import { isImage } from '../../core/records/overlay';
import { type Unit, wrapperUnits } from '../../core/snippet/unit';
import { wrapperDirectoryName, WRAPPERS } from '../../core/wrapper';
import { fullSnippetPieces, transitionSnippetPieces } from '../../core/snippet/full-snippet';
import {
  carrierPath,
  type Generation,
  generationDirectory,
  GENERATIONS,
  renderGeneration,
  storePathOf,
} from '../../core/records/generation';
import { type Ledger, parseLedger, renderLedger } from '../../core/records/ledger';
import { type Manifest, manifestPieces, withheldDigests } from '../../core/records/manifest';
import { joinTarget, parentOf, type TargetPath } from '../../core/path';
import { type Phases } from '../../core/plan/plan';
import { encodePieces } from '../../core/bytes';
import {
  makeDirectories,
  makeDirectory,
  makeSymlink,
  removeFile,
  renamePath,
  replacePath,
  replaceSymlink,
} from '../../system/tree/changing';
import { createFileFrom } from '../../system/tree/copying';
import { tidy } from '../../system/host/memory';
import { readLinkText, readStatus } from '../../system/tree/reading';
import { writeRecord } from '../../system/tree/records';
import { removeProtected } from '../../system/tree/protecting';
import { refuseMountsIn, removeTree } from '../../system/tree/removing';
import { type Backup, backupDirectory, backupRecord, renderBackup } from '../../core/records/backup';
import { adoptBootLedger, dropBootLedger, writeBootFiles, writeBootLedger } from '../boot/staging';
import type { Closure } from '../closure/closure';
import { carryOverlay } from './overlay';
import { sysusersRecord, writeSysusers } from '../accounts/records';
import { readTimes } from '../state/generations';
import { warnOfLacking, writeAddon } from '../initrd/addon';
import { createSealed, readSealed, writeSealed } from '../state/records';
import type { Machine } from '../state/machine';
import type { Destination } from '../deciding/prepare';

/** The names of the records of one generation. */
const names = ['generation.json', 'manifest.json', 'withheld.json'] as const;

/**
 * Writes a new generation under a name of its own, complete, and then gives it its number.
 *
 * @throws {ActivateError} `IO`; what was written is there, and the journal knows of it
 */
export async function stageGeneration(
  context: Context,
  machine: Machine,
  to: Destination,
  closure: Closure,
): Promise<void> {
  const { root } = machine;
  const directory = generationDirectory(to.number);
  const staging = stagingOf(to.number);
  makeDirectories(root, GENERATIONS, 0o755);
  removeProtected(root, staging);
  makeDirectory(root, staging, 0o755);
  const storePath = storePathOf(closure);
  await carryOverlay(machine, to, staging);
  writeRecords(context, machine, staging, to, closure);
  renamePath(root, staging, directory);
  if (storePath !== undefined) protectStorePath(machine, to.number, storePath);
  warnOfLacking(context, closure.initrd);
}

/** Where a generation is until it is complete. */
export function stagingOf(number: number): TargetPath {
  return joinTarget(GENERATIONS, `.staging-${number}`);
}

/** Takes a generation away, with its gc root: in one instant for whoever reads it, though removing it takes longer. */
export function dropGeneration({ root }: Machine, number: number, storePath: string | undefined): void {
  const dropping = joinTarget(GENERATIONS, `${DROPPING}${number}`);
  refuseMountsIn(root, generationDirectory(number));
  removeProtected(root, dropping);
  if (readStatus(root, generationDirectory(number)) !== undefined)
    renamePath(root, generationDirectory(number), dropping);
  for (const link of storePath === undefined ? [] : [gcRoot(storePath, number)])
    if (readLinkText(root, link) !== undefined) removeFile(root, link);
  removeProtected(root, dropping);
}

/** Ends what a crash interrupted while a generation was made or dropped; anything else stays. */
export function dropPartial(machine: Machine, name: string): void {
  const number = /^\.(?:staging|dropping)-(\d+)$/u.exec(name)?.[1];
  if (number === undefined) return;
  const { root } = machine;
  // The number may belong to a new generation by now: that one, and its gc root, stay.
  const isFree = readStatus(root, generationDirectory(Number(number))) === undefined;
  const links =
    isFree && name.startsWith(DROPPING) ? ['/gnu/', '/nix/'].map((store) => gcRoot(store, Number(number))) : [];
  for (const link of links) if (readLinkText(root, link) !== undefined) removeFile(root, link);
  removeProtected(root, joinTarget(GENERATIONS, name));
}

/** How the name of what is being removed begins. */
const DROPPING = '.dropping-';

function writeRecords(
  context: Context,
  { root }: Machine,
  staging: TargetPath,
  to: Destination,
  closure: Closure,
): void {
  const { manifest } = closure;
  const overlay = to.overlay ?? POINTER;
  const addon = writeAddon(root, staging, closure.initrd);
  const generation: Generation = {
    number: to.number,
    closure: closure.name,
    format: manifest.format,
    overlay,
    carrier: closure.carrier,
    ...(to.imagePath === undefined ? {} : { imagePath: to.imagePath }),
    resident: to.resident,
    ...sysusersRecord(closure.sysusers),
    ...addon,
    digest: to.digest,
    rules: to.rules.map(({ match, onConflict, onDrift }) => ({ match, onConflict, onDrift })),
    paths: manifest.entries.length,
    created: new Date(context.now()).toISOString(),
    version: context.version,
  };
  writeBundle(root, staging, manifest, { overlay, generation: to.number });
  writeUnits(root, staging, imageUnits(generation));
  writeBootFiles(root, staging, generation, manifest);
  writeSysusers(root, staging, closure.sysusers);
  createSealed(root, joinTarget(staging, names[0]), [renderGeneration(generation)], 0o644);
}

/** Writes what a generation and a bundle have in common: the manifest, the full snippet and units; 0 is a bundle. */
export function writeBundle(
  root: Machine['root'],
  directory: TargetPath,
  manifest: Manifest,
  { overlay, generation }: { readonly overlay: string; readonly generation: number },
): void {
  const { entries, wrappers = [] } = manifest;
  createFileFrom(root, joinTarget(directory, names[1]), { mode: 0o644 }, encodePieces(manifestPieces(manifest)));
  tidy(manifest.entries.length);
  const digests = withheldDigests(manifest);
  if (Object.keys(digests).length > 0) {
    createSealed(root, joinTarget(directory, names[2]), [`${JSON.stringify({ schema: 1, digests })}\n`], 0o600);
  }
  const snippets = joinTarget(directory, 'tmpfiles.d');
  makeDirectory(root, snippets, 0o755);
  createFileFrom(
    root,
    joinTarget(snippets, 'activate.conf'),
    { mode: 0o644 },
    encodePieces(fullSnippetPieces(entries, overlay, { wrappers, generation })),
  );
  writeUnits(root, directory, wrapperUnits(wrappers, joinTarget(WRAPPERS, wrapperDirectoryName(generation))));
}

/** Writes units of systemd for a boot without `activate`. */
export function writeUnits(root: Machine['root'], directory: TargetPath, units: readonly Unit[]): void {
  for (const { name, text } of units) {
    const file = joinTarget(directory, `systemd/${name}`);
    makeDirectories(root, parentOf(file), 0o755);
    createFileFrom(root, file, { mode: 0o644 }, encodePieces([text]));
  }
}

/** What mounts the image of a generation; a copy in memory is nothing that a unit makes. */
function imageUnits(generation: Generation): Unit[] {
  const { carrier, resident, overlay } = generation;
  return isImage(carrier) && !resident
    ? [mountUnit({ image: carrierPath(generation), kind: carrier.kind, at: overlay })]
    : [];
}

function gcRoot(storePath: string, number: number): TargetPath {
  const roots = storePath.startsWith('/gnu/') ? '/var/guix/gcroots' : '/nix/var/nix/gcroots';
  return `${roots}/activate/generation-${number}` as TargetPath;
}

function protectStorePath({ root }: Machine, number: number, storePath: TargetPath): void {
  const link = gcRoot(storePath, number);
  makeDirectories(root, parentOf(link), 0o755);
  if (readLinkText(root, link) !== undefined) removeFile(root, link);
  makeSymlink(root, link, storePath);
}

/** What a transition records before its first step, besides the generation itself. */
export interface Notes {
  readonly from: number;
  readonly to: number;
  readonly ledger: Ledger;
  readonly phases: Phases;
  /** The number of the first backup; the others follow. */
  readonly firstBackup: number;
  readonly backups: readonly Backup[];
  /** When ours was last changed, for what the transition replaces or removes. */
  readonly times: ReadonlyMap<TargetPath, string>;
}

/** Writes the ledger, the transition snippet, the places for backups and the times. None of it matters until the swap. */
export function writeNotes(machine: Machine, notes: Notes): void {
  const { root } = machine;
  const { phases, backups, times } = notes;
  makeDirectories(root, STATE, 0o755);
  if (backups.length > 0) makeDirectories(root, parentOf(backupDirectory(0)), 0o700);
  for (const backup of backups) {
    const directory = backupDirectory(backup.number);
    removeTree(root, directory);
    makeDirectory(root, directory, 0o700);
    createSealed(root, backupRecord(backup.number), [renderBackup(backup)], 0o600);
  }
  if (notes.to !== 0) writeNextLedger(machine, notes.to, notes.ledger);
  if (notes.from !== 0 && times.size > 0) {
    const merged = [...new Map([...readTimes(machine, notes.from), ...times])];
    writeSealed(root, nextTimesOf(notes.from), [`${JSON.stringify({ schema: 1, times: merged })}\n`]);
  }
  writeSnippet(machine, notes.to, phases);
}

/** Writes the ledger that a commit makes the generation's own. */
export function writeNextLedger({ root }: Machine, number: number, ledger: Ledger): void {
  writeBootLedger(root, generationDirectory(number), ledger);
  writeSealed(root, nextLedgerOf(number), [renderLedger(ledger)]);
}

/** Writes the snippet that systemd-tmpfiles reads: what somebody else put in its place is never carried out. */
export function writeSnippet({ root }: Machine, number: number, phases: Phases): void {
  writeRecord(root, snippetOf(number), encodePieces(transitionPieces(phases)));
}

function nextLedgerOf(number: number): TargetPath {
  return joinTarget(generationDirectory(number), 'ledger.next.json');
}

function nextTimesOf(number: number): TargetPath {
  return joinTarget(generationDirectory(number), 'times.next.json');
}

/** Makes the times that a transition found the generation's own; done already is done. */
export function adoptTimes({ root }: Machine, number: number): void {
  if (number === 0 || readStatus(root, nextTimesOf(number)) === undefined) return;
  replacePath(root, nextTimesOf(number), joinTarget(generationDirectory(number), 'times.json'));
}

/** Takes back what was written for a transition from a generation. */
export function dropTimes({ root }: Machine, number: number): void {
  if (number !== 0) removeTree(root, nextTimesOf(number));
}

/** Makes the ledger that was written for a transition the generation's own; done already is done. */
export function adoptLedger({ root }: Machine, number: number): void {
  if (number === 0 || readStatus(root, nextLedgerOf(number)) === undefined) return;
  adoptBootLedger(root, generationDirectory(number));
  replacePath(root, nextLedgerOf(number), joinTarget(generationDirectory(number), 'ledger.json'));
}

/** Whether the last act of a commit has happened; what was interrupted then is cleaning up alone. Unknown for generation 0. */
export function isCommitted({ root }: Machine, number: number): boolean {
  return number !== 0 && readStatus(root, nextLedgerOf(number)) === undefined;
}

/** @throws {ActivateError} `STATE` where the ledger that a transition would adopt is damaged */
export function checkNextLedger(machine: Machine, number: number): void {
  if (number !== 0) readSealed(machine, nextLedgerOf(number), parseLedger);
}

/** Takes back what was written for a transition to a generation that was there before. */
export function dropNotes({ root }: Machine, number: number): void {
  removeTree(root, number === 0 ? snippetOf(0) : nextLedgerOf(number));
  if (number !== 0) dropBootLedger(root, generationDirectory(number));
}

/** The snippet that led to a generation, kept for reading. */
export function snippetOf(number: number): TargetPath {
  return joinTarget(number === 0 ? STATE : generationDirectory(number), 'transition.conf');
}

function transitionPieces({ create, remove }: Phases): Generator<string> {
  const created = create.flatMap((step) => (step.op === 'create' ? step.objects : []));
  const removed = remove.flatMap((step) => (step.op === 'remove' ? step.objects : []));
  return transitionSnippetPieces(created, removed);
}

/** A link that is about to become `live` or `default`. */
export const NEW_ROLE = joinTarget(STATE, '.role.new');

/** Points `live` or `default` at a generation; 0 takes the link away. */
export function writeRole({ root }: Machine, link: TargetPath, number: number): void {
  if (number === 0) {
    if (readStatus(root, link) !== undefined) removeFile(root, link);
    return;
  }
  const text = `generations/${number}`;
  // On a full disk there may be no room for another link.
  if (readLinkText(root, link) !== text) replaceSymlink(root, link, text, NEW_ROLE);
}
