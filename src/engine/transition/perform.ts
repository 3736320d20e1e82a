import type { Context } from '../../context';
import { POINTER } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { sameOwnership } from '../../core/found';
import { ancestorsOf, hostPath, joinTarget, nameOf, parentOf, type TargetPath } from '../../core/path';
import { isAside } from '../../core/plan/draft';
import { type Gone, isOneAct, type Made, type MadeAt, type Step } from '../../core/plan/step';
import { backupContent } from '../../core/records/backup';
import type { Journal } from '../../core/records/journal';
import {
  changeDirectory,
  changeTimes,
  exchangePaths,
  makeDirectory,
  makeSymlink,
  removeDirectory,
  removeFile,
  renamePath,
  replaceSymlink,
} from '../../system/tree/changing';
import { copyFile, type FileAttributes } from '../../system/tree/copying';
import { digestFile, listDirectory, readLinkText, readLinkTexts, readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import type { Root } from '../../system/tree/rooted';
import { errnoOf } from '../../system/syscalls/errno';
import { keepStray } from '../backups/keeping';
import { carry, carryBack } from '../backups/storing';
import type { Machine } from '../state/machine';
import { isWrapperStep, performWrapperStep, type WrapperStep } from '../wrappers/making';
import { insistOn, insistOnAll, refuseLinkInTheWay } from './expectations';
import { snippetOf } from './stage';
import { runTmpfiles } from './tmpfiles';
import { isAsPut, leaveAlone } from './yielding';

/** What the steps of one transition share. */
export interface Stagehand {
  readonly context: Context;
  readonly machine: Machine;
  readonly journal: Journal;
  /** Whether anything that is aside may have been in its place: what never was is nobody's but ours, complete or not. */
  readonly reach: 'staged alone' | 'in place';
}

/**
 * Carries out one step on the machine.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`, with the path
 */
export async function performStep(stagehand: Stagehand, step: Step): Promise<void> {
  const { machine, journal } = stagehand;
  const snippet = snippetOf(journal.to);
  switch (step.op) {
    case 'create':
      await runTmpfiles(machine, 'create', snippet, () => firstUnmade(machine, step.objects));
      return restoreTimes(machine, step.objects);
    case 'uncreate':
      for (const { path, made } of step.objects.toReversed()) await unmake(stagehand, path, made);
      return undefined;
    case 'remove':
      insistOnAll(machine, step.objects);
      return runTmpfiles(
        machine,
        'remove',
        snippet,
        () => step.objects.find((object) => isStillThere(machine, object))?.path,
      );
    case 'unremove':
      return step.objects.forEach(({ path, was }) => makeAgain(machine, path, was));
    case 'make':
      return make(machine, step.path, step.made);
    case 'unmake':
      return unmake(stagehand, step.path, step.made);
    case 'unexchange':
      if (step.ifChanged === 'leave' && !isAsPut(stagehand, step))
        return leaveAlone(stagehand, step, 'what was added to it stays');
      return exchangePaths(machine.root, step.path, step.aside);
    default:
      return isWrapperStep(step) ? performWrapperStep(machine, step) : performMove(machine, step);
  }
}

type MoveStep = Exclude<
  Exclude<Step, WrapperStep>,
  { op: 'create' | 'uncreate' | 'remove' | 'unremove' | 'make' | 'unmake' | 'unexchange' }
>;

function performMove(machine: Machine, step: MoveStep): Promise<void> | void {
  const { root } = machine;
  switch (step.op) {
    case 'point':
      return point(machine, step.to);
    case 'exchange':
      exchange(root, step.path, step.aside);
      return insistOn(machine, step, () => exchangePaths(root, step.path, step.aside));
    case 'place':
    case 'unpark':
      return renamePath(root, step.aside, step.path);
    case 'unplace':
      // Somebody removed it meanwhile.
      if (readStatus(root, step.path) === undefined) return refuseLinkInTheWay(root, step.path);
      return renamePath(root, step.path, step.aside);
    case 'park':
      orExplain(step.path, () => renamePath(root, step.path, step.aside));
      return insistOn(machine, step, () => renamePath(root, step.aside, step.path));
    case 'own':
      return changeDirectory(root, step.path, step);
    case 'save':
      return carry(machine, step.aside, backupContent(step.backup));
    case 'unsave':
      return carryBack(machine, step.aside, backupContent(step.backup));
    case 'fetch':
      return carry(machine, backupContent(step.backup), step.aside);
    case 'unfetch':
      return carryBack(machine, backupContent(step.backup), step.aside);
  }
}

function exchange(root: Root, path: TargetPath, aside: TargetPath): void {
  orExplain(path, () => exchangePaths(root, path, aside));
}

/** A directory of a lower layer cannot be renamed, and nothing tells it from others before that is tried. */
function orExplain(path: TargetPath, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) !== 'EXDEV') throw error;
    throw new ActivateError('IO', 'it is a directory of a lower layer of overlayfs, which cannot be renamed', {
      path,
      hint: 'Mount the overlay with redirect_dir=on, or leave the path to the machine: --on-conflict keep, or place = "skip".',
      cause: error,
    });
  }
}

