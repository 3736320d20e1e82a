import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { type AddonMember, renderAddon } from '../../src/core/boot/archive';
import { randomMembers } from '../support/addon-members';
import { type Seen, takeSnapshot } from '../support/snapshot';
import { trickyNames } from '../support/names';

const programs = {
  'GNU cpio': ['cpio', '--extract', '--make-directories', '--quiet', '--preserve-modification-time'],
  'busybox cpio': ['busybox', 'cpio', '-i', '-d', '-m'],
};

/** What a program makes of an archive. */
function extracted(program: keyof typeof programs, archive: Uint8Array): Seen[] {
  const directory = mkdtempSync(join(tmpdir(), 'addon-'));
  try {
    const [name = '', ...args] = programs[program];
    const { status, stderr } = spawnSync(name, args, { cwd: directory, input: archive });
    expect([status, String(stderr).replace(/^\d+ blocks\n$/u, '')]).toEqual([0, '']);
    return takeSnapshot(directory).map(withoutTimeOfLink);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Busybox leaves the times of links as they come. */
function withoutTimeOfLink({ mtimeNs, ...seen }: Seen): Seen {
  return seen.kind === 'file' && mtimeNs !== undefined ? { ...seen, mtimeNs } : seen;
}

const example: readonly AddonMember[] = [
  { path: 'usr/lib/activate/boot', kind: 'file', mode: 0o755, bytes: Buffer.from('#!/bin/sh\n') },
  { path: 'usr/lib/systemd/system/initrd.target.wants/a.service', kind: 'symlink', linkText: '../a.service' },
  { path: 'usr/lib/systemd/system/a.service', kind: 'file', mode: 0o644, bytes: Buffer.from('[Unit]\n') },
  { path: 'usr/lib/empty', kind: 'directory' },
  ...trickyNames.map((name): AddonMember => ({ path: `usr/names/${name}`, kind: 'symlink', linkText: name })),
];

function directory(path: string): (string | undefined)[] {
  return [path, 'directory', '0755', undefined];
}

describe.each(Object.keys(programs) as (keyof typeof programs)[])('an add-on that %s unpacks', (program) => {
  test('has files, directories and links of root, without times', () => {
    const shown = extracted(program, renderAddon(example.slice(0, 4)));
    expect(shown.map(({ path, kind, mode, linkText, mtimeNs }) => [path, kind, linkText ?? mode, mtimeNs])).toEqual([
      ['/', 'directory', '0700', undefined],
      ...['/usr', '/usr/lib', '/usr/lib/activate'].map(directory),
      ['/usr/lib/activate/boot', 'file', '0755', '0'],
      ...['/usr/lib/empty', '/usr/lib/systemd', '/usr/lib/systemd/system'].map(directory),
      ['/usr/lib/systemd/system/a.service', 'file', '0644', '0'],
      directory('/usr/lib/systemd/system/initrd.target.wants'),
      ['/usr/lib/systemd/system/initrd.target.wants/a.service', 'symlink', '../a.service', undefined],
    ]);
  });

  test('is the same tree that the other one unpacks, with names of any bytes', () => {
    const archive = renderAddon(example);
    expect(extracted(program, archive)).toEqual(extracted('GNU cpio', archive));
  });
});

test('both programs unpack any add-on to the same tree', () => {
  fc.assert(
    fc.property(randomMembers, (members) => {
      const archive = renderAddon(members);
      expect(extracted('busybox cpio', archive)).toEqual(extracted('GNU cpio', archive));
    }),
    { numRuns: 15 },
  );
});
