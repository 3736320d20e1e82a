import { fchmodSync, fsyncSync, writeFileSync } from 'node:fs';
import type { TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { readFile } from './reading';
import { type Root, withDescriptor, withParent, withParentIfThere } from './rooted';
import { errnoOf, isAbsence, must } from '../syscalls/errno';
import { open, openAt, renameAt, syncFilesystemOf, unlinkAt } from '../syscalls/files';
import { statusAt } from '../syscalls/status';

/** How the name of an unfinished record begins. One that a crash left behind is of no use to anyone. */
const UNFINISHED = '.activate.record.';

/**
 * Puts content that comes in pieces at `path`, in place of a file that may be there: after a crash at any point the whole old or the whole new
 * record is there, and once this returns the new one survives a power cut.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`; the old record is there then.
 */
export function writeRecord(root: Root, path: TargetPath, pieces: Iterable<Uint8Array>, mode = 0o644): void {
  attempt('write the record', path, () =>
    withParent(root, path, (directory, name) => {
      const unfinished = `${UNFINISHED}${crypto.randomUUID()}`;
      const flags = open.writeOnly | open.create | open.exclusive | open.noFollow;
      withDescriptor(openAt(directory, unfinished, flags, 0o600), path, (created) => {
        try {
          for (const piece of pieces) writeFileSync(created, piece);
          fchmodSync(created, mode);
          fsyncSync(created);
          must(renameAt([directory, unfinished], [directory, name], 'replace'), 'renameat2', path);
        } catch (error) {
          unlinkAt(directory, unfinished, 'file');
          throw error;
        }
      });
      withDescriptor(openAt(directory, '.', open.readOnly | open.directory), path, fsyncSync);
    }),
  );
}

/**
 * Removes a record; fine where none is.
 *
 * @returns whether a power cut can bring it back: that it could not be synced is no failure, it is gone
 * @throws {ActivateError} `IO` or `PERMISSION`
 */
export function removeRecord(root: Root, path: TargetPath): 'durable' | 'in memory' {
  const outcome = attempt('remove the record', path, () =>
    withParentIfThere(root, path, (directory, name) => {
      // On a read-only filesystem removing fails even where nothing is.
      if (isAbsence(statusAt(directory, name))) return 0;
      const removed = unlinkAt(directory, name, 'file');
      must(removed, 'unlinkat', path);
      const opened = openAt(directory, '.', open.readOnly | open.directory);
      return opened < 0 ? opened : withDescriptor(opened, path, syncFilesystemOf);
    }),
  );
  return outcome === undefined || outcome >= 0 ? 'durable' : 'in memory';
}

/** Whether a name is that of a record that a crash left unfinished. */
export function isUnfinishedRecord(name: string): boolean {
  return name.startsWith(UNFINISHED);
}

/** The bytes of a record; `undefined` where none is. Throws as {@link readFile} does. */
export function readRecord(root: Root, path: TargetPath): Uint8Array | undefined {
  try {
    return readFile(root, path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
