import { encodeName } from '../bytes';

const MAGIC = 0xb007f457;
const VERSION = 0x00020001;
const HEADER_BYTES = 12;

/** What the offset of a node says of it besides. */
const flags = { prefix: 0x80000000, values: 0x40000000, children: 0x20000000 } as const;

/** What an index has below one place: the rest of each key, and its value. */
type Rest = readonly (readonly [rest: Uint8Array, value: string])[];

/**
 * An index as modprobe reads it, such as modules.dep.bin: a tree of the beginnings that keys have in common.
 *
 * Keys are ASCII, as names of modules are, and each is there once. depmod writes one for all modules of a machine, and may not be
 * there where an add-on is made.
 *
 * @see libkmod/libkmod-index.c of kmod
 */
export function renderModuleIndex(entries: ReadonlyMap<string, string>): Uint8Array {
  const file: Writing = { parts: [], length: HEADER_BYTES };
  const sorted = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const root = writeNode(
    file,
    sorted.map(([key, value]) => [encodeName(key), value]),
  );
  return Buffer.concat([words(MAGIC, VERSION, root), ...file.parts]);
}

interface Writing {
  readonly parts: Uint8Array[];
  length: number;
}

/** Writes a node after what is below it, and says where it is. */
function writeNode(file: Writing, entries: Rest): number {
  const prefix = commonPrefix(entries);
  const here = entries.filter(([rest]) => rest.length === prefix.length);
  const below = entries.filter(([rest]) => rest.length > prefix.length);
  const children = writeChildren(file, below, prefix.length);
  let offset = file.length;
  if (prefix.length > 0) {
    append(file, Buffer.concat([prefix, NUL]));
    offset += flags.prefix;
  }
  if (children !== undefined) {
    append(file, children);
    offset += flags.children;
  }
  if (here.length > 0) {
    append(file, words(here.length));
    for (const [, value] of here) append(file, Buffer.concat([words(0), encodeName(value), NUL]));
    offset += flags.values;
  }
  return offset;
}

/** The first and the last byte that anything below goes on with, and where each of these is. */
function writeChildren(file: Writing, below: Rest, at: number): Uint8Array | undefined {
  const bytes = below.map(([rest]) => rest[at] ?? 0);
  const [first, last] = [bytes[0], bytes.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const offsets = Array.from({ length: last - first + 1 }, (_, index) => {
    const group = below.filter(([rest]) => rest[at] === first + index);
    return group.length === 0
      ? 0
      : writeNode(
          file,
          group.map(([rest, value]) => [rest.subarray(at + 1), value]),
        );
  });
  return Buffer.concat([Uint8Array.of(first, last), words(...offsets)]);
}

function commonPrefix(entries: Rest): Uint8Array {
  const [first = new Uint8Array()] = entries[0] ?? [];
  const [last = first] = entries.at(-1) ?? [];
  let length = 0;
  while (length < Math.min(first.length, last.length) && first[length] === last[length]) length += 1;
  return first.subarray(0, length);
}

const NUL = new Uint8Array(1);

function append(file: Writing, part: Uint8Array): void {
  file.parts.push(part);
  file.length += part.length;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}
