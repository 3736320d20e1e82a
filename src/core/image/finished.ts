import type { Item } from '../closure/listing';
import type { Entry } from '../entry';
import { isBelow, type TargetPath } from '../path';

/** What is known of files and directories once they are in an image. */
export interface Known {
  readonly contents: ReadonlyMap<TargetPath, { readonly digest: string; readonly sizeBytes: number }>;
  readonly modes: ReadonlyMap<TargetPath, number>;
}

/**
 * The entries of what is in an image: with digests, and with the image as the source of every copy, where owner and mode are
 * those of the copy.
 *
 * @param items what the image has, a directory right before what is in it
 * @param digestOf the SHA-256 of a text
 */
export function finishedEntries(
  entries: readonly Entry[],
  items: readonly Item[],
  { contents, modes, digestOf }: Known & { readonly digestOf: (text: string) => string },
): Entry[] {
  return entries.map((entry) => {
    if (entry.kind === 'symlink') return entry;
    if (entry.kind === 'whole-directory')
      return { ...entry, digest: digestOf(linesOf(entry.path, items, { contents, modes })) };
    const mode = modes.get(entry.path) ?? entry.mode;
    if (entry.kind === 'directory') return { ...entry, mode };
    if ('source' in entry && entry.source !== undefined) return entry;
    const filled = { ...entry, mode, ...contents.get(entry.path) };
    return filled.place === 'link' ? filled : { ...filled, restyled: false };
  });
}

/** All that is in a directory, a line each: what the digest of a whole directory is over. */
function linesOf(directory: TargetPath, items: readonly Item[], { contents, modes }: Known): string {
  const start = items.findIndex(({ path }) => path === directory) + 1;
  const lines: string[] = [];
  for (let at = start; ; at += 1) {
    const item = items[at];
    if (item === undefined || !isBelow(item.path, directory)) return lines.join('\n');
    const mode = modes.get(item.path);
    const seen = item.kind === 'symlink' || mode === undefined ? item : { ...item, mode };
    const digest = contents.get(item.path)?.digest;
    lines.push(JSON.stringify(seen.kind === 'file' ? [seen, digest] : seen));
  }
}
