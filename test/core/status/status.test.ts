import { describe, expect, test } from 'bun:test';
import type { TargetPath } from '../../../src/core/path';
import { findClaims, parseConfigNames } from '../../../src/core/status/claims';
import { decisionLetter, driftLetter, joinColumns } from '../../../src/core/status/columns';
import { rebootReasons } from '../../../src/core/status/reboot';
import { copied, directory, foundDirectory, foundFile, linked, path } from '../../support/entries';

const matches = (pattern: string, each: string): boolean => new Bun.Glob(pattern).match(each);
const paths = new Set(['/etc/mtab', '/etc/a b', '/etc/ssh/x', '/etc/ssh/sub/y', '/etc/100%'].map(path));

describe('a line of tmpfiles.d', () => {
  test.each<[string, string[]]>([
    ['L+ /etc/mtab - - - - ../proc/self/mounts', ['/etc/mtab']],
    ['L /etc/mtab - - - - ../proc/self/mounts', []],
    ['L+! /etc/mtab', ['/etc/mtab']],
    ['f+ "/etc/a b" 0644', ['/etc/a b']],
    ['f /etc/mtab', []],
    ['w /etc/mtab - - - - x', ['/etc/mtab']],
    ['w+ /etc/100%% - - - - x', ['/etc/100%']],
    ['w /etc/%m - - - - x', []],
    ['r /etc/mtab', ['/etc/mtab']],
    ['r! /etc/*tab', ['/etc/mtab']],
    ['R /etc/ssh', ['/etc/ssh/sub/y', '/etc/ssh/x']],
    ['R /etc/s*', ['/etc/ssh/sub/y', '/etc/ssh/x']],
    ['z /etc/ssh/* 0600', ['/etc/ssh/x']],
    ['Z /etc/ssh/ 0600', ['/etc/ssh/sub/y', '/etc/ssh/x']],
    ['d /etc/ssh', []],
    ['# L+ /etc/mtab', []],
    ['', []],
  ])('%j is for %j', (line, claimed) => {
    const found = findClaims([{ file: '/usr/lib/tmpfiles.d/x.conf', text: `# a comment\n${line}\n` }], paths, matches);
    expect(found.map((claim) => claim.path as string)).toEqual(claimed);
    for (const claim of found) expect(claim).toMatchObject({ file: '/usr/lib/tmpfiles.d/x.conf', line: 2 });
  });

  test('is in a file that the catalogue names', () => {
    const catalogue =
      '# /usr/lib/tmpfiles.d/a.conf\n# See tmpfiles.d(5)\nd /x\n\n# /etc/tmpfiles.d/b.conf\n# /etc/other\n';
    expect(parseConfigNames(catalogue)).toEqual(['/usr/lib/tmpfiles.d/a.conf', '/etc/tmpfiles.d/b.conf']);
  });
});

describe('a reboot', () => {
  const booted = { kernel: '/k1', initrd: '/i1', 'kernel-params': 'quiet\n' };
  test.each<[string, Record<string, string>, string[]]>([
    ['where all is the same', booted, []],
    ['where the kernel is another', { ...booted, kernel: '/k2' }, ['kernel']],
    ['where parameters are others', { ...booted, 'kernel-params': '\n' }, ['kernel parameters']],
    ['where the next system names more', { ...booted, systemd: '/s1' }, ['systemd']],
    ['where the next system names less', { kernel: '/k1' }, []],
    [
      'where much differs',
      { kernel: '/k2', initrd: '/i2', parameters: 'x' },
      ['kernel', 'initrd', 'kernel parameters'],
    ],
  ])('%s', (_, next, reasons) => {
    expect(rebootReasons(booted, next)).toEqual(reasons);
  });
});

describe('the columns of a status', () => {
  const at = path('/etc/x');
  const drift = (found: ReturnType<typeof foundFile> | 'absent'): string =>
    driftLetter({ deviations: new Map([[at, found]]) }, { path: at, previous: copied('/etc/x') });

  test('say what became of a path', () => {
    expect([drift('absent'), drift(foundFile()), drift(foundDirectory())]).toEqual(['D', 'M', 'T']);
  });

  test('say what is to become of it', () => {
    const next = linked('/etc/x');
    expect(decisionLetter({ path: at, action: 'create', next })).toBe('A');
    expect(decisionLetter({ path: at, action: 'remove', found: foundFile() })).toBe('D');
    expect(decisionLetter({ path: at, action: 'replace', next, found: foundFile() })).toBe('T');
    expect(decisionLetter({ path: at, action: 'replace', next: copied('/etc/x'), found: foundFile() })).toBe('M');
    expect(
      decisionLetter({ path: at, action: 'adopt', next: directory('/etc/x'), before: { mode: 0o755, uid: 0, gid: 0 } }),
    ).toBeUndefined();
    expect(decisionLetter({ path: at, action: 'release' })).toBeUndefined();
  });

  test('are joined path by path', () => {
    const since = new Map([[path('/b'), 'M' as const]]);
    const next = new Map<TargetPath, 'A' | 'M'>([
      [path('/b'), 'M'],
      [path('/a'), 'A'],
    ]);
    expect(joinColumns(since, next)).toEqual([
      { path: path('/a'), since: undefined, next: 'A' },
      { path: path('/b'), since: 'M', next: 'M' },
    ]);
  });
});
