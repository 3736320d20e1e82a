/** A user or group, by number or by name. */
export type Owner = { readonly id: number } | { readonly name: string };

/** The highest number that chown(2) sets; the one above it means "leave it as it is". */
const HIGHEST_ID = 0xff_ff_ff_fe;

/**
 * Reads a user or group: `root`, `0`, or `+0` as in the sidecars of a NixOS closure.
 *
 * `undefined` for what can be neither, e.g. a number that is out of range or begins with a zero, like a mode.
 */
export function parseOwner(text: string): Owner | undefined {
  const digits = /^\+?(\d+)$/u.exec(text)?.[1];
  if (digits !== undefined) return /^(?:0|[1-9]\d*)$/u.test(digits) ? ownerOfId(Number(digits)) : undefined;
  return NAME.test(text) ? { name: text } : undefined;
}

/** An owner by number; `undefined` for what is no number of a user or group. */
export function ownerOfId(id: number): Owner | undefined {
  return Number.isInteger(id) && id >= 0 && id <= HIGHEST_ID ? { id } : undefined;
}

/** Everything that /etc/passwd can hold in its first field; `+` and `-` at the beginning belong to NIS. */
const NAME = /^[^\s:/+#\x00-\x1f\x7f-][^\s:/\x00-\x1f\x7f]*$/u;

/** The number of an owner; `undefined` where nobody has the name. */
export function resolveOwner(owner: Owner, names: ReadonlyMap<string, number>): number | undefined {
  return 'id' in owner ? owner.id : names.get(owner.name);
}

/**
 * The users of a passwd(5) file and their numbers.
 *
 * As for getpwnam(3), the first line with a name counts, and comments, NIS lines and malformed ones are not there.
 */
export function parsePasswd(text: string): Map<string, number> {
  return parseIds(text, 4);
}

/** The groups of a group(5) file and their numbers; see {@link parsePasswd}. */
export function parseGroup(text: string): Map<string, number> {
  return parseIds(text, 3);
}

function parseIds(text: string, leastFields: number): Map<string, number> {
  const ids = new Map<string, number>();
  for (const line of text.split('\n')) {
    const fields = line.trimStart().split(':');
    const [name = '', , digits = ''] = fields;
    if (fields.length < leastFields || !NAME.test(name) || !/^\d+$/u.test(digits)) continue;
    const id = Number(digits);
    if (id <= HIGHEST_ID && !ids.has(name)) ids.set(name, id);
  }
  return ids;
}
