import { ActivateError } from '../errors';
import type { Entry } from '../entry';
import { comparePaths, parseTargetPath, type TargetPath } from '../path';
import type { Wrapper } from '../wrapper';
import { isWrapperList } from './wrapper-list';

/** What a generation makes of a closure: its entries, each path once, a directory right before what is below it. */
export interface Manifest {
  readonly format: ClosureFormat;
  readonly roots: readonly TargetPath[];
  readonly entries: readonly Entry[];
  /** Sorted by name; left out where there are none. */
  readonly wrappers?: readonly Wrapper[];
}

export const closureFormats = ['nixos', 'guix', 'tree'] as const;
export type ClosureFormat = (typeof closureFormats)[number];

/** The digests of files that not everyone may read; they are kept apart, where only root sees them. */
export type WithheldDigests = Readonly<Record<string, string>>;

const SCHEMA = 1;

/**
 * The manifest as JSON, an entry a line; the same entries give the same bytes.
 *
 * Digests of files that not everyone may read are left out: see {@link withheldDigests}.
 */
export function renderManifest(manifest: Manifest): string {
  return [...manifestPieces(manifest)].join('');
}

/** {@link renderManifest} line by line: a manifest can be larger than everything else in memory. */
export function* manifestPieces({ format, roots, entries, wrappers = [] }: Manifest): Generator<string> {
  const head = JSON.stringify({ schema: SCHEMA, format, roots, ...(wrappers.length === 0 ? {} : { wrappers }) });
  yield `${head.slice(0, -1)},"entries":[\n`;
  const last = entries.length - 1;
  for (let index = 0; index <= last; index += 1) {
    const entry = entries[index];
    if (entry === undefined) continue;
    yield renderEntry(entry);
    yield index === last ? '\n' : ',\n';
  }
  yield ']}\n';
}

/** Whether two entries are the same in every field. */
export function isSameRecord(a: Entry, b: Entry): boolean {
  for (const name in a) if (a[name as keyof Entry] !== b[name as keyof Entry]) return false;
  for (const name in b) if (!(name in a)) return false;
  return true;
}

function renderEntry(entry: Entry): string {
  return JSON.stringify(isWithheld(entry) ? { ...entry, digest: '' } : entry);
}

/** What {@link renderManifest} leaves out. */
export function withheldDigests(manifest: Manifest): WithheldDigests {
  const digests: Record<string, string> = {};
  for (const entry of manifest.entries) if (isWithheld(entry)) digests[entry.path] = entry.digest;
  return digests;
}

/**
 * The inverse of {@link renderManifest}.
 *
 * @param withheld what was left out; a file whose digest is not in it has an empty one, and is never equal to another
 * @throws {ActivateError} `STATE` where the text is no manifest, or was written by a newer version
 */
export function parseManifest(text: string, withheld: WithheldDigests, file: string): Manifest {
  const lines = linesOf(text);
  const head = parseHead(lines.next().value ?? '', file);
  const entries: Entry[] = [];
  let last = '';
  for (const line of lines) {
    if (last === END) throw broken(file, 'something follows its end');
    last = line;
    if (line === END) continue;
    const entry = parseEntry(line.endsWith(',') ? line.slice(0, -1) : line, file);
    const previous = entries.at(-1);
    if (previous !== undefined && comparePaths(previous.path, entry.path) >= 0)
      throw broken(file, `entries are out of order at ${entry.path}`);
    const digest = withheld[entry.path];
    entries.push(digest === undefined || entry.kind !== 'file' ? entry : { ...entry, digest });
  }
  if (last !== END) throw broken(file, 'it ends too early');
  return { ...head, entries };
}

const END = ']}';

/** Line by line, so that the parts of a large record that were read can be forgotten. */
function* linesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const to = end < 0 ? text.length : end;
    if (to > at) yield text.slice(at, to);
    at = to + 1;
  }
}

