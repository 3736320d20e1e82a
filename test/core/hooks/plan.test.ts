import { describe, expect, test } from 'bun:test';
import { type HookFile, hookFiles } from '../../../src/core/hooks/files';
import { hookNames } from '../../../src/core/hooks/hook';
import { type FoundFile, isIdle, missingDirectories, pathOf, planInstall } from '../../../src/core/hooks/plan';
import { type InstalledFile, parseHooksRecord, renderHooksRecord } from '../../../src/core/hooks/record';
import type { TargetPath } from '../../../src/core/path';
import { path } from '../../support/entries';

const digest = (bytes: Uint8Array): string => `sha of ${new TextDecoder().decode(bytes)}`;
const file: HookFile = { path: path('/usr/f'), mode: 0o644, bytes: new TextEncoder().encode('new'), why: 'is tested' };
const link: HookFile = { path: path('/usr/l'), linkText: '../f', why: 'is tested' };

const ours: InstalledFile[] = [
  { path: path('/usr/f'), digest: 'sha of new', mode: 0o644 },
  { path: path('/usr/l'), linkText: '../f' },
];
const there = (text: string, mode = 0o644): FoundFile => ({ kind: 'file', digest: `sha of ${text}`, mode });

/** Actions and conflicts, a line each. */
function plan(
  wanted: readonly HookFile[],
  recorded: readonly InstalledFile[] | undefined,
  found: Readonly<Record<string, FoundFile>>,
): { readonly lines: readonly string[]; readonly files: readonly InstalledFile[] } {
  const files = recorded === undefined ? undefined : { files: recorded };
  const made = planInstall(wanted, files, { found: (at) => found[at], digest });
  const lines = [
    ...made.steps.map((step) => `${step.action} ${pathOf(step)}`),
    ...made.conflicts.map(({ path: at, why }) => `conflict ${at}: ${why}`),
  ];
  return { lines, files: made.files };
}

describe('a file of a hook', () => {
  test.each<[string, readonly InstalledFile[] | undefined, Readonly<Record<string, FoundFile>>, string[]]>([
    ['that is missing is made', undefined, {}, ['create /usr/f', 'create /usr/l']],
    [
      'that is as it was installed stays',
      ours,
      { '/usr/f': there('new'), '/usr/l': { kind: 'link', linkText: '../f' } },
      ['keep /usr/f', 'keep /usr/l'],
    ],
    [
      'of an older version is replaced',
      [
        { path: path('/usr/f'), digest: 'sha of old', mode: 0o755 },
        { path: path('/usr/l'), linkText: 'old' },
      ],
      { '/usr/f': there('old', 0o755), '/usr/l': { kind: 'link', linkText: 'old' } },
      ['replace /usr/f', 'replace /usr/l'],
    ],
    [
      'that is the same is nobody’s business',
      undefined,
      { '/usr/f': there('new'), '/usr/l': { kind: 'link', linkText: '../f' } },
      ['keep /usr/f', 'keep /usr/l'],
    ],
    [
      'that somebody changed is in the way',
      ours,
      { '/usr/f': there('edited'), '/usr/l': { kind: 'link', linkText: '/dev/null' } },
      [
        'conflict /usr/f: somebody changed what was installed here',
        'conflict /usr/l: somebody changed what was installed here',
      ],
    ],
    [
      'of somebody else is in the way',
      undefined,
      { '/usr/f': { kind: 'other', what: 'directory' }, '/usr/l': there('x') },
      [
        'conflict /usr/f: a directory that activate did not install is there',
        'conflict /usr/l: a file that activate did not install is there',
      ],
    ],
    [
      'of another mode is in the way',
      undefined,
      { '/usr/f': there('new', 0o600) },
      ['create /usr/l', 'conflict /usr/f: a file that activate did not install is there'],
    ],
  ])('%s', (_, recorded, found, lines) => {
    expect(plan([file, link], recorded, found).lines).toEqual(lines);
  });

  test('that is not wanted any more goes, unless somebody changed it', () => {
    expect(plan([], ours, { '/usr/f': there('edited'), '/usr/l': { kind: 'link', linkText: '../f' } }).lines).toEqual([
      'leave /usr/f',
      'remove /usr/l',
    ]);
    expect(plan([], ours, {}).lines).toEqual([]);
  });

  test('is ours afterwards, unless it was there as it is', () => {
    expect(plan([file, link], undefined, {}).files).toEqual(ours);
    expect(plan([file, link], undefined, { '/usr/f': there('new') }).files).toEqual(ours.slice(1));
    expect(plan([file, link], ours, { '/usr/f': there('new') }).files).toEqual(ours);
  });

  test('is ours after a crash in the middle, whether the old or the new one is there', () => {
    const both = [{ path: path('/usr/f'), digest: 'sha of old', mode: 0o644 }, ...ours];
    expect(plan([file], both, { '/usr/f': there('old') }).lines).toEqual(['replace /usr/f']);
    expect(plan([file], both, { '/usr/f': there('new') }).lines).toEqual(['keep /usr/f']);
    expect(plan([], both, { '/usr/f': there('old') }).lines).toEqual(['remove /usr/f']);
  });
});

