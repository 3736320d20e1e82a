import type { OnConflict, OnDrift } from '../plan/decision';
import { type Placement, STATE } from '../entry';
import { ActivateError } from '../errors';
import { type Glob, parseGlob } from './glob';
import { comparePaths, isBelow, nameOf, parentOf, parseTargetPath, type TargetPath } from '../path';
import { complaint, isTable, type Key, readTable, type Spot, wordKey } from './policy-keys';
import { initrdKey, type InitrdRules, parseInitrdRules } from './initrd-rules';
import { readPolicyText } from './policy-text';
import { type Owner, ownerOfId, parseOwner } from '../closure/users';
import { ADDITIONS } from '../wrapper';
import { parseWrapperRules, type WrapperRule } from './wrapper-rules';

/** A placement, or that a path is left out altogether. */
export type Place = Placement | 'skip';

/** What a policy says about the paths that a pattern matches. */
export interface Rule {
  /** A pattern as in gitignore(5). */
  readonly match: string;
  readonly place?: Place;
  readonly mode?: number;
  readonly owner?: Owner;
  readonly group?: Owner;
  readonly onConflict?: OnConflict;
  readonly onDrift?: OnDrift;
  /** Where it stands, for messages: `built-in`, or e.g. `activation.toml:12: path[2]`, the second rule of the file. */
  readonly origin: string;
}

/** What the files of a closure cannot say. */
export interface Policy {
  /** Sorted, and none inside another. */
  readonly roots: readonly TargetPath[];
  /** The file's own; the first that matches wins. */
  readonly rules: readonly Rule[];
  /** Sorted by name. */
  readonly wrappers: readonly WrapperRule[];
  /** What an initrd gets; `undefined` where nothing is asked for. */
  readonly initrd: InitrdRules | undefined;
}

export const defaultPolicy: Policy = { roots: ['/etc' as TargetPath], rules: [], wrappers: [], initrd: undefined };

/** Each has a backup of the same name with a hyphen. */
const ACCOUNTS = ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'];
const MACHINE = ['machine-id', 'hostname', 'adjtime', 'resolv.conf', 'mtab', 'fstab'];
const HOST_KEYS = ['ssh/ssh_host_*_key', 'ssh/ssh_host_*_key.pub'];
const SEEDS = [...ACCOUNTS, ...ACCOUNTS.map((name) => `${name}-`), ...MACHINE, ...HOST_KEYS];

/** What holds where the policy's own rules say nothing: nobody is locked out of a machine unasked. */
export const builtInRules: readonly Rule[] = [
  builtIn('.pwd.lock', 'skip'),
  ...SEEDS.map((name) => builtIn(name, 'seed')),
  builtIn('sudoers', 'copy'),
  builtIn('sudoers.d/**', 'copy'),
];

const NEVER_LINKS: ReadonlySet<string> = new Set(
  ['.pwd.lock', ...ACCOUNTS, ...ACCOUNTS.map((name) => `${name}-`)].map((name) => `/etc/${name}`),
);

/** Whether a path is one of the files that say who may log in, or their lock. */
export function isAccountFile(path: TargetPath): boolean {
  return NEVER_LINKS.has(path);
}

function builtIn(name: string, place: Place): Rule {
  return { match: `/etc/${name}`, place, origin: 'built-in' };
}

const SCHEMA = 1;

const topKeys = {
  schema: { allowed: String(SCHEMA), read: (value) => (value === SCHEMA ? value : undefined) } satisfies Key<number>,
  roots: { allowed: 'a list of paths, e.g. ["/etc"]', read: readStrings } satisfies Key<readonly string[]>,
  path: tablesKey('path'),
  wrapper: tablesKey('wrapper'),
  initrd: initrdKey,
};

function tablesKey(name: string): Key<readonly unknown[]> {
  return {
    allowed: `a list of tables, each under [[${name}]] with two brackets`,
    read: (value) => (Array.isArray(value) ? value : undefined),
  };
}

const owner: Key<Owner> = { allowed: 'a name, or a number from 0 to 4294967294', read: readOwner };

const ruleKeys = {
  match: { allowed: 'a pattern, e.g. "/etc/ssh/**"', read: readString } satisfies Key<string>,
  place: wordKey('link', 'direct', 'copy', 'seed', 'directory', 'skip'),
  mode: { allowed: 'three or four octal digits in quotes, e.g. "0440"', read: readMode } satisfies Key<number>,
  owner,
  group: owner,
  'on-conflict': wordKey('refuse', 'backup', 'keep'),
  'on-drift': wordKey('backup', 'refuse', 'keep', 'merge'),
};

