import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { type AddonMember, parseAddon, renderAddon } from '../../../src/core/boot/archive';
import { decodeName } from '../../../src/core/bytes';
import { randomMembers } from '../../support/addon-members';

interface Parsed {
  readonly name: string;
  readonly inode: number;
  readonly mode: number;
  readonly content: string;
}

/** Reads an archive as the kernel does; the last member is the trailer. */
function parse(archive: Uint8Array): Parsed[] {
  const number = (at: number): number =>
    Number.parseInt(Buffer.from(archive.subarray(at, at + 8)).toString('latin1'), 16);
  const parsed: Parsed[] = [];
  for (let at = 0; parsed.at(-1)?.name !== 'TRAILER!!!';) {
    expect([at % 4, Buffer.from(archive.subarray(at, at + 6)).toString('latin1')]).toEqual([0, '070701']);
    const [inode, mode, uid, gid, links, time, size, ...devices] = Array.from({ length: 13 }, (_, index) =>
      number(at + 6 + 8 * index),
    );
    expect([uid, gid, time, ...devices.slice(0, 4), devices[5]]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(links).toBe((mode ?? 0) >> 12 === 4 ? 2 : 1);
    const end = at + 110 + (devices[4] ?? 0);
    const start = Math.ceil(end / 4) * 4;
    parsed.push({
      name: decodeName(archive.subarray(at + 110, end - 1)),
      inode: inode ?? 0,
      mode: mode ?? 0,
      content: Buffer.from(archive.subarray(start, start + (size ?? 0))).toString('hex'),
    });
    at = Math.ceil((start + (size ?? 0)) / 4) * 4;
    expect(archive[end - 1]).toBe(0);
  }
  return parsed;
}

const file = (path: AddonMember['path']): AddonMember => ({ path, kind: 'file', mode: 0o644, bytes: Buffer.from('a') });

/** Bytes of any class as plain numbers. */
function plain(member: AddonMember): unknown {
  return 'bytes' in member ? { ...member, bytes: [...member.bytes] } : member;
}

describe('an add-on', () => {
  test('is sorted by bytes, and has the directories that lead to its members', () => {
    const archive = renderAddon([
      file('usr/b'),
      file('usr/a/é'),
      file('usr/a-b'),
      { path: 'usr/a/\udcff', kind: 'symlink', linkText: 'é' },
    ]);
    expect(parse(archive)).toEqual([
      { name: 'usr', inode: 1, mode: 0o040755, content: '' },
      { name: 'usr/a', inode: 2, mode: 0o040755, content: '' },
      { name: 'usr/a-b', inode: 3, mode: 0o100644, content: '61' },
      { name: 'usr/a/é', inode: 4, mode: 0o100644, content: '61' },
      { name: 'usr/a/\udcff', inode: 5, mode: 0o120777, content: 'c3a9' },
      { name: 'usr/b', inode: 6, mode: 0o100644, content: '61' },
      { name: 'TRAILER!!!', inode: 0, mode: 0, content: '' },
    ]);
  });

  test('is a trailer alone where there is nothing in it', () => {
    expect([parse(renderAddon([])).length, renderAddon([]).length]).toEqual([1, 512]);
  });

  test.each<[string, readonly AddonMember[]]>([
    ['a path twice', [file('usr/a'), file('usr/a')]],
    ['a path in a file', [file('usr/a/b'), file('usr/a')]],
    ['a path in a link', [{ path: 'usr/a', kind: 'symlink', linkText: 'b' }, file('usr/a/b')]],
  ])('never has %s', (_, members) => {
    expect(() => renderAddon(members)).toThrow('usr/a');
  });

  test('has the same bytes whatever the order of its members, every parent before its child, and whole blocks', () => {
    fc.assert(
      fc.property(randomMembers, (members) => {
        const archive = renderAddon(members);
        const names = parse(archive).map(({ name }) => name);
        const isAfterParent = (name: string, index: number): boolean =>
          !name.includes('/') || names.slice(0, index).includes(name.slice(0, name.lastIndexOf('/')));
        expect(archive.length % 512).toBe(0);
        expect(Buffer.compare(archive, renderAddon(members.toReversed()))).toBe(0);
        expect(names.every(isAfterParent)).toBe(true);
        expect(new Set(names).size).toBe(names.length);
        expect(names).toEqual(expect.arrayContaining(members.map(({ path }) => path)));
      }),
    );
  });

  test('can be read again: whole, or not at all', () => {
    fc.assert(
      fc.property(randomMembers, fc.nat(), (members, place) => {
        const archive = renderAddon(members);
        const parsed = parseAddon(archive) ?? [];
        expect(parsed.map(plain)).toEqual(expect.arrayContaining(members.map(plain)));
        expect(Buffer.compare(renderAddon(parsed), archive)).toBe(0);
        expect(parseAddon(archive.subarray(0, place % (archive.length - 512)))).toBeUndefined();
      }),
    );
  });

  test.each(['', 'no archive', '070701'.padEnd(200, '0')])('is nothing else: %j', (text) => {
    expect(parseAddon(Buffer.from(text))).toBeUndefined();
  });
});
