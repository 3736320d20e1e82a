import { encodeName } from '../bytes';
import type { Ownership, SymlinkObject } from '../entry';
import type { TargetPath } from '../path';
import type { Attribute } from './attributes';

/** What the header of an archive's member says. */
export type Member = { readonly path: TargetPath; readonly attributes: readonly Attribute[] } & (
  | (Ownership & { readonly kind: 'file'; readonly sizeBytes: number })
  | (Ownership & { readonly kind: 'directory' })
  | SymlinkObject
);

const BLOCK = 512;

/**
 * The header of one member of a tar archive, in the pax format: any name, owner, size and extended attribute, and no time.
 *
 * What a header of old has no room for is in a record before it.
 *
 * @see pax(1), and tar(5) of libarchive for SCHILY.xattr
 */
export function renderMember(member: Member): Buffer {
  const name = encodeName(`${member.path.slice(1)}${member.kind === 'directory' ? '/' : ''}`);
  const linkText = member.kind === 'symlink' ? encodeName(member.linkText) : new Uint8Array();
  const { mode, uid, gid } = member.kind === 'symlink' ? { mode: 0o777, uid: 0, gid: 0 } : member;
  const sizeBytes = member.kind === 'file' ? member.sizeBytes : 0;
  const records = [
    ...(name.length > NAME_BYTES ? [record('path', name)] : []),
    ...(linkText.length > NAME_BYTES ? [record('linkpath', linkText)] : []),
    ...numbers({ uid, gid, size: sizeBytes }),
    ...member.attributes.map(({ name: key, value }) => record(`SCHILY.xattr.${key}`, value)),
  ];
  const header = renderHeader({ name, linkText, mode, uid, gid, sizeBytes, type: types[member.kind] });
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const before = renderHeader({ ...RECORDS, sizeBytes: body.length });
  return Buffer.concat([before, body, archivePadding(body.length), header]);
}

/** What follows the content of a file, up to the next block. */
export function archivePadding(sizeBytes: number): Buffer {
  return ZEROES.subarray(0, (BLOCK - (sizeBytes % BLOCK)) % BLOCK);
}

const ZEROES = Buffer.alloc(BLOCK);

/** What an archive ends with. */
export const ARCHIVE_END = new Uint8Array(2 * BLOCK);

const NAME_BYTES = 100;
const types = { file: '0', symlink: '2', directory: '5' } as const;
const RECORDS = { name: encodeName('records'), linkText: new Uint8Array(), mode: 0o644, uid: 0, gid: 0, type: 'x' };

/** Where each number of a header is, and how many octal digits fit. */
const fields = { mode: [100, 7], uid: [108, 7], gid: [116, 7], size: [124, 11], time: [136, 11] } as const;

interface Header extends Ownership {
  readonly name: Uint8Array;
  readonly linkText: Uint8Array;
  readonly sizeBytes: number;
  readonly type: string;
}

function renderHeader({ name, linkText, mode, uid, gid, sizeBytes, type }: Header): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.set(name.subarray(0, NAME_BYTES), 0);
  writeNumbers(header, { mode, uid, gid, size: sizeBytes, time: 0 });
  header.write(`        ${type}`, 148, 'latin1');
  header.set(linkText.subarray(0, NAME_BYTES), 157);
  header.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (let at = 0; at < BLOCK; at += 1) sum += header[at] ?? 0;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function writeNumbers(header: Buffer, values: Readonly<Record<keyof typeof fields, number>>): void {
  for (const [field, [at, digits]] of Object.entries(fields)) {
    const value = values[field as keyof typeof fields];
    header.write((fits(value, digits) ? value : 0).toString(8).padStart(digits, '0'), at, 'latin1');
  }
}

/** Records for the numbers that a header has no room for. */
function numbers(values: { readonly uid: number; readonly gid: number; readonly size: number }): Uint8Array[] {
  return (['uid', 'gid', 'size'] as const)
    .filter((field) => !fits(values[field], fields[field][1]))
    .map((field) => record(field, encodeName(String(values[field]))));
}

function fits(value: number, digits: number): boolean {
  return value < 8 ** digits;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: Uint8Array): Uint8Array {
  const rest = Buffer.concat([encodeName(` ${key}=`), value, encodeName('\n')]);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([encodeName(String(length)), rest]);
}
