import { foreignDirectories } from '../closure/desired';
import { type Entry, POINTER } from '../entry';
import { ancestorsOf, joinTarget, type TargetPath } from '../path';
import type { Gone, MadeAt } from '../plan/step';
import { sourceOf, type Wrapper, wrapperDirectoryName, WRAPPERS, WRAPPERS_LINK } from '../wrapper';
import { renderSnippet, type SnippetLine, whyNotRepresentable } from './snippet';

/**
 * The snippet that makes a generation from nothing: the pointer first, then each entry, parents before children.
 *
 * Where something is there already it is left alone, so that the snippet can run at every boot.
 *
 * @param overlay the text of the pointer; copies are made from there, because the pointer does not exist yet while
 *   systemd-tmpfiles reads the snippet
 */
export function fullSnippet(entries: readonly Entry[], overlay: string): string {
  return [...fullSnippetPieces(entries, overlay)].join('');
}

/** {@link fullSnippet} in pieces. */
export function* fullSnippetPieces(
  entries: readonly Entry[],
  overlay: string,
  { wrappers, generation }: SnippetWrappers = none,
): Generator<string> {
  const foreign = foreignDirectories(entries);
  const pointer = { type: 'pointer', path: POINTER, linkText: overlay } as const;
  yield renderSnippet(
    ['Made by activate: shows one generation on a machine where nothing of it is there yet.'],
    [pointer],
  );
  for (const entry of entries) {
    if (foreign.size > 0 && ancestorsOf(entry.path).some((ancestor) => foreign.has(ancestor))) continue;
    const isWhole = foreign.get(entry.path) === true;
    yield renderSnippet(
      [],
      [isWhole ? { type: 'copy-tree', path: entry.path, source: overlay + entry.path } : lineOf(entry, overlay)],
    );
  }
  if (wrappers.length > 0) yield renderSnippet([], wrapperLines(wrappers, generation, overlay));
}

/** The wrappers that a full snippet makes, and whose they are; 0 for those of a bundle. */
export interface SnippetWrappers {
  readonly wrappers: readonly Wrapper[];
  readonly generation: number;
}

const none: SnippetWrappers = { wrappers: [], generation: 0 };

/** The link comes last: it leads to a directory that is complete, but for capabilities, which a unit sets. */
function wrapperLines(wrappers: readonly Wrapper[], generation: number, overlay: string): SnippetLine[] {
  const name = wrapperDirectoryName(generation);
  const directory = joinTarget(WRAPPERS, name);
  const plain = { mode: 0o755, uid: 0, gid: 0 };
  return [
    { type: 'directory', path: WRAPPERS, ...plain },
    { type: 'named-directory', path: directory, ...plain },
    ...wrappers.map((wrapper) => wrapperLine(wrapper, directory, overlay)),
    { type: 'link', path: WRAPPERS_LINK, linkText: name },
  ];
}

function wrapperLine(wrapper: Wrapper, directory: TargetPath, overlay: string): SnippetLine {
  const { name, mode, uid, gid } = wrapper;
  return { type: 'copy', path: joinTarget(directory, name), mode, uid, gid, source: sourceOf(wrapper, overlay) };
}

/** Why systemd-tmpfiles could not make a wrapper; `undefined` where it can. */
export function whyNotWrapped(wrapper: Wrapper, overlay: string): string | undefined {
  return whyNotRepresentable(wrapperLine(wrapper, WRAPPERS, overlay));
}

/** The snippet of one transition, in pieces: what `--create` makes and what `--remove` removes. */
export function* transitionSnippetPieces(created: readonly MadeAt[], removed: readonly Gone[]): Generator<string> {
  yield renderSnippet(['Made by activate: goes from one generation to the next.'], []);
  for (const { path, made } of created) {
    if (made.kind === 'symlink') yield renderSnippet([], [{ type: 'link', path, linkText: made.linkText }]);
    else if (made.kind === 'directory') yield renderSnippet([], [directoryLine(path, made)]);
  }
  for (const { path } of removed) yield renderSnippet([], [{ type: 'remove', path }]);
}

function lineOf(entry: Entry, overlay: string): SnippetLine {
  const { path } = entry;
  if (entry.place === 'link') return { type: 'link', path, linkText: POINTER + path };
  if (entry.kind === 'symlink') return { type: 'link', path, linkText: entry.linkText };
  if (entry.kind === 'directory') return directoryLine(path, entry);
  const source = entry.source ?? overlay + path;
  // A line with a mode would set that again at every boot, whatever the machine made of its file since.
  if (!entry.restyled) return { type: 'copy-tree', path, source };
  const { mode, uid, gid } = entry;
  return { type: 'copy', path, mode, uid, gid, source };
}

/** Why systemd-tmpfiles could not make an entry; `undefined` where it can. */
export function whyNotPlaceable(entry: Entry, overlay: string): string | undefined {
  return whyNotRepresentable(lineOf(entry, overlay));
}

function directoryLine(
  path: TargetPath,
  {
    mode,
    uid,
    gid,
    named,
  }: { readonly mode: number; readonly uid: number; readonly gid: number; readonly named?: boolean },
): SnippetLine {
  return { type: named === true ? 'named-directory' : 'directory', path, mode, uid, gid };
}
