import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, nameOf, type TargetPath } from '../../core/path';
import type { SourcedWrapper, Step } from '../../core/plan/step';
import {
  isWrapperDirectoryName,
  NEW_WRAPPERS_LINK,
  wrapperDifference,
  WRAPPERS,
  WRAPPERS_DEVICE,
  WRAPPERS_LINK,
  WRAPPERS_OPTIONS,
} from '../../core/wrapper';
import {
  changeMode,
  makeDirectories,
  makeDirectory,
  removeDirectory,
  removeFile,
  replaceSymlink,
} from '../../system/tree/changing';
import { createFile } from '../../system/tree/copying';
import { readHostBytes } from '../../system/host/host-files';
import { unmountLazily } from '../../system/mounts/mounting';
import { requireProgram, runProgram } from '../../system/programs';
import { listDirectory, readLinkText, readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import { errnoOf } from '../../system/syscalls/errno';
import { heldDescriptors, type Machine } from '../state/machine';
import { lookAtWrapper, wrapperLink, wrapperMount } from './looking';

/** A step that is about wrappers. */
export type WrapperStep = Extract<Step, { readonly op: `${string}-wrappers` }>;

export function isWrapperStep(step: Step): step is WrapperStep {
  return step.op.endsWith('-wrappers');
}

/**
 * Makes sure that the programs that wrappers need are there, before anything depends on them.
 *
 * @throws {ActivateError} `REFUSED`
 */
export function requireForWrappers(steps: readonly Step[]): void {
  for (const step of steps) {
    if (step.op === 'mount-wrappers') requireProgram('mount');
    if (step.op === 'make-wrappers' && step.wrappers.some(({ capabilities }) => capabilities !== undefined))
      requireProgram('setcap');
  }
}

/**
 * Carries out one step about wrappers; it can be done twice.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`, with the path
 */
export async function performWrapperStep(machine: Machine, step: WrapperStep): Promise<void> {
  switch (step.op) {
    case 'mount-wrappers':
      return mountWrappers(machine);
    case 'unmount-wrappers':
      return unmountWrappers(machine, step.directory);
    case 'make-wrappers':
      return makeWrappers(machine, step.directory, step.wrappers);
    case 'unmake-wrappers':
      return unmakeWrappers(machine, step.directory);
    case 'point-wrappers':
      return pointWrappers(machine, step.to);
  }
}

async function mountWrappers(machine: Machine): Promise<void> {
  const { root } = machine;
  makeDirectories(root, WRAPPERS, 0o755);
  if (wrapperMount(machine) !== undefined) return;
  const place = hostPath(root.path, WRAPPERS);
  await insist(machine, 'mount', ['-t', 'tmpfs', '-o', WRAPPERS_OPTIONS, WRAPPERS_DEVICE, place]);
}

/** Unmounts what we mounted, once nothing is in it any more; at once for everybody, whoever still uses it. */
function unmountWrappers(machine: Machine, directory: 'made' | 'there'): void {
  const { root } = machine;
  const mount = wrapperMount(machine);
  if (mount?.source === WRAPPERS_DEVICE && listDirectory(root, WRAPPERS).length === 0)
    unmountLazily(hostPath(root.path, WRAPPERS));
  if (directory === 'there') return;
  try {
    if (readStatus(root, WRAPPERS)?.kind === 'directory') removeDirectory(root, WRAPPERS);
  } catch (error) {
    if (!['ENOTEMPTY', 'EBUSY'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/** After a power cut it may be a boot that made it again, and the link leads to it. */
function unmakeWrappers(machine: Machine, directory: TargetPath): void {
  if (wrapperLink(machine) !== nameOf(directory)) removeTree(machine.root, directory);
}

/** Nobody may enter the directory before all in it are complete. */
async function makeWrappers(
  machine: Machine,
  directory: TargetPath,
  wrappers: readonly SourcedWrapper[],
): Promise<void> {
  const { root } = machine;
  if (readStatus(root, directory)?.mode === 0o755 && firstWrong(machine, directory, wrappers) === undefined) return;
  removeTree(root, directory);
  makeDirectory(root, directory, 0o700);
  for (const { name, mode, uid, gid, source } of wrappers) {
    // The bytes alone: an ACL or capabilities of the source would give rights that nobody asked for.
    const bytes = readHostBytes(hostPath(root.path, source));
    createFile(root, joinTarget(directory, name), { mode, uid, gid }, bytes);
  }
  const held = wrappers.flatMap(({ name, capabilities }) =>
    capabilities === undefined ? [] : [capabilities, hostPath(root.path, joinTarget(directory, name))],
  );
  if (held.length > 0) await insist(machine, 'setcap', held);
  const wrong = firstWrong(machine, directory, wrappers);
  if (wrong !== undefined) throw wrong;
  changeMode(root, directory, 0o755);
}

function firstWrong(
  machine: Machine,
  directory: TargetPath,
  wrappers: readonly SourcedWrapper[],
): ActivateError | undefined {
  for (const wrapper of wrappers) {
    const what = wrapperDifference(wrapper, lookAtWrapper(machine, joinTarget(directory, wrapper.name)));
    if (what === undefined) continue;
    return new ActivateError('IO', `the wrapper ${wrapper.name} cannot be made: ${what}`, {
      path: wrapper.source,
      hint: 'What it is made from changed since it was recorded, or the filesystem does not keep such files.',
    });
  }
  return undefined;
}

async function insist(machine: Machine, program: string, args: readonly string[]): Promise<void> {
  const { status, stderr } = await runProgram(program, args, { inherit: heldDescriptors(machine) });
  if (status === 0) return;
  throw new ActivateError('IO', `${program}: ${stderr.trim().split('\n')[0] || `status ${status}`}`, {
    path: args.at(-1) ?? '',
  });
}

/** Puts the link in place of an older one in one rename. */
function pointWrappers({ root }: Machine, text: string | undefined): void {
  if (text !== undefined) {
    if (readLinkText(root, WRAPPERS_LINK) !== text) replaceSymlink(root, WRAPPERS_LINK, text, NEW_WRAPPERS_LINK);
  } else if (readStatus(root, WRAPPERS_LINK) !== undefined) removeFile(root, WRAPPERS_LINK);
}

/**
 * Removes directories of wrappers that nobody finds any more: all but the live one and the one before, which whoever followed
 * the link an instant ago is about to look into. Without a live one the filesystem goes as well.
 */
export function discardWrappers(machine: Machine, steps: readonly Step[]): void {
  const step = steps.find((each) => each.op === 'point-wrappers');
  if (step?.op !== 'point-wrappers') return;
  discardWrappersBut(machine, step.to === undefined ? undefined : step.from);
  if (step.to === undefined) unmountWrappers(machine, 'made');
}

/** Removes all directories of wrappers but the live one and `kept`. */
export function discardWrappersBut(machine: Machine, kept?: string): void {
  const { root } = machine;
  const names = readStatus(root, WRAPPERS)?.kind === 'directory' ? listDirectory(root, WRAPPERS) : [];
  const live = wrapperLink(machine);
  for (const { name } of names)
    if (isWrapperDirectoryName(name) && name !== live && name !== kept) removeTree(root, joinTarget(WRAPPERS, name));
}
