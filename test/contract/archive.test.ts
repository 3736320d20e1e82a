import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { ARCHIVE_END, archivePadding, type Member, renderMember } from '../../src/core/image/archive';
import { file, link } from '../support/image-nodes';

const decoder = new TextDecoder('latin1');

/** What tar says of the only member of an archive. */
function listed(member: Member): string {
  const input = Buffer.concat([renderMember(member), ARCHIVE_END]);
  const { stdout, stderr } = spawnSync('tar', ['--list', '--verbose', '--numeric-owner', '--quoting-style=c'], {
    input,
  });
  return (
    String(stderr) +
    String(stdout)
      .replace(/ 1970-01-01 \d\d:\d\d/u, '')
      .replaceAll(/ +/gu, ' ')
      .trim()
  );
}

describe('a member of an archive', () => {
  test.each<[string, Member, string]>([
    ['a file', { ...file('/etc/a'), attributes: [] }, '-rw-r--r-- 0/0 0 "etc/a"'],
    ['a directory', { ...file('/etc'), kind: 'directory', mode: 0o2751, attributes: [] }, 'drwxr-s--x 0/0 0 "etc/"'],
    ['a link', { ...link('/etc/l', 't'), attributes: [] }, 'lrwxrwxrwx 0/0 0 "etc/l" -> "t"'],
    ['owners', { ...file('/a'), uid: 7, gid: 8, mode: 0o4755, attributes: [] }, '-rwsr-xr-x 7/8 0 "a"'],
    [
      'the largest owners',
      { ...file('/a'), uid: 4294967294, gid: 2097152, attributes: [] },
      '-rw-r--r-- 4294967294/2097152 0 "a"',
    ],
    ['a newline', { ...file('/a\nb'), attributes: [] }, '-rw-r--r-- 0/0 0 "a\\nb"'],
    ['bytes that are not UTF-8', { ...file('/a\udcff'), attributes: [] }, '-rw-r--r-- 0/0 0 "a\\377"'],
  ])('tells of %s', (_, member, expected) => {
    expect(listed(member)).toBe(expected);
  });

  test('has a name of 100 bytes in its header, and a longer one in a record before it', () => {
    for (const [length, blocks] of [
      [100, 1],
      [101, 3],
      [3000, 8],
    ] as const) {
      const name = 'n'.repeat(length);
      const rendered = renderMember({ ...file(`/${name}`), attributes: [] });
      expect([length, rendered.length / 512]).toEqual([length, blocks]);
      expect(listed({ ...file(`/${name}`), attributes: [] })).toBe(`-rw-r--r-- 0/0 0 "${name}"`);
    }
  });

  test('says in each record how long it is, that number included', () => {
    const size = fc.integer({ min: 0, max: 12_000 });
    fc.assert(
      fc.property(size, (length) => {
        const attributes = [{ name: 'user.a', value: new Uint8Array(length).fill(0x62) }];
        const body = renderMember({ ...file('/a'), attributes }).subarray(512, -512);
        const said = Number.parseInt(decoder.decode(body.subarray(0, 6)), 10);
        expect(decoder.decode(body.subarray(0, said))).toBe(`${said} SCHILY.xattr.user.a=${'b'.repeat(length)}\n`);
      }),
    );
  });
});

test('content is padded to the next block', () => {
  expect([0, 1, 511, 512, 513].map((size) => archivePadding(size).length)).toEqual([0, 511, 1, 0, 511]);
});
