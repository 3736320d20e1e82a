import type { TargetPath } from '../path';
import { accountPath, type Accounts, nameWithId } from './accounts';
import { effectiveLines, nameOrigin, type Origin, type SysusersLine } from './sysusers';

/** A line whose outcome depends on the machine, and why. */
export interface Unfixed {
  readonly at: Origin;
  readonly why: string;
}

/** What the closure says of a user or group, and what the machine says instead. */
export interface Contradiction {
  /** The file of the machine that says so. */
  readonly path: TargetPath;
  /** e.g. `user www with id 33 (usr/lib/sysusers.d/web.conf:3)` */
  readonly wanted: string;
  /** e.g. `user www with id 1001` */
  readonly there: string;
}

/** The lines that do not fix each id, so that nobody knows the users before the machine is known. */
export function unfixedLines(lines: readonly SysusersLine[], base: Accounts): Unfixed[] {
  const effective = effectiveLines(lines);
  const { users, groups } = fixedNames(effective, base);
  return effective.flatMap((line): Unfixed[] => {
    const { at } = line;
    if (line.kind === 'range') return [];
    if (line.kind === 'member') {
      if (!users.has(line.name)) return [{ at, why: `no line gives user ${line.name} an id` }];
      return groups.has(line.group) ? [] : [{ at, why: `no line gives group ${line.group} an id` }];
    }
    if (!(line.kind === 'user' ? users : groups).has(line.name))
      return [{ at, why: `${line.kind} ${line.name} has ${line.id.kind === 'path' ? 'the id of a path' : 'no id'}` }];
    if (line.kind === 'user' && typeof line.group === 'string' && !groups.has(line.group))
      return [{ at, why: `no line gives group ${line.group} an id` }];
    return [];
  });
}

/** Users and groups whose ids the lines fix, besides those that there are; these win. */
export function fixedNames(
  lines: readonly SysusersLine[],
  base: Accounts,
): { readonly users: Map<string, number>; readonly groups: Map<string, number> } {
  const users = new Map(base.users);
  const groups = new Map(base.groups);
  const effective = effectiveLines(lines);
  for (const line of effective) {
    if ((line.kind !== 'user' && line.kind !== 'group') || line.id.kind !== 'number') continue;
    const ids = line.kind === 'user' ? users : groups;
    if (!ids.has(line.name)) ids.set(line.name, line.id.id);
  }
  // A user brings a group of its own name and number along.
  for (const line of effective) {
    if (line.kind !== 'user' || line.group !== undefined || groups.has(line.name)) continue;
    const id = users.get(line.name);
    if (id !== undefined) groups.set(line.name, id);
  }
  return { users, groups };
}

/** Where the machine says something else than the lines about an id, a name or a primary group. */
export function findContradictions(lines: readonly SysusersLine[], machine: Accounts): Contradiction[] {
  const effective = effectiveLines(lines);
  const { groups } = fixedNames(effective, machine);
  return effective.flatMap((line) => {
    if (line.kind === 'user')
      return machine.users.has(line.name) ? otherUser(line, machine, groups) : takenByUser(line, machine);
    return line.kind === 'group' ? otherGroup(line, machine) : [];
  });
}

type UserLine = SysusersLine & { readonly kind: 'user' };

function otherUser(line: UserLine, machine: Accounts, groups: ReadonlyMap<string, number>): Contradiction[] {
  const { name, id, at } = line;
  const uid = machine.users.get(name);
  if (id.kind === 'number' && uid !== id.id)
    return [{ path: PASSWD, wanted: `user ${name} with id ${id.id}${from(at)}`, there: `user ${name} with id ${uid}` }];
  const group = line.group ?? name;
  const wanted = typeof group === 'number' ? group : groups.get(group);
  const gid = machine.primary.get(name);
  // A user without a group of its own name has never been asked to have one.
  const isAsked = line.group !== undefined || machine.groups.has(name);
  if (!isAsked || wanted === undefined || gid === wanted) return [];
  return [
    {
      path: PASSWD,
      wanted: `user ${name} with primary group ${describe(group, wanted)}${from(at)}`,
      there: `user ${name} with primary group ${gid}`,
    },
  ];
}

function describe(group: number | string, id: number): string {
  return typeof group === 'number' ? String(id) : `${group} (${id})`;
}

/** A number that a user is to have, and a group by its own name with it unless the line names one, may be somebody else's. */
function takenByUser({ name, id, group, at }: UserLine, machine: Accounts): Contradiction[] {
  if (id.kind !== 'number') return [];
  const wanted = `user ${name} with id ${id.id}${from(at)}`;
  const user = nameWithId(machine.users, id.id);
  if (user !== undefined) return [{ path: PASSWD, wanted, there: `user ${user} with that id` }];
  const other = group === undefined ? nameWithId(machine.groups, id.id) : undefined;
  if (other === undefined || other === name) return [];
  return [{ path: GROUP, wanted, there: `group ${other} with that id` }];
}

function otherGroup(line: SysusersLine & { readonly kind: 'group' }, machine: Accounts): Contradiction[] {
  const { name, id, at } = line;
  if (id.kind !== 'number') return [];
  const wanted = `group ${name} with id ${id.id}${from(at)}`;
  const gid = machine.groups.get(name);
  if (gid !== undefined) return gid === id.id ? [] : [{ path: GROUP, wanted, there: `group ${name} with id ${gid}` }];
  const other = nameWithId(machine.groups, id.id);
  return other === undefined ? [] : [{ path: GROUP, wanted, there: `group ${other} with that id` }];
}

/**
 * Groups that systemd-sysusers makes although nobody asked: it gives a group of their own name to users who are there already
 * and have another.
 */
export function unwantedGroups(lines: readonly SysusersLine[], base: Accounts): ReadonlySet<string> {
  const asked = new Set(
    lines.flatMap((line) => {
      if (line.kind === 'group') return [line.name];
      return (line.kind === 'member' || line.kind === 'user') && typeof line.group === 'string' ? [line.group] : [];
    }),
  );
  const named = lines.flatMap((line) => (line.kind === 'user' || line.kind === 'member' ? [line.name] : []));
  return new Set(named.filter((name) => base.users.has(name) && !base.groups.has(name) && !asked.has(name)));
}

/** The first line that does not hold, in words; `undefined` where all do: systemd-sysusers says 0 when it leaves one out, too. */
export function firstUnmet(lines: readonly SysusersLine[], accounts: Accounts): Unfixed | undefined {
  for (const line of effectiveLines(lines)) {
    const why = whyUnmet(line, accounts);
    if (why !== undefined) return { at: line.at, why };
  }
  return undefined;
}

function whyUnmet(line: SysusersLine, { users, groups, members }: Accounts): string | undefined {
  if (line.kind === 'range') return undefined;
  if (line.kind === 'member')
    return members.get(line.group)?.has(line.name) === true
      ? undefined
      : `user ${line.name} would not be in group ${line.group}`;
  const id = (line.kind === 'user' ? users : groups).get(line.name);
  if (id === undefined) return `${line.kind} ${line.name} would not be there`;
  if (line.id.kind !== 'number' || line.id.id === id) return undefined;
  return `${line.kind} ${line.name} would have id ${id}`;
}

function from(at: Origin): string {
  return ` (${nameOrigin(at)})`;
}

const PASSWD = accountPath('passwd');
const GROUP = accountPath('group');
