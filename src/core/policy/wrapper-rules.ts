import { parseCapabilities } from '../capabilities';
import { type Owner, resolveOwner } from '../closure/users';
import { ActivateError } from '../errors';
import { parseTargetPath } from '../path';
import { WRAPPER_NAME } from '../wrapper';
import { complaint, type Key, readTable, type Spot } from './policy-keys';

/** What a policy says of one wrapper. */
export interface WrapperRule {
  readonly name: string;
  /** An absolute path as the running system sees it, or what begins with a name at the closure's top: `sw/bin/ping`. */
  readonly source: string;
  readonly mode: number;
  readonly owner: Owner;
  readonly group: Owner;
  /** As `parseCapabilities` returns them. */
  readonly capabilities?: string;
  /** Where it stands, for messages, e.g. `activation.toml: wrapper[2]`. */
  readonly origin: string;
}

/** The keys of `[[wrapper]]` that it shares with `[[path]]`. */
export interface SharedKeys {
  readonly mode: Key<number>;
  readonly owner: Key<Owner>;
  readonly group: Key<Owner>;
}

const ROOT: Owner = { id: 0 };

const text: Key<string> = {
  allowed: 'text in quotes',
  read: (value) => (typeof value === 'string' ? value : undefined),
};

/**
 * Reads the `[[wrapper]]` tables, sorted by name.
 *
 * @throws {ActivateError} `POLICY`
 */
export function parseWrapperRules(tables: readonly unknown[], file: string, shared: SharedKeys): WrapperRule[] {
  const rules = tables.map((table, index) =>
    parseWrapperRule(table, { file, keyPrefix: `wrapper[${index + 1}].` }, shared),
  );
  for (const [index, { name }] of rules.entries())
    if (rules.findIndex((each) => each.name === name) < index)
      throw complaint(
        { file, keyPrefix: `wrapper[${index + 1}].` },
        'name',
        `there are two wrappers of the name ${JSON.stringify(name)}`,
        'Name each once.',
      );
  return rules.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function parseWrapperRule(table: unknown, spot: Spot, shared: SharedKeys): WrapperRule {
  const keys = { name: text, source: text, capabilities: text, ...shared };
  const { name, source, capabilities, mode, owner = ROOT, group = ROOT } = readTable(table, keys, spot);
  if (name === undefined) throw complaint(spot, 'name', 'it is missing', 'Write e.g. name = "ping".');
  if (source === undefined) throw complaint(spot, 'source', 'it is missing', 'Write e.g. source = "/usr/bin/ping".');
  refuseName(name, spot);
  refuseSource(source, spot);
  const parsed = capabilities === undefined ? undefined : parseCapabilities(capabilities);
  if (typeof parsed === 'object') throw complaint(spot, 'capabilities', parsed.problem, parsed.hint);
  const given = mode ?? (parsed === undefined ? 0o4755 : 0o755);
  refuseMode(given, spot);
  return {
    name,
    source,
    mode: given,
    owner,
    group,
    ...(parsed === undefined ? {} : { capabilities: parsed }),
    origin: `${spot.file}: ${spot.keyPrefix.slice(0, -1)}`,
  };
}

function refuseName(name: string, spot: Spot): void {
  if (WRAPPER_NAME.test(name)) return;
  throw complaint(
    spot,
    'name',
    `${JSON.stringify(name.slice(0, 80))} is no name of a wrapper`,
    'It is the name of a program, without a directory: ASCII letters, digits and _ + @ : - . in it, a letter, digit or _ first.',
  );
}

function refuseSource(source: string, spot: Spot): void {
  if (
    source !== '' &&
    !source.endsWith('/') &&
    parseTargetPath(source.startsWith('/') ? source : `/${source}`) !== undefined
  )
    return;
  throw complaint(
    spot,
    'source',
    `${JSON.stringify(source)} is no path of a program`,
    'Write an absolute path, or one from the closure\'s top such as "sw/bin/ping"; without "..".',
  );
}

function refuseMode(mode: number, spot: Spot): void {
  if ((mode & 0o111) === 0) throw complaint(spot, 'mode', 'nobody could run it', 'Write e.g. mode = "4755".');
  if ((mode & 0o022) !== 0)
    throw complaint(spot, 'mode', 'others than its owner could write it', 'Write e.g. mode = "4755".');
}

/** The numbers of a wrapper's owner and group. */
export function wrapperOwners(
  rule: WrapperRule,
  names: { readonly users: ReadonlyMap<string, number>; readonly groups: ReadonlyMap<string, number> },
): { readonly uid: number; readonly gid: number } {
  return { uid: idOf(rule, rule.owner, names.users), gid: idOf(rule, rule.group, names.groups) };
}

function idOf({ origin }: WrapperRule, owner: Owner, names: ReadonlyMap<string, number>): number {
  const id = resolveOwner(owner, names);
  if (id !== undefined) return id;
  const shown = JSON.stringify('name' in owner ? owner.name : owner.id);
  throw new ActivateError('POLICY', `there is no user or group ${shown}`, {
    path: origin,
    hint: 'Create it first, or write its number.',
  });
}
