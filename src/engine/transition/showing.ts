import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import {
  carrierPath,
  type Generation,
  generationDirectory,
  isMounted,
  MOUNTS,
  parseGenerationNumber,
} from '../../core/records/generation';
import { isImage } from '../../core/records/overlay';
import type { Mounts } from '../../core/report/generations-report';
import type { Shown } from '../../core/report/overlay-report';
import { makeDirectories, removeDirectory } from '../../system/tree/changing';
import { usedBytes } from '../../system/host/measuring';
import { mountImage, unmountLazily } from '../../system/mounts/mounting';
import { canWriteDirectory, listDirectory, readStatus } from '../../system/tree/reading';
import { findGeneration, readState } from '../state/generations';
import { heldDescriptors, type Machine } from '../state/machine';
import { copyToMemory } from './memory';

/**
 * Makes sure that what a generation shows is where its pointer will lead: an image is mounted, a copy in memory is made. Done
 * already is done.
 *
 * @throws {ActivateError} `IO`, `REFUSED`; nothing is mounted then
 */
export async function showOverlay(machine: Machine, generation: Generation): Promise<void> {
  const { root } = machine;
  const { overlay, carrier, resident } = generation;
  if (!isMounted(generation) || isShown(machine, overlay)) return;
  hide(machine, overlay);
  makeDirectories(root, overlay, 0o755);
  const file = hostPath(root.path, carrierPath(generation));
  const at = hostPath(root.path, overlay);
  if (!resident && isImage(carrier)) return mountImage({ kind: carrier.kind, file, at }, heldDescriptors(machine));
  try {
    await copyToMemory(machine, generation);
  } catch (error) {
    hide(machine, overlay);
    throw error;
  }
}

/** What can be seen of those generations that are shown through a mount. */
export function mountsOf({ root }: Machine, generations: readonly Generation[]): Mounts {
  const mounts: Record<number, Shown> = {};
  for (const generation of generations.filter(isMounted)) {
    const { number, overlay, resident } = generation;
    const mounted = isShown({ root }, overlay);
    const memoryBytes = resident && mounted ? usedBytes(hostPath(root.path, overlay)) : undefined;
    mounts[number] = { mounted, memoryBytes };
  }
  return mounts;
}

/**
 * Whether a generation can be seen where its pointer leads.
 *
 * What is mounted there is read-only once it is whole: a crash can leave a half copy in memory.
 */
export function isShown({ root }: Machine, overlay: TargetPath): boolean {
  const status = readStatus(root, overlay);
  if (status === undefined || !isMounted({ overlay })) return status !== undefined;
  return status.mountRoot && canWriteDirectory(root, overlay) === 'read-only';
}

/** The numbers at which something is mounted; their generations may have been those of another history. */
export function mountedNumbers({ root }: Machine): number[] {
  if (readStatus(root, MOUNTS)?.kind !== 'directory') return [];
  return listDirectory(root, MOUNTS)
    .filter(({ name }) => readStatus(root, joinTarget(MOUNTS, name))?.mountRoot === true)
    .map(({ name }) => parseGenerationNumber(name) ?? 0);
}

/**
 * Unmounts what nothing points at any more: neither live, default nor booted; and what a crash left half made. Whoever still
 * uses it keeps it; it goes when the last one lets go.
 */
export function hideUnused(context: Context, machine: Machine): void {
  const { root } = machine;
  if (readStatus(root, MOUNTS)?.kind !== 'directory') return;
  const { live, default: next, booted, pointer } = readState(machine);
  const needed = new Set([live, next, booted].map(String));
  for (const { name } of listDirectory(root, MOUNTS)) {
    const overlay = joinTarget(MOUNTS, name);
    const isNeeded = needed.has(name) && isShown(machine, overlay);
    if (parseGenerationNumber(name) === undefined || isNeeded || pointer === overlay) continue;
    try {
      hide(machine, overlay);
    } catch (error) {
      if (!(error instanceof ActivateError)) throw error;
      context.log.warn(`could not unmount what is not needed any more: ${error.message}`, { path: error.path });
    }
  }
}

/** Unmounts what a generation shows, where it is mounted. */
export function hideGeneration(machine: Machine, number: number): void {
  hide(machine, joinTarget(MOUNTS, String(number)));
}

function hide({ root }: Machine, overlay: TargetPath): void {
  if (readStatus(root, overlay)?.mountRoot === true) unmountLazily(hostPath(root.path, overlay));
  if (readStatus(root, overlay) !== undefined) removeDirectory(root, overlay);
}

/** Makes sure that a recorded generation can be shown; 0 and what was never staged need nothing. */
export async function showGeneration(machine: Machine, number: number): Promise<void> {
  if (number === 0 || readStatus(machine.root, generationDirectory(number)) === undefined) return;
  const generation = findGeneration(machine, number);
  if (generation !== undefined) await showOverlay(machine, generation);
}