/**
 * Reads a policy file, TOML or JSON.
 *
 * @param file its name, for messages; one that ends in `.json` is JSON, and so is a text that begins with a brace
 * @throws {ActivateError} `POLICY`; the message names the key and says what is allowed
 */
export function parsePolicy(text: string, file: string): Policy {
  const { value, ruleLines } = readPolicyText(text, file);
  refuseOtherSchema(value, file);
  const { roots, path = [], wrapper = [], initrd } = readTable(value, topKeys, { file, keyPrefix: '' });
  const areLinesKnown = ruleLines.length === path.length;
  const rules = path.map((table, index) => {
    return parseRule(table, {
      file,
      keyPrefix: `path[${index + 1}].`,
      line: areLinesKnown ? ruleLines[index] : undefined,
    });
  });
  return {
    roots: roots === undefined ? defaultPolicy.roots : parseRoots(roots, file),
    rules,
    wrappers: parseWrapperRules(wrapper, file, { mode: ruleKeys.mode, owner, group: owner }),
    initrd: initrd === undefined ? undefined : parseInitrdRules(initrd, file),
  };
}

/** Before anything else: a newer schema may have keys that are not known here. */
function refuseOtherSchema(value: unknown, file: string): void {
  const schema = isTable(value) ? value['schema'] : SCHEMA;
  if (schema === undefined) {
    throw new ActivateError('POLICY', 'it has no schema', { path: file, hint: `Begin it with schema = ${SCHEMA}.` });
  }
  if (typeof schema !== 'number' || !Number.isInteger(schema) || schema <= SCHEMA) return;
  throw new ActivateError('POLICY', `written for a newer activate (schema ${schema}; this one knows ${SCHEMA})`, {
    path: file,
    hint: 'Use a newer activate.',
  });
}

function parseRule(table: unknown, spot: Spot): Rule {
  const { match, 'on-conflict': onConflict, 'on-drift': onDrift, ...rest } = readTable(table, ruleKeys, spot);
  if (match === undefined) throw complaint(spot, 'match', 'it is missing', 'Write e.g. match = "/etc/hosts".');
  const glob = parseGlob(match);
  if ('problem' in glob) throw complaint(spot, 'match', `${JSON.stringify(match)}: ${glob.problem}`, glob.hint);
  const ownership = (['mode', 'owner', 'group'] as const).find((name) => rest[name] !== undefined);
  if (ownership !== undefined && ['link', 'direct', 'skip'].includes(rest.place ?? '')) {
    const problem = `it makes no sense with place = "${rest.place}"`;
    throw complaint(spot, ownership, problem, 'It needs place = "copy", "seed" or "directory".');
  }
  return {
    match,
    ...(ownership === undefined ? {} : { place: 'copy' }),
    ...rest,
    ...(onConflict === undefined ? {} : { onConflict }),
    ...(onDrift === undefined ? {} : { onDrift }),
    origin: `${spot.file}${spot.line === undefined ? '' : `:${spot.line}`}: ${spot.keyPrefix.slice(0, -1)}`,
  };
}

function readString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readStrings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
}

function readMode(value: unknown): number | undefined {
  return typeof value === 'string' && /^[0-7]{3,4}$/u.test(value) ? Number.parseInt(value, 8) : undefined;
}

function readOwner(value: unknown): Owner | undefined {
  if (typeof value === 'number') return ownerOfId(value);
  return typeof value === 'string' ? parseOwner(value) : undefined;
}

/** Directories that no closure owns; neither does it own what is below or above one of them. */
const FOREIGN = ['/proc', '/sys', '/dev', '/run', '/nix', '/gnu', STATE, ADDITIONS];

function parseRoots(texts: readonly string[], file: string): readonly TargetPath[] {
  const spot = { file, keyPrefix: '' };
  if (texts.length === 0) throw complaint(spot, 'roots', 'the list is empty', 'Write e.g. roots = ["/etc"].');
  const roots: TargetPath[] = [];
  for (const text of texts) {
    const root = parseTargetPath(text);
    if (root === undefined) throw complaint(spot, 'roots', `${JSON.stringify(text)} is no root`, ABSOLUTE);
    const refusal = whyNotRoot(root, roots);
    if (refusal !== undefined) throw complaint(spot, 'roots', ...refusal);
    roots.push(root);
  }
  return roots.toSorted(comparePaths);
}

