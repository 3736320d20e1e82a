import { encodeName } from '../bytes';
import { type Entry, type Ownership, POINTER, STATE } from '../entry';
import { comparePaths, joinTarget, type TargetPath } from '../path';
import type { Phases } from '../plan/plan';
import { isAside } from '../plan/draft';
import type { Gone, Made } from '../plan/step';
import { carrierPath, type Generation } from '../records/generation';
import type { Ledger } from '../records/ledger';
import { isImage } from '../records/overlay';

/*
 * What the script that runs at boot knows of a generation: shell commands, one a line, because that is what a shell reads
 * fastest and gets right whatever bytes a name has. The commands are functions of that script:
 *
 *   g 1 CARRIER OVERLAY FILE KEPT DIGEST           what shows it; store, tree, squashfs or erofs; on disk or in memory
 *   l KEY PATH [DIGEST | '' TEXT]                  a link through the pointer, and what it leads to in the overlay
 *   s KEY PATH TEXT                                a link with a text of its own
 *   c KEY PATH DIGEST MODE UID GID                 a copy
 *   e KEY PATH                                     a seed
 *   d KEY PATH MODE UID GID                        a directory
 *   k KEY PATH                                     the machine's own was left here
 *   a KEY                                          a directory that was the machine's own before
 *   b KEY NUMBER PATH                              the backup that holds what the machine had here
 *   m PATH TEXT                                    a link that waits to take a place
 *   x PATH ASIDE, p PATH ASIDE, q PATH ASIDE       what is exchanged, takes its place, or is parked
 *   f NUMBER ASIDE                                 where a backup is that is about to come back
 *   z                                              the end: what has none is not whole
 *
 * KEY is the path as the name of a variable.
 */

/** The file in a generation that says what it places. */
export const BOOT_LIST = 'boot/entries.sh';

/** The file in a generation that says what its ledger means for a boot. */
export const BOOT_LEDGER = 'boot/ledger.sh';

/** The file that lies beside the journal of a transition. */
export const BOOT_TRANSITION = joinTarget(STATE, 'transition.sh');

/** The boot list of a generation, in pieces. */
export function* bootListPieces(generation: Generation, entries: Iterable<Entry>): Generator<string> {
  const { carrier, overlay, resident } = generation;
  const digest = isImage(carrier) ? [carrier.digest] : [];
  yield command('g', '1', carrier.kind, overlay, carrierPath(generation), resident ? 'memory' : 'disk', ...digest);
  for (const entry of entries) yield lineOf(entry);
  yield END;
}

/** What a ledger means for the boot: the paths that are left alone, and what comes back when a path is given up. */
export function* bootLedgerPieces({ kept, adopted, displaced }: Ledger): Generator<string> {
  for (const path of kept.keys()) yield command('k', keyOf(path), path);
  for (const path of adopted.keys()) yield command('a', keyOf(path));
  for (const [path, backup] of [...displaced].toSorted(([a], [b]) => comparePaths(a, b)))
    yield command('b', keyOf(path), String(backup), path);
  yield END;
}

/**
 * The links and directories that a transition makes where nothing was, or removes: a boot after a crash keeps those that the
 * generation has which it shows, and takes the others away.
 */
export function* bootJournalPieces({ create, swap, remove }: Phases): Generator<string> {
  for (const step of [...create, ...swap, ...remove]) {
    if (step.op === 'create') for (const { path, made } of step.objects) yield objectLine(path, made);
    else if (step.op === 'remove') for (const { path, was } of step.objects) yield objectLine(path, was);
    else if (step.op === 'make' && !step.path.split('/').some(isAside)) yield objectLine(step.path, step.made);
    else if (step.op === 'make' && step.made.kind === 'symlink') yield command('m', step.path, step.made.linkText);
    else if (step.op === 'exchange') yield command('x', step.path, step.aside);
    else if (step.op === 'place') yield command('p', step.path, step.aside);
    else if (step.op === 'park') yield command('q', step.path, step.aside);
    else if (step.op === 'fetch') yield command('f', String(step.backup), step.aside);
  }
  yield END;
}

const END = 'z\n';

function lineOf(entry: Entry): string {
  const { path } = entry;
  const key = keyOf(path);
  switch (entry.place) {
    case 'link':
      if (entry.kind === 'symlink') return command('l', key, path, '', entry.linkText);
      return entry.kind === 'file' && entry.digest !== ''
        ? command('l', key, path, entry.digest)
        : command('l', key, path);
    case 'direct':
      return command('s', key, path, entry.linkText);
    case 'copy': {
      return command('c', key, path, entry.digest, ...ownershipOf(entry));
    }
    case 'seed':
      return command('e', key, path);
    case 'directory':
      return command('d', key, path, ...ownershipOf(entry));
  }
}

/** A file is a copy of something that a boot does not know: it is left to `activate resume`. */
function objectLine(path: TargetPath, object: Made | Gone['was']): string {
  if (object.kind === 'directory') return command('d', keyOf(path), path, ...ownershipOf(object));
  if (object.kind === 'file') return '';
  const isThroughPointer = object.linkText === POINTER + path;
  return isThroughPointer ? command('l', keyOf(path), path) : command('s', keyOf(path), path, object.linkText);
}

function ownershipOf({ mode, uid, gid }: Ownership): string[] {
  return [mode.toString(8), String(uid), String(gid)];
}

/** A path as part of the name of a shell variable; other paths have other names. */
function keyOf(path: string): string {
  if (ASCII.test(path)) return path.slice(1).replace(OTHER, (character) => NAMES[character.charCodeAt(0)] ?? '');
  let key = '';
  for (const byte of encodeName(path.slice(1))) key += NAMES[byte];
  return key;
}

const ASCII = /^[\x01-\x7f]*$/;
const OTHER = /[^0-9A-Za-z]/g;
const NAMES = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[0-9A-Za-z]/u.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
});

function command(name: string, ...args: readonly string[]): string {
  return `${[name, ...args.map(quote)].join(' ')}\n`;
}

/** A word of a shell command, whatever is in it. */
function quote(word: string): string {
  return /^[\w./:@+-]+$/u.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
