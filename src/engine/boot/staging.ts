import { encodePieces } from '../../core/bytes';
import { BOOT_LEDGER, BOOT_LIST, bootLedgerPieces, bootListPieces } from '../../core/boot/boot-list';
import { joinTarget, parentOf, type TargetPath } from '../../core/path';
import { type Generation, generationDirectory } from '../../core/records/generation';
import type { Ledger } from '../../core/records/ledger';
import type { Manifest } from '../../core/records/manifest';
import bringScript from '../../hooks/bring.sh' with { type: 'text' };
import { makeDirectories, replacePath, syncFilesystem } from '../../system/tree/changing';
import { createFile, createFileFrom } from '../../system/tree/copying';
import { readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import type { Root } from '../../system/tree/rooted';
import { findRecorded, readState } from '../state/generations';
import type { Machine } from '../state/machine';

// What a generation holds for a boot without `activate`.

/** Writes what a boot has to know of a generation, and the script that understands it, into the directory of the generation. */
export function writeBootFiles(root: Root, directory: TargetPath, generation: Generation, { entries }: Manifest): void {
  const list = joinTarget(directory, BOOT_LIST);
  makeDirectories(root, parentOf(list), 0o755);
  // It has the digests of files that not everyone may read.
  createFileFrom(root, list, { mode: 0o600 }, encodePieces(bootListPieces(generation, entries)));
  createFile(root, joinTarget(directory, BRING), { mode: 0o644 }, new TextEncoder().encode(bringScript));
}

/** The script beside the boot list. */
const BRING = 'boot/bring.sh';

/** Writes what a boot has to know of generations that an older `activate` made; done already is done. */
export function completeBootFiles(machine: Machine): void {
  const { root } = machine;
  for (const number of readState(machine).numbers) {
    const directory = generationDirectory(number);
    const isThere = readStatus(root, joinTarget(directory, BOOT_LIST)) !== undefined;
    const recorded = isThere ? undefined : findRecorded(machine, number);
    if (recorded === undefined) continue;
    const { generation, manifest, ledger } = recorded;
    removeTree(root, joinTarget(directory, BRING));
    writeBootFiles(root, directory, generation, manifest);
    writeBootLedger(root, directory, ledger);
    adoptBootLedger(root, directory);
    syncFilesystem(root, directory);
  }
}

/** Writes what a ledger means for a boot; {@link adoptBootLedger} makes it count. */
export function writeBootLedger(root: Root, directory: TargetPath, ledger: Ledger): void {
  const next = joinTarget(directory, `${BOOT_LEDGER}.next`);
  makeDirectories(root, parentOf(next), 0o755);
  removeTree(root, next);
  createFileFrom(root, next, { mode: 0o600 }, encodePieces(bootLedgerPieces(ledger)));
}

/** Done already is done. */
export function adoptBootLedger(root: Root, directory: TargetPath): void {
  const ledger = joinTarget(directory, BOOT_LEDGER);
  if (readStatus(root, `${ledger}.next` as TargetPath) !== undefined)
    replacePath(root, `${ledger}.next` as TargetPath, ledger);
}

/** Takes back what {@link writeBootLedger} wrote. */
export function dropBootLedger(root: Root, directory: TargetPath): void {
  removeTree(root, `${joinTarget(directory, BOOT_LEDGER)}.next` as TargetPath);
}
