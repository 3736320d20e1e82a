import { decodeName, encodeName } from '../bytes';
import { archivePadding } from '../image/archive';

/** Where something is in an add-on: only below usr, as `lib` and `bin` of an initrd may be links that unpacking would replace. */
export type AddonPath = `usr/${string}`;

/** What an add-on has at one path; all of it is root's, and a directory is 0755. */
export type AddonMember = { readonly path: AddonPath } & (
  | { readonly kind: 'file'; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: 'directory' }
  | { readonly kind: 'symlink'; readonly linkText: string }
);

/**
 * An archive that the kernel unpacks after the initrd that it is appended to: cpio in the format newc.
 *
 * Members are sorted by the bytes of their paths, so that a directory comes before what is in it; directories that lead to a
 * member are there unnamed. The same members give the same bytes, in whatever order, on any machine: there are no times, and
 * inode numbers are places in the order. The length is a multiple of 512, so that another archive can follow.
 *
 * @see cpio(5) of libarchive, and Documentation/driver-api/early-userspace/buffer-format.rst of Linux
 */
export function renderAddon(members: readonly AddonMember[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [index, { name, member }] of sortedMembers(members).entries())
    parts.push(...renderMember(name, index + 1, member));
  parts.push(...renderMember(encodeName(TRAILER), 0, undefined));
  const sizeBytes = parts.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([...parts, archivePadding(sizeBytes)]);
}

interface Named {
  readonly name: Uint8Array;
  readonly member: AddonMember;
}

/** The members and the directories that lead to them. */
function sortedMembers(members: readonly AddonMember[]): Named[] {
  const all = new Map<string, AddonMember>();
  for (const member of members) {
    if (all.has(member.path)) throw new Error(`${member.path} is in the add-on twice`);
    all.set(member.path, member);
  }
  for (const { path } of members)
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const above = path.slice(0, slash) as AddonPath;
      const found = all.get(above) ?? { path: above, kind: 'directory' };
      if (found.kind !== 'directory') throw new Error(`${path} is in ${above}, which is no directory`);
      all.set(above, found);
    }
  return [...all.values()]
    .map((member) => ({ name: encodeName(member.path), member }))
    .toSorted((a, b) => Buffer.compare(a.name, b.name));
}

const TRAILER = 'TRAILER!!!';
const HEADER_BYTES = 110;
const TYPE_BITS = 0o170000;
const types = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;

/** Header, name and content; without a member it is the end of an archive. */
function renderMember(name: Uint8Array, inode: number, member: AddonMember | undefined): Uint8Array[] {
  const content = contentOf(member);
  const mode = member === undefined ? 0 : types[member.kind] | modeOf(member);
  const links = member?.kind === 'directory' ? 2 : 1;
  // Magic, inode, mode, uid, gid, links, mtime, size, four numbers of devices, length of the name with its NUL, checksum.
  const numbers = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = encodeName(`070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`);
  return [
    header,
    name,
    new Uint8Array(1 + padding(header.length + name.length + 1)),
    content,
    new Uint8Array(padding(content.length)),
  ];
}

/**
 * The inverse of {@link renderAddon}, with all directories; `undefined` for what it did not write.
 */
export function parseAddon(archive: Uint8Array): AddonMember[] | undefined {
  const members: AddonMember[] = [];
  for (let at = 0; at + HEADER_BYTES <= archive.length;) {
    const header = decodeName(archive.subarray(at, at + HEADER_BYTES));
    if (!/^070701[0-9a-f]{104}$/u.test(header)) return undefined;
    const [mode, sizeBytes, nameBytes] = [numberAt(header, 1), numberAt(header, 6), numberAt(header, 11)];
    const name = at + HEADER_BYTES;
    const content = name + nameBytes + padding(HEADER_BYTES + nameBytes);
    const path = decodeName(archive.subarray(name, name + nameBytes - 1));
    if (path === TRAILER) return members;
    const member = memberOf(path as AddonPath, mode, archive.subarray(content, content + sizeBytes));
    if (member === undefined) return undefined;
    members.push(member);
    at = content + sizeBytes + padding(sizeBytes);
  }
  return undefined;
}

function numberAt(header: string, index: number): number {
  return Number.parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16);
}

function memberOf(path: AddonPath, mode: number, content: Uint8Array): AddonMember | undefined {
  if ((mode & TYPE_BITS) === types.directory) return { path, kind: 'directory' };
  if ((mode & TYPE_BITS) === types.symlink) return { path, kind: 'symlink', linkText: decodeName(content) };
  return (mode & TYPE_BITS) === types.file
    ? { path, kind: 'file', mode: mode & ~TYPE_BITS, bytes: content }
    : undefined;
}

function modeOf(member: AddonMember): number {
  return member.kind === 'file' ? member.mode : member.kind === 'directory' ? 0o755 : 0o777;
}

function contentOf(member: AddonMember | undefined): Uint8Array {
  if (member?.kind === 'symlink') return encodeName(member.linkText);
  return member?.kind === 'file' ? member.bytes : new Uint8Array();
}

/** How many bytes are missing to a multiple of four. */
function padding(length: number): number {
  return -length & 3;
}