/** Puts the pointer in place of an older one in one rename. */
function point({ root }: Machine, text: string | undefined): void {
  if (text === undefined) {
    if (readStatus(root, POINTER) !== undefined) removeFile(root, POINTER);
    return;
  }
  if (readLinkText(root, POINTER) !== text) replaceSymlink(root, POINTER, text, NEW_POINTER);
}

/** A link that is about to become the pointer. */
export const NEW_POINTER = joinTarget(parentOf(POINTER), '.filesystem-overlay.new');

function make({ root }: Machine, path: TargetPath, made: Made): void {
  switch (made.kind) {
    case 'symlink':
      makeSymlink(root, path, made.linkText);
      if (made.mtimeNs !== undefined) changeTimes(root, path, BigInt(made.mtimeNs));
      return;
    case 'directory':
      // Undoing a removal that did not happen, because somebody uses the directory.
      if (readStatus(root, path)?.kind === 'directory') return undefined;
      return makeDirectory(root, path, made.mode, made);
    case 'file':
      copyFile(root, hostPath(root.path, made.source as TargetPath), path, attributesOf(made));
  }
}

function attributesOf({ mode, uid, gid, mtimeNs }: Made & { readonly kind: 'file' }): FileAttributes {
  return { mode, uid, gid, ...(mtimeNs === undefined ? {} : { mtimeNs: BigInt(mtimeNs) }) };
}

/**
 * Takes back what was made. Anything else that is there is somebody's own: it stays, or becomes a backup where it came to be
 * aside because it was put in a place that was given back.
 */
async function unmake(stagehand: Stagehand, path: TargetPath, made: Made): Promise<void> {
  const { root } = stagehand.machine;
  const status = readStatus(root, path);
  if (status === undefined) return refuseLinkInTheWay(root, path);
  if (stagehand.reach === 'staged alone' && isBelowAside(path)) return removeTree(root, path);
  if (isMade(root, path, made) && removeMade(root, path, made) === 'gone') return undefined;
  if (!isAside(path)) return undefined;
  const { context, machine, journal } = stagehand;
  return keepStray(context, machine, { path: placeOf(journal, path), aside: path, generation: journal.to });
}

function isMade(root: Root, path: TargetPath, made: Made): boolean {
  if (readStatus(root, path)?.kind !== made.kind) return false;
  if (made.kind === 'symlink') return readLinkText(root, path) === made.linkText;
  return made.kind === 'directory' || made.digest === '' || digestFile(root, path) === made.digest;
}

function removeMade(root: Root, path: TargetPath, made: Made): 'gone' | 'in use' {
  if (made.kind === 'directory') return removeIfEmpty(root, path);
  removeFile(root, path);
  return 'gone';
}

/** What somebody has put something into stays, as the machine's. */
function removeIfEmpty(root: Root, path: TargetPath): 'gone' | 'in use' {
  try {
    removeDirectory(root, path);
    return 'gone';
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
    return 'in use';
  }
}

function isBelowAside(path: TargetPath): boolean {
  return isAside(path) || ancestorsOf(path).some(isAside);
}

/** Where something that is aside belongs. */
function placeOf({ phases }: Journal, aside: TargetPath): TargetPath {
  const step = [...phases.swap, ...phases.remove].find((each) => isOneAct(each) && each.aside === aside);
  return step !== undefined && isOneAct(step) ? step.path : aside;
}

function makeAgain(machine: Machine, path: TargetPath, was: Gone['was']): void {
  if (readStatus(machine.root, path) === undefined) make(machine, path, was);
}

/** The first object that is not there as it was to be made; each directory is opened once for all links in it. */
function firstUnmade({ root }: Machine, objects: readonly MadeAt[]): TargetPath | undefined {
  const links = new Map<TargetPath, { name: string; linkText: string }[]>();
  for (const { path, made } of objects) {
    if (made.kind !== 'symlink') {
      const status = readStatus(root, path);
      // The line of something below makes it too, with other modes.
      if (status?.kind !== made.kind || !sameOwnership(status, made)) return path;
      continue;
    }
    const directory = parentOf(path);
    const known = links.get(directory) ?? [];
    known.push({ name: nameOf(path), linkText: made.linkText });
    links.set(directory, known);
  }
  for (const [directory, wanted] of links) {
    const names = wanted.map(({ name }) => name);
    const texts = readLinkTexts(root, directory, names);
    const wrong = wanted.find(({ linkText }, index) => texts[index] !== linkText);
    if (wrong !== undefined) return joinTarget(directory, wrong.name);
  }
  return undefined;
}

/** A directory that somebody put something into meanwhile stays, as the machine's. */
function isStillThere({ root }: Machine, { path, was }: Gone): boolean {
  if (was.kind === 'symlink') return readLinkText(root, path) === was.linkText;
  return readStatus(root, path)?.kind === 'directory' && listDirectory(root, path).length === 0;
}

function restoreTimes({ root }: Machine, objects: readonly MadeAt[]): void {
  for (const { path, made } of objects) {
    if (made.kind === 'symlink' && made.mtimeNs !== undefined) changeTimes(root, path, BigInt(made.mtimeNs));
  }
}
