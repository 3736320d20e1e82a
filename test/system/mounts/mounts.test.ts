import { describe, expect, test } from 'bun:test';
import { statSync } from 'node:fs';
import type { HostPath } from '../../../src/core/path';
import { parseMounts, readMounts } from '../../../src/system/mounts/mounts';

function parse(...lines: readonly string[]) {
  return parseMounts(Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1'));
}

const path = (text: string) => text as HostPath;

describe('parseMounts', () => {
  test('reads paths, types, devices and whether they can be written', () => {
    expect(
      parse(
        '23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard',
        '24 23 0:21 / /proc ro,nosuid shared:2 master:1 - proc proc rw',
        '25 23 7:1 / /mnt rw - squashfs /dev/loop1 ro,errors=continue',
        '26 23 0:44 /sub /none rw - fuse.x  rw',
      ),
    ).toEqual([
      {
        path: path('/'),
        readOnly: false,
        filesystem: 'ext4',
        device: '254:0',
        source: '/dev/vda',
        options: ['rw', 'relatime'],
      },
      {
        path: path('/proc'),
        readOnly: true,
        filesystem: 'proc',
        device: '0:21',
        source: 'proc',
        options: ['ro', 'nosuid'],
      },
      {
        path: path('/mnt'),
        readOnly: true,
        filesystem: 'squashfs',
        device: '7:1',
        source: '/dev/loop1',
        options: ['rw'],
      },
      { path: path('/none'), readOnly: false, filesystem: 'fuse.x', device: '0:44', source: '', options: ['rw'] },
    ]);
  });

  test('reads names that the kernel escapes, and bytes that are not UTF-8', () => {
    const mounts = parse('30 23 0:40 / /a\\040b\\011\\012\\134040\\043-\u00ff-\u00e9 rw - tmpfs none rw');
    expect(mounts.map((mount) => mount.path)).toEqual([path('/a b\t\n\\040#-\udcff-\udce9')]);
  });

  test('leaves out what another mount covers at the same path', () => {
    const mounts = parse(
      '23 1 254:0 / / rw - ext4 /dev/vda rw',
      '31 23 0:50 / /etc rw - tmpfs lower rw',
      '32 31 0:51 / /etc ro - overlay top rw',
      '33 32 0:52 / /etc/x rw - tmpfs none rw',
      '1 1 0:2 / / rw - rootfs none rw',
    );
    expect(mounts.map((mount) => [mount.path as string, mount.device])).toEqual([
      ['/', '254:0'],
      ['/etc', '0:51'],
      ['/etc/x', '0:52'],
    ]);
  });

  test('reads nothing from nothing', () => {
    expect(parse()).toEqual([]);
  });
});

describe('readMounts', () => {
  test('knows the mounts of this machine', () => {
    const { dev } = statSync('/proc', { bigint: true });
    const found = readMounts()?.find((mount) => mount.path === path('/proc'));
    expect([found?.filesystem, found?.device]).toEqual(['proc', `${dev >> 8n}:${dev & 0xffn}`]);
  });
});
