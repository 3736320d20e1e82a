/** An extended attribute. */
export interface Attribute {
  readonly name: string;
  readonly value: Uint8Array;
}

const ACCESS_ACL = 'system.posix_acl_access';
const DEFAULT_ACL = 'system.posix_acl_default';

/**
 * Whether an image keeps an attribute: those that people and capabilities need. Labels of security modules are the machine's
 * own business, and `trusted.*` only root can read.
 */
export function isKeptAttribute(name: string): boolean {
  return /^(?:user\..*|security\.capability|system\.posix_acl_(?:access|default))$/su.test(name);
}

/** Whether an attribute is a POSIX ACL, which squashfs cannot hold. */
export function isAcl({ name }: Attribute): boolean {
  return name === ACCESS_ACL || name === DEFAULT_ACL;
}

/**
 * The mode of a file that loses its access ACL: nobody may do more than before.
 *
 * With an ACL the middle bits of a mode are the mask, which is what any named user may do; without one they would be what
 * the group may.
 *
 * @see acl(5)
 */
export function modeWithoutAcl(mode: number, attributes: readonly Attribute[]): number {
  const acl = attributes.find(({ name }) => name === ACCESS_ACL);
  if (acl === undefined) return mode;
  const group = permissionsOf(acl.value, GROUP_OBJECT) ?? 0;
  return (mode & ~0o070) | ((group << 3) & mode & 0o070);
}

const GROUP_OBJECT = 0x04;

/** What an ACL grants to one kind of entry: a version of four bytes, then tag, permissions and id of each. */
function permissionsOf(acl: Uint8Array, tag: number): number | undefined {
  const view = new DataView(acl.buffer, acl.byteOffset, acl.byteLength);
  for (let at = 4; at + 8 <= acl.byteLength; at += 8)
    if (view.getUint16(at, true) === tag) return view.getUint16(at + 2, true) & 0o7;
  return undefined;
}
