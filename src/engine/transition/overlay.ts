import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, parentOf, type TargetPath } from '../../core/path';
import { imageName, isImage } from '../../core/records/overlay';
import { overlayPathOf } from '../../core/wrapper';
import { changeMode, changeOwner, makeDirectories, makeDirectory, removeFile } from '../../system/tree/changing';
import { copyFile, createFile } from '../../system/tree/copying';
import { copyTree, readHostBytes, resolveHostPath } from '../../system/host/host-files';
import { protectTree } from '../../system/tree/protecting';
import { digestFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import { effectiveUser } from '../../system/syscalls/libc';
import type { Addition, Closure } from '../closure/closure';
import { fillContents } from '../closure/contents';
import { heldDescriptors, type Machine } from '../state/machine';
import type { Destination } from '../deciding/prepare';

/**
 * Brings what carries the overlay into the generation, where it is not in a store or used where it lies: a copy of the roots, or
 * of the image. It is made sure that the copy is what was planned; nobody can write it afterwards.
 */
export async function carryOverlay(machine: Machine, to: Destination, staging: TargetPath): Promise<void> {
  const { closure, imagePath } = to;
  if (closure === undefined || closure.carrier.kind === 'store' || imagePath !== undefined) return;
  if (isImage(closure.carrier))
    return copyImage(machine, closure, joinTarget(staging, imageName(closure.carrier.kind)));
  const tree = joinTarget(staging, 'tree');
  await copyOverlay(machine, closure, tree);
  refuseChanged(machine, closure, tree);
  dressSources(machine, closure, tree);
  protectTree(machine.root, tree);
}

function copyImage({ root }: Machine, { carrier, imageFile = '', name }: Closure, to: TargetPath): void {
  copyFile(root, imageFile, to, { mode: 0o600, uid: 0, gid: 0 });
  const status = readStatus(root, to);
  if (!isImage(carrier) || status?.sizeBytes !== carrier.sizeBytes || digestFile(root, to) !== carrier.digest)
    throw changedWhileRead(name);
  protectTree(root, to);
}

/** What a copy may not show to everybody, its source in the record may not either. */
function dressSources({ root }: Machine, { manifest }: Closure, tree: TargetPath): void {
  for (const entry of manifest.entries) {
    if ((entry.place !== 'copy' && entry.place !== 'seed') || entry.kind !== 'file' || !entry.restyled) continue;
    const source = (tree + entry.path) as TargetPath;
    changeOwner(root, source, entry.uid, entry.gid);
    changeMode(root, source, entry.mode);
  }
}

/** Copies what the closure has for each root to `tree`, which is made. */
export async function copyOverlay(machine: Machine, closure: Closure, tree: TargetPath): Promise<void> {
  const { root } = machine;
  makeDirectory(root, tree, 0o755);
  for (const target of closure.manifest.roots) {
    const from = resolveHostPath(`${closure.hostPath}${target}`);
    if (from === undefined) continue;
    const to = (tree + target) as TargetPath;
    makeDirectories(root, parentOf(to), 0o755);
    await copyTree(from as never, hostPath(root.path, to), heldDescriptors(machine));
  }
  for (const addition of closure.additions) addTo(root, tree, addition);
  refuseOtherSources(root, closure, tree);
}

/** @throws {ActivateError} `IO` where the bytes of a wrapper are not those that were read */
function refuseOtherSources(root: Root, { manifest, additions }: Closure, tree: TargetPath): void {
  for (const wrapper of manifest.wrappers ?? []) {
    const path = overlayPathOf(wrapper);
    if (path === undefined || digestFile(root, (tree + path) as TargetPath) === wrapper.digest) continue;
    const from = additions.find((each) => each.path === path)?.content;
    throw changedWhileRead(from !== undefined && 'hostPath' in from ? from.hostPath : path);
  }
}

/** Puts a file that is not below the closure's roots into the overlay. */
function addTo(root: Root, tree: TargetPath, { path, content, mode, uid, gid }: Addition): void {
  const to = (tree + path) as TargetPath;
  makeDirectories(root, parentOf(to), 0o755);
  if (readStatus(root, to) !== undefined) removeFile(root, to);
  const bytes = 'bytes' in content ? content.bytes : readHostBytes(content.hostPath);
  // Whoever is not root owns all of the overlay.
  createFile(root, to, effectiveUser() === 0 ? { mode, uid, gid } : { mode }, bytes);
}

function refuseChanged(machine: Machine, closure: Closure, tree: TargetPath): void {
  const hostPathOf = (path: TargetPath): string => hostPath(machine.root.path, (tree + path) as TargetPath);
  const { entries } = closure.manifest;
  const again = fillContents({ machine, listing: closure.listing, hostPathOf, known: entries }, entries).entries;
  const changed = entries.find((entry, index) => {
    const copied = again[index];
    return 'digest' in entry && copied !== undefined && 'digest' in copied && copied.digest !== entry.digest;
  });
  if (changed !== undefined) throw changedWhileRead(`${closure.name}${changed.path}`);
}

function changedWhileRead(path: string): ActivateError {
  return new ActivateError('IO', 'the closure changed while it was being read', {
    path,
    hint: 'Wait until it is complete, and switch again.',
  });
}
