import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { itemsBelow, type Listing } from '../../core/closure/listing';
import type { TargetPath } from '../../core/path';
import { digestBytes, digestInRoot } from '../../system/host/host-files';
import { digestHostFile } from '../../system/tree/reading';
import type { Machine } from '../state/machine';

/** A file whose content this user may not read. */
export interface Unread {
  readonly path: TargetPath;
  readonly why: string;
}

interface Source {
  readonly machine: Machine;
  readonly listing: Listing;
  /** Where the closure has what it has for a path. */
  readonly hostPathOf: (path: TargetPath) => string;
  readonly known: readonly Entry[];
}

/** Reads what the files among the entries hold. */
export function fillContents(source: Source, entries: readonly Entry[]): { entries: Entry[]; unread: Unread[] } {
  const unread: Unread[] = [];
  const known = knownSources(source.known);
  const filled = entries.map((entry): Entry => {
    if (entry.kind === 'whole-directory') return { ...entry, digest: digestDirectory(source, entry.path, unread) };
    if (entry.kind !== 'file') return entry;
    if (!('source' in entry) || entry.source === undefined)
      return { ...entry, digest: digestOrNote(source, entry.path, unread) };
    const before = known.get(entry.source);
    if (before !== undefined) return { ...entry, ...before };
    return { ...entry, ...digestStoreFile(source, entry.path, entry.source) };
  });
  return { entries: filled, unread };
}

type Known = { readonly sizeBytes: number; readonly digest: string };

function knownSources(entries: readonly Entry[]): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const entry of entries) {
    if (entry.kind !== 'file' || !('source' in entry) || entry.source === undefined || entry.digest === '') continue;
    if (/^\/(?:nix|gnu)\/store\//u.test(entry.source))
      known.set(entry.source, { sizeBytes: entry.sizeBytes, digest: entry.digest });
  }
  return known;
}

/** A store file that is copied: the link is followed to its end, in the tree at the root. */
function digestStoreFile(
  { machine, listing }: Source,
  path: TargetPath,
  linkText: string,
): Known & { readonly source: string } {
  const found = digestInRoot(machine.root, linkText);
  if (found !== undefined) return found;
  throw new ActivateError('CLOSURE', `it is to be copied, and ${linkText} is no regular file`, {
    path,
    hint: `Mend the link in ${listing.closure}, or place it as a link.`,
  });
}

function digestOrNote({ hostPathOf }: Source, path: TargetPath, unread: Unread[]): string {
  try {
    return digestHostFile(hostPathOf(path));
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'PERMISSION') throw error;
    unread.push({ path, why: error.message });
    return '';
  }
}

/** One digest over all that is in a directory: names, kinds, modes, owners, link texts and contents. */
function digestDirectory(source: Source, directory: TargetPath, unread: Unread[]): string {
  const lines = itemsBelow(source.listing, directory).map((item) =>
    JSON.stringify(item.kind === 'file' ? [item, digestOrNote(source, item.path, unread)] : item),
  );
  return digestBytes(new TextEncoder().encode(lines.join('\n')));
}
