import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { bootJournalPieces, bootLedgerPieces, bootListPieces } from '../../src/core/boot/boot-list';
import { encodeName } from '../../src/core/bytes';
import type { Entry } from '../../src/core/entry';
import type { TargetPath } from '../../src/core/path';
import type { Generation } from '../../src/core/records/generation';

const generation: Generation = {
  number: 7,
  closure: '/c',
  format: 'tree',
  overlay: '/var/lib/activate/generations/7/tree' as TargetPath,
  carrier: { kind: 'tree' },
  resident: false,
  digest: 'd',
  rules: [],
  paths: 1,
  created: '2026-01-02T03:04:05.000Z',
  version: 'test',
};

const latin1 = (text: string): string => Buffer.from(encodeName(text)).toString('latin1');
const at = (path: string): TargetPath => path as TargetPath;
const owned = { mode: 0o640, uid: 1, gid: 2 };
const D = 'd'.repeat(64);

describe('a boot list', () => {
  test('says what shows a generation, what it places, and that it is whole', () => {
    const entries: Entry[] = [
      { path: at('/etc'), place: 'directory', kind: 'directory', named: false, mode: 0o755, uid: 0, gid: 0 },
      { path: at('/etc/a b'), place: 'link', kind: 'file', ...owned, sizeBytes: 1, digest: D },
      { path: at('/etc/c'), place: 'copy', kind: 'file', ...owned, sizeBytes: 1, digest: D, restyled: false },
      { path: at("/etc/d'"), place: 'direct', kind: 'symlink', linkText: "it's" },
      { path: at('/etc/e'), place: 'seed', kind: 'symlink', linkText: 'x' },
      { path: at('/etc/f'), place: 'link', kind: 'symlink', linkText: '/nix/store/f' },
      { path: at('/etc/g'), place: 'link', kind: 'whole-directory', digest: D },
      { path: at('/etc/h'), place: 'link', kind: 'file', ...owned, sizeBytes: 1, digest: '' },
    ];
    expect([...bootListPieces(generation, entries)].join('')).toBe(
      [
        'g 1 tree /var/lib/activate/generations/7/tree /var/lib/activate/generations/7/tree disk',
        'd etc /etc 755 0 0',
        `l etc_2fa_20b '/etc/a b' ${D}`,
        `c etc_2fc /etc/c ${D} 640 1 2`,
        String.raw`s etc_2fd_27 '/etc/d'\''' 'it'\''s'`,
        'e etc_2fe /etc/e',
        "l etc_2ff /etc/f '' /nix/store/f",
        'l etc_2fg /etc/g',
        'l etc_2fh /etc/h',
        'z',
        '',
      ].join('\n'),
    );
  });

  test('of an image has where that is, where it is shown, and its digest', () => {
    const image: Generation = {
      ...generation,
      overlay: at('/run/activate/gen/7'),
      carrier: { kind: 'erofs', sizeBytes: 9, digest: D },
      resident: true,
    };
    expect([...bootListPieces(image, [])].join('')).toBe(
      `g 1 erofs /run/activate/gen/7 /var/lib/activate/generations/7/image.erofs memory ${D}\nz\n`,
    );
  });

  test('of a ledger has what is left alone, and originals with parents first', () => {
    const ledger = {
      kept: new Map([[at('/etc/k'), 'drifted' as const]]),
      adopted: new Map([[at('/etc'), owned]]),
      displaced: new Map([
        [at('/etc/x/y'), 3],
        [at('/etc/x'), 12],
      ]),
    };
    expect([...bootLedgerPieces(ledger)].join('')).toBe(
      'k etc_2fk /etc/k\na etc\nb etc_2fx 12 /etc/x\nb etc_2fx_2fy 3 /etc/x/y\nz\n',
    );
  });

  test('of a transition has the links and directories that it makes or takes away, and links that wait', () => {
    const made = { kind: 'symlink', linkText: '/run/filesystem-overlay/etc/n' } as const;
    const phases = {
      create: [
        { op: 'create', objects: [{ path: at('/etc/n'), made }] },
        { op: 'make', path: at('/etc/.activate.t.1'), made: { kind: 'symlink', linkText: 'x' } },
        { op: 'make', path: at('/etc/m'), made: { kind: 'directory', ...owned } },
      ],
      swap: [
        {
          op: 'exchange',
          path: at('/etc/e'),
          aside: at('/etc/.activate.t.2'),
          was: { found: { kind: 'symlink', linkText: 'e' } },
        },
        { op: 'place', path: at('/etc/p'), aside: at('/etc/.activate.t.3') },
      ],
      remove: [{ op: 'remove', objects: [{ path: at('/etc/o'), was: { kind: 'symlink', linkText: 'o' } }] }],
      discard: [],
      backups: [],
      spent: [],
    } as const;
    expect([...bootJournalPieces(phases)].join('')).toBe(
      'l etc_2fn /etc/n\nm /etc/.activate.t.1 x\nd etc_2fm /etc/m 640 1 2\n' +
        'x /etc/e /etc/.activate.t.2\np /etc/p /etc/.activate.t.3\ns etc_2fo /etc/o o\nz\n',
    );
  });

  test('reaches a shell as it is, whatever bytes a name has, and other paths have other keys', () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) =>
      Array.from(
        bytes.filter((byte) => byte !== 0 && byte !== 10 && byte !== 47),
        (byte) => String.fromCharCode(byte < 128 ? byte : 0xdc00 + byte),
      ).join(''),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(
          name.filter((each) => each !== ''),
          { minLength: 1, maxLength: 30 },
        ),
        (names) => {
          const entries = names.map(
            (each) => ({ path: at(`/etc/${each}`), place: 'direct', kind: 'symlink', linkText: each }) as const,
          );
          const list = [...bootListPieces(generation, entries)].join('');
          const script = `g() { :; }\nz() { :; }\ns() { eval "k_$1=1"; printf '%s\\n%s\\n%s\\n' "$1" "$2" "$3"; }\n${list}`;
          const keysFrom = (command: string, args: readonly string[]): string[] => {
            const { stdout } = spawnSync(command, args, {
              input: encodeName(script),
              env: { PATH: process.env['PATH'], LC_ALL: 'C' },
            });
            const lines = stdout.toString('latin1').split('\n');
            expect(names.map((_, index) => [lines[index * 3 + 1], lines[index * 3 + 2]])).toEqual(
              names.map((each) => [latin1(`/etc/${each}`), latin1(each)]),
            );
            return names.map((_, index) => lines[index * 3] ?? '');
          };
          expect(new Set(keysFrom('dash', [])).size).toBe(names.length);
          expect(keysFrom('busybox', ['sh'])).toEqual(keysFrom('dash', []));
        },
      ),
      { numRuns: 25 },
    );
  });
});
