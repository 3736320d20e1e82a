import { hostPath, joinTarget, nameOf, parentOf, type TargetPath } from '../../core/path';
import { POINTER } from '../../core/entry';
import type { Gone, Made, MadeAt, Step } from '../../core/plan/step';
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
} from '../../system/changing';
import { copyFile, type FileAttributes } from '../../system/copying';
import { listDirectory, readLinkText, readLinkTexts, readStatus } from '../../system/reading';
import { errnoOf } from '../../system/syscalls/errno';
import { backupContent } from '../../core/records/backup';
import { carry, carryBack } from '../backups/storing';
import { insistOn, insistOnAll } from './expectations';
import type { Machine } from '../machine';
import { runTmpfiles } from './tmpfiles';

/** What the steps of one transition share. */
export interface Stagehand {
  readonly machine: Machine;
  /** The transition snippet, for systemd-tmpfiles. */
  readonly snippet: TargetPath;
}

/**
 * Carries out one step on the machine.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`, with the path
 */
export async function performStep({ machine, snippet }: Stagehand, step: Step): Promise<void> {
  switch (step.op) {
    case 'create':
      await runTmpfiles(machine, 'create', snippet, () => firstUnmade(machine, step.objects));
      return restoreTimes(machine, step.objects);
    case 'uncreate':
      return step.objects.toReversed().forEach((object) => unmake(machine, object.path, object.made));
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
      return unmake(machine, step.path, step.made);
    default:
      return performMove(machine, step);
  }
}

type MoveStep = Exclude<Step, { op: 'create' | 'uncreate' | 'remove' | 'unremove' | 'make' | 'unmake' }>;

function performMove(machine: Machine, step: MoveStep): Promise<void> | void {
  const { root } = machine;
  switch (step.op) {
    case 'point':
      return point(machine, step.to);
    case 'exchange':
      exchangePaths(root, step.path, step.aside);
      return insistOn(machine, step, () => exchangePaths(root, step.path, step.aside));
    case 'unexchange':
      return exchangePaths(root, step.path, step.aside);
    case 'place':
    case 'unpark':
      return renamePath(root, step.aside, step.path);
    case 'unplace':
      // Somebody removed it meanwhile.
      if (readStatus(root, step.path) === undefined) return undefined;
      return renamePath(root, step.path, step.aside);
    case 'park':
      renamePath(root, step.path, step.aside);
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

/** Puts the pointer in place of an older one in one rename. */
function point({ root }: Machine, text: string | undefined): void {
  if (text === undefined) {
    if (readStatus(root, POINTER) !== undefined) removeFile(root, POINTER);
    return;
  }
  replaceSymlink(root, POINTER, text, NEW_POINTER);
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

/** Takes back what was made; what is there but was not made by us stays. */
function unmake({ root }: Machine, path: TargetPath, made: Made): void {
  const status = readStatus(root, path);
  if (status === undefined || status.kind !== made.kind) return;
  if (made.kind === 'symlink' && readLinkText(root, path) !== made.linkText) return;
  if (made.kind === 'directory') removeIfEmpty(root, path);
  else removeFile(root, path);
}

/** What somebody has put something into stays, as the machine's. */
function removeIfEmpty(root: Machine['root'], path: TargetPath): void {
  try {
    removeDirectory(root, path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}

function makeAgain(machine: Machine, path: TargetPath, was: Gone['was']): void {
  if (readStatus(machine.root, path) === undefined) make(machine, path, was);
}

/** The first object that is not there as it was to be made; each directory is opened once for all links in it. */
function firstUnmade({ root }: Machine, objects: readonly MadeAt[]): TargetPath | undefined {
  const links = new Map<TargetPath, { name: string; linkText: string }[]>();
  for (const { path, made } of objects) {
    if (made.kind !== 'symlink') {
      if (readStatus(root, path)?.kind !== made.kind) return path;
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
