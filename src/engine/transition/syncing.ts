import { STATE } from '../../core/entry';
import { parentOf, type TargetPath } from '../../core/path';
import type { Journal } from '../../core/records/journal';
import { syncFilesystem } from '../../system/tree/changing';
import { readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';

/** Writes out every filesystem that a transition writes to, each once: nothing of links and renames is durable without. */
export function syncWritten({ root }: Machine, journal: Journal): void {
  const synced = new Set<string>();
  for (const path of [STATE, ...writtenDirectories(journal)]) {
    const status = readStatus(root, path);
    // What was a directory may have made room for a link meanwhile.
    if (status?.kind !== 'directory' || synced.has(status.device)) continue;
    synced.add(status.device);
    syncFilesystem(root, path);
  }
}

function writtenDirectories({ phases }: Journal): Set<TargetPath> {
  const directories = new Set<TargetPath>();
  for (const step of [...phases.create, ...phases.swap, ...phases.remove]) {
    if ('objects' in step) for (const { path } of step.objects) directories.add(parentOf(path));
    else if ('path' in step) directories.add(parentOf(step.path));
    else if ('aside' in step) directories.add(parentOf(step.aside));
  }
  return directories;
}
