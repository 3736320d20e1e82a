import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { type FileStep, type FoundFile, pathOf } from '../../core/hooks/plan';
import { HOOKS_RECORD, type HooksRecord, renderHooksRecord } from '../../core/hooks/record';
import { ancestorsOf, hostPath, nameOf, parentOf, type TargetPath } from '../../core/path';
import { STATE } from '../../core/entry';
import {
  makeDirectories,
  removeDirectory,
  removeFile,
  replaceSymlink,
  syncFilesystem,
} from '../../system/tree/changing';
import { canWriteDirectory, digestFile, listDirectory, readLinkText, readStatus } from '../../system/tree/reading';
import { removeRecord, writeRecord } from '../../system/tree/records';
import type { Machine } from '../state/machine';
import { writeSealed } from '../state/records';

/** What is where a hook has a file. */
export function findHookFile({ uid }: Context, { root }: Machine, path: TargetPath): FoundFile {
  const status = readStatus(root, path);
  if (status === undefined) return undefined;
  if (status.kind === 'symlink') return { kind: 'link', linkText: readLinkText(root, path) ?? '' };
  if (status.kind !== 'file') return { kind: 'other', what: status.kind };
  // It is run as root.
  if (status.uid !== 0 && status.uid !== uid) return { kind: 'other', what: 'file of another user' };
  return { kind: 'file', digest: digestFile(root, path), mode: status.mode };
}

/** @throws {ActivateError} `REFUSED` where something cannot be written or removed, before anything is */
export function refuseUnwritable({ root }: Machine, steps: readonly FileStep[]): void {
  const paths = steps.filter(({ action }) => action !== 'keep' && action !== 'leave').map(pathOf);
  for (const directory of new Set(paths.map(parentOf))) {
    const all = [...ancestorsOf(directory), directory];
    const there = all.findLast((path) => readStatus(root, path) !== undefined) ?? ('/' as TargetPath);
    const status = readStatus(root, there);
    const why =
      status?.kind !== 'directory'
        ? `a ${status?.kind ?? 'missing directory'} is in place of a directory`
        : canWriteDirectory(root, there) === 'yes'
          ? undefined
          : 'nothing can be written here';
    if (why === undefined) continue;
    throw new ActivateError('REFUSED', `${why}: the boot hook has files below`, {
      path: hostPath(root.path, there),
      hint: why.startsWith('nothing') ? 'Remount it read-write, or run this as root.' : 'Make it a directory.',
    });
  }
}

/**
 * Writes and removes files, each at once or not at all, and durably once this returns.
 *
 * @param records what is ours while this is under way, and afterwards: a crash leaves nothing that is nobody's
 */
export function writeSteps(
  machine: Machine,
  steps: readonly FileStep[],
  { before, after }: { readonly before: HooksRecord; readonly after: HooksRecord | undefined },
): void {
  const { root } = machine;
  makeDirectories(root, STATE, 0o755);
  writeSealed(root, HOOKS_RECORD, [renderHooksRecord(before)]);
  for (const step of steps) writeStep(machine, step);
  const directories = before.directories.toReversed().filter((path) => !tidyDirectory(machine, path, steps));
  for (const path of new Set(steps.map((step) => topOf(machine, pathOf(step))))) syncFilesystem(root, path);
  if (after === undefined) removeRecord(root, HOOKS_RECORD);
  else writeSealed(root, HOOKS_RECORD, [renderHooksRecord({ ...after, directories: directories.toReversed() })]);
}

function writeStep({ root }: Machine, step: FileStep): void {
  const path = pathOf(step);
  if (step.action === 'remove') removeFile(root, path);
  if (step.action !== 'create' && step.action !== 'replace') return;
  makeDirectories(root, parentOf(path), 0o755);
  const { file } = step;
  if ('linkText' in file) {
    const fresh = `${parentOf(path)}/.activate.${nameOf(path)}` as TargetPath;
    replaceSymlink(root, path, file.linkText, fresh);
  } else {
    writeRecord(root, path, [file.bytes], file.mode);
  }
}

/** Removes a directory of ours that is empty now; whether it went. */
function tidyDirectory({ root }: Machine, path: TargetPath, steps: readonly FileStep[]): boolean {
  if (!steps.some(({ action }) => action === 'remove')) return false;
  if (readStatus(root, path)?.kind !== 'directory' || listDirectory(root, path).length > 0) return false;
  removeDirectory(root, path);
  return true;
}

/** The nearest directory above that is there. */
function topOf({ root }: Machine, path: TargetPath): TargetPath {
  return ancestorsOf(path).findLast((each) => readStatus(root, each)?.kind === 'directory') ?? ('/' as TargetPath);
}