const ABSOLUTE = 'Write an absolute path without "..".';

/** The problem, and what to do about it. */
function whyNotRoot(root: TargetPath, others: readonly TargetPath[]): [string, string] | undefined {
  const foreign = FOREIGN.find((directory) => overlaps(root, directory));
  if (foreign !== undefined) {
    const reason = isBelow(foreign, root) ? `: ${foreign} is in it` : '';
    return [`${root} is never a root${reason}`, `No root is, or lies in or above, one of ${FOREIGN.join(', ')}.`];
  }
  const other = others.find((each) => overlaps(root, each));
  if (other === undefined) return undefined;
  if (other === root) return [`${root} is named twice`, 'Name it once.'];
  return [`${root} and ${other} lie in one another`, 'Name the outer one alone.'];
}

function overlaps(a: string, b: string): boolean {
  return a === b || isBelow(a, b) || isBelow(b, a);
}

/** As much of a rule as decides which paths it is for. */
export type Pattern = Pick<Rule, 'match' | 'place'>;

interface Compiled {
  readonly index: number;
  readonly place: Place | undefined;
  readonly glob: Glob;
}

/**
 * Finds the first rule for a path.
 *
 * A rule is for what its pattern matches and for all that is below. It is for directories themselves only where it says
 * what becomes of a directory: it is skipped, it becomes one link (a pattern that ends in a slash), or it is made with a
 * mode and owner (`directory`, which is for nothing but the directory that matches).
 *
 * A pattern that is none matches nothing. What was found out about directories is remembered, so ask one matcher about
 * all paths.
 */
export function compileRules<R extends Pattern>(
  rules: readonly R[],
): (path: TargetPath, kind: 'directory' | 'other') => R | undefined {
  const compiled: Compiled[] = [];
  for (const [index, { match, place }] of rules.entries()) {
    const glob = parseGlob(match);
    if (!('problem' in glob)) compiled.push({ index, place, glob });
  }
  const forFiles = compiled.filter(({ place }) => place !== 'directory');
  const skips = compiled.filter(({ place }) => place === 'skip');
  const here = {
    other: findFirst(forFiles.filter(({ glob }) => !glob.directoriesOnly)),
    directory: findFirst(compiled.filter(({ place, glob }) => isForDirectories(place, glob))),
  };
  const above = { other: findFirstAbove(findFirst(forFiles)), directory: findFirstAbove(findFirst(skips)) };
  return (path, kind) => rules[Math.min(here[kind](path), above[kind](path))];
}

function isForDirectories(place: Place | undefined, { directoriesOnly }: Glob): boolean {
  return place === 'directory' || place === 'skip' || (place === 'link' && directoriesOnly);
}

/** The index of the first rule whose pattern matches exactly this path; `Infinity` where none does. */
type Find = (path: TargetPath) => number;

/** Patterns without wildcards are looked up, so that their number does not matter. */
function findFirst(compiled: readonly Compiled[]): Find {
  const literals = { path: new Map<string, number>(), name: new Map<string, number>() };
  const wild: { readonly index: number; readonly glob: Extract<Glob, { expression: RegExp }> }[] = [];
  for (const { index, glob } of compiled) {
    if ('expression' in glob) wild.push({ index, glob });
    else if (!literals[glob.about].has(glob.literal)) literals[glob.about].set(glob.literal, index);
  }
  return (path) => {
    const name = nameOf(path);
    const first = Math.min(literals.path.get(path) ?? Infinity, literals.name.get(name) ?? Infinity);
    for (const { index, glob } of wild) {
      if (index > first) break;
      const subject = glob.about === 'path' ? path : name;
      if (subject.startsWith(glob.prefix) && glob.expression.test(subject)) return index;
    }
    return first;
  };
}

/** The same for the directories above a path, each of which is looked at once. */
function findFirstAbove(find: Find): Find {
  const known = new Map<TargetPath, number>([['/' as TargetPath, Infinity]]);
  const findFrom = (directory: TargetPath): number => {
    const before = known.get(directory);
    if (before !== undefined) return before;
    const first = Math.min(find(directory), findFrom(parentOf(directory)));
    known.set(directory, first);
    return first;
  };
  return (path) => findFrom(parentOf(path));
}
