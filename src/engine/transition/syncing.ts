import { STATE } from '../../core/entry';
import type { TargetPath } from '../../core/path';
import { syncFilesystem } from '../../system/changing';
import { readStatus } from '../../system/reading';
import type { Machine } from '../machine';

/** Writes out every filesystem that one of the paths, or the state directory, is on; each once. */
export function syncFilesystems({ root }: Machine, paths: Iterable<TargetPath>): void {
  const synced = new Set<string>();
  for (const path of new Set([STATE, ...paths])) {
    const device = readStatus(root, path)?.device;
    if (device === undefined || synced.has(device)) continue;
    synced.add(device);
    syncFilesystem(root, path);
  }
}