describe.each([...hookNames])('the hook %s', (hook) => {
  const files = hookFiles(hook, {
    program: '/opt/activate/bin/activate',
    closure: [],
    modules: [],
  });

  test('has nothing in /etc, which is managed', () => {
    for (const each of files) expect(each.path).toStartWith('/usr/');
    expect(new Set(files.map((each) => each.path)).size).toBe(files.length);
  });

  test('is idle once it is there, and gone once it was removed', () => {
    const disk = new Map<TargetPath, FoundFile>();
    const first = planInstall(files, undefined, { found: (at) => disk.get(at), digest });
    for (const each of files) {
      const now: FoundFile =
        'linkText' in each
          ? { kind: 'link', linkText: each.linkText }
          : { kind: 'file', digest: digest(each.bytes), mode: each.mode };
      disk.set(each.path, now);
    }
    expect(isIdle(first)).toBe(false);
    expect(isIdle(planInstall(files, first, { found: (at) => disk.get(at), digest }))).toBe(true);
    const gone = planInstall([], first, { found: (at) => disk.get(at), digest });
    expect(gone.steps.map((step) => `${step.action} ${pathOf(step)}`)).toEqual(
      files.map((each) => `remove ${each.path}`),
    );
  });

  test('links only what it has, and starts the program that is there', () => {
    const units = '/usr/lib/systemd/system';
    for (const each of files) {
      if ('linkText' in each)
        expect(files.map(({ path: at }) => at)).toContain(path(`${units}/${each.linkText.slice(3)}`));
      else expect(new TextDecoder().decode(each.bytes)).not.toMatch(/@ACTIVATE@|^\[Install\]/mu);
    }
    const resume = files.find((each) => each.path.endsWith('/system/activate-resume.service'));
    const text = resume !== undefined && 'bytes' in resume ? new TextDecoder().decode(resume.bytes) : '';
    expect(text).toContain('\nExecStart=/opt/activate/bin/activate resume');
  });
});

test('directories that have to be made come from the top', () => {
  const have = new Set(['/usr', '/usr/lib']);
  const made = missingDirectories([path('/usr/lib/a/b/c'), path('/usr/lib/a/d'), path('/usr/lib/e')], (at) =>
    have.has(at),
  );
  expect(made).toEqual([path('/usr/lib/a'), path('/usr/lib/a/b')]);
});

test('a record is read as it was written', () => {
  const record = { hook: 'dracut', files: ours, directories: [path('/usr/lib/activate')] } as const;
  expect(parseHooksRecord(renderHooksRecord(record), 'f')).toEqual(record);
});
