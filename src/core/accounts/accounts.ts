import { parseGroup, parsePasswd } from '../closure/users';
import { joinTarget, type TargetPath } from '../path';

/** The files that users and groups are in, in the order in which they are written. */
export const accountNames = ['group', 'gshadow', 'passwd', 'shadow'] as const;
export type AccountName = (typeof accountNames)[number];

/** What each of the files holds, where it is there and may be read; names are as `decodeName` has them. */
export type AccountTexts = Readonly<Partial<Record<AccountName, string>>>;

export function accountPath(name: AccountName): TargetPath {
  return joinTarget('/etc' as TargetPath, name);
}

/** Who there is, by name and by number. */
export interface Accounts {
  readonly users: ReadonlyMap<string, number>;
  readonly groups: ReadonlyMap<string, number>;
  /** The primary group of each user. */
  readonly primary: ReadonlyMap<string, number>;
  /** Who is in each group besides. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
}

export function parseAccounts({ passwd = '', group = '' }: AccountTexts): Accounts {
  const users = parsePasswd(passwd);
  const groups = parseGroup(group);
  const primary = new Map<string, number>();
  for (const line of passwd.split('\n')) {
    const [name = '', , , gid = ''] = line.split(':');
    if (users.has(name) && !primary.has(name) && /^\d+$/u.test(gid)) primary.set(name, Number(gid));
  }
  const members = new Map<string, Set<string>>();
  for (const line of group.split('\n')) {
    const [name = '', , , list = ''] = line.split(':');
    if (groups.has(name) && !members.has(name)) members.set(name, new Set(list.split(',').filter(Boolean)));
  }
  return { users, groups, primary, members };
}

/** The name that has a number; `undefined` where nobody has. */
export function nameWithId(ids: ReadonlyMap<string, number>, id: number): string | undefined {
  return ids.entries().find(([, each]) => each === id)?.[0];
}

/**
 * A file of the machine's with what systemd-sysusers added to a copy of it, and nothing else changed: it would drop comments and
 * lines that it does not understand, and renew the date of a password that was there before its user.
 *
 * New lines come to the end, before what NIS adds. In `group` and `gshadow` lines get the members that were added to them.
 */
export function addAccounts(name: AccountName, before: string, after: string): string {
  const hasMembers = name === 'group' || name === 'gshadow';
  const old = before === '' ? [] : before.replace(/\n$/u, '').split('\n');
  const made = new Map<string, string>();
  for (const line of after.split('\n')) {
    const key = keyOf(line);
    if (key !== undefined && !made.has(key)) made.set(key, line);
  }
  const lines = old.map((line) => {
    const key = keyOf(line);
    const next = key === undefined ? undefined : made.get(key);
    if (key !== undefined) made.delete(key);
    return next === undefined || !hasMembers ? line : withMembers(line, next);
  });
  const isChanged = made.size > 0 || lines.some((line, index) => line !== old[index]);
  if (!isChanged) return before;
  const end = lines.findIndex((line) => /^[+-]/u.test(line));
  lines.splice(end < 0 ? lines.length : end, 0, ...made.values());
  return `${lines.join('\n')}\n`;
}

/** The name that a line is about; `undefined` for comments, NIS and what is empty. */
function keyOf(line: string): string | undefined {
  const colon = line.indexOf(':');
  return colon <= 0 || /^[#+-]/u.test(line) ? undefined : line.slice(0, colon);
}

function withMembers(line: string, next: string): string {
  const fields = line.split(':');
  if (fields.length !== 4) return line;
  const known = (fields[3] ?? '').split(',').filter(Boolean);
  const fresh = (next.split(':')[3] ?? '').split(',').filter((member) => member !== '' && !known.includes(member));
  return fresh.length === 0 ? line : [...fields.slice(0, 3), [...known, ...fresh].join(',')].join(':');
}

/** A shadow file without its passwords: whoever only needs to know who is in it need not be given them. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/^([^:\n]*):[^:\n]*/gmu, '$1:*');
}