function parseHead(line: string, file: string): Omit<Manifest, 'entries'> {
  // A newer version may lay it out in another way, and would still begin with the schema.
  const schema = /^\s*\{\s*"schema"\s*:\s*(\d+)/u.exec(line)?.[1];
  if (schema !== undefined) checkSchema(Number(schema), file);
  const head = parseJson(`${line}${END}`, file);
  if (!isRecord(head)) throw broken(file, 'it is not a JSON object');
  checkSchema(head['schema'], file);
  const { format, roots, wrappers } = head;
  const isHead =
    isFormat(format) &&
    Array.isArray(roots) &&
    roots.every((root) => typeof root === 'string' && parseTargetPath(root) === root);
  if (!isHead) throw broken(file, 'it lacks a format, roots or entries');
  if (wrappers === undefined) return { format, roots };
  if (!isWrapperList(wrappers)) throw broken(file, 'its wrappers are malformed');
  return { format, roots, wrappers };
}

function isFormat(value: unknown): value is ClosureFormat {
  return closureFormats.some((format) => format === value);
}

function parseEntry(line: string, file: string): Entry {
  const entry = parseJson(line, file);
  if (!isEntry(entry)) throw broken(file, `an entry is malformed: ${line.slice(0, 200)}`);
  return entry;
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw broken(file, 'it is not JSON', error);
  }
}

/**
 * Refuses a record whose layout this version does not know.
 *
 * @throws {ActivateError} `STATE`
 */
export function checkSchema(schema: unknown, file: string): void {
  if (schema === SCHEMA) return;
  if (typeof schema === 'number' && schema > SCHEMA) {
    throw new ActivateError('STATE', `written by a newer activate (schema ${schema}; this one knows ${SCHEMA})`, {
      path: file,
      hint: 'Use the activate that wrote it, or a newer one.',
    });
  }
  throw broken(file, 'it has no schema number');
}

function broken(file: string, why: string, cause?: unknown): ActivateError {
  return new ActivateError('STATE', `the record is damaged: ${why}`, {
    path: file,
    hint: 'Restore it from a backup, or switch to another generation.',
    cause,
  });
}

function isWithheld(entry: Entry): entry is Entry & { readonly digest: string } {
  return entry.kind === 'file' && (entry.mode & 0o004) === 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Cheap enough for 100,000 entries, strict enough that nothing malformed reaches a system call. */
function isEntry(value: unknown): value is Entry {
  if (!isRecord(value)) return false;
  const path = value['path'];
  if (typeof path !== 'string' || !/^\/[^\0]*$/su.test(path) || /\/(?:\.{0,2}\/|\.{0,2}$)/u.test(path)) return false;
  const kinds = kindsOf[String(value['place'])];
  return kinds?.includes(String(value['kind'])) === true && hasFields(value);
}

const kindsOf: Readonly<Record<string, readonly string[]>> = {
  link: ['symlink', 'file', 'whole-directory'],
  direct: ['symlink'],
  copy: ['file'],
  seed: ['file', 'symlink'],
  directory: ['directory'],
};

function hasFields(value: Record<string, unknown>): boolean {
  const { linkText, digest, source, named, place, restyled } = value;
  switch (value['kind']) {
    case 'symlink':
      return typeof linkText === 'string' && linkText !== '' && !linkText.includes('\0');
    case 'file':
      return (
        hasOwnership(value) &&
        isCount(value['sizeBytes']) &&
        typeof digest === 'string' &&
        isAbsent(source, 'string') &&
        (place === 'link' || typeof restyled === 'boolean')
      );
    case 'directory':
      return hasOwnership(value) && typeof named === 'boolean';
    default:
      return typeof digest === 'string';
  }
}

function hasOwnership(value: Record<string, unknown>): boolean {
  return (
    isCount(value['mode']) && (value['mode'] as number) <= 0o7777 && isCount(value['uid']) && isCount(value['gid'])
  );
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAbsent(value: unknown, type: string): boolean {
  return value === undefined || typeof value === type;
}
