import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { testFor } from '../support/overlay';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const policy =
  'schema = 1\n[[path]]\nmatch = "/etc/whole/"\nplace = "link"\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n';
const TREE = '/var/lib/activate/generations/1/tree';

async function withGeneration(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    const closure = writeClosure(sandbox, 'one', {
      'etc/copy': 'copy\n',
      'etc/motd': 'motd\n',
      'etc/whole/inside': 'inside\n',
      'activation.toml': policy,
    });
    await insistOn(sandbox)('switch', closure);
    await task(sandbox);
  });
}

test('verify finds nothing wrong with what was just placed', async () => {
  await withGeneration(async (sandbox) => {
    expect(await activateOn(sandbox)('verify')).toEqual({
      status: 0,
      stdout: '4 paths of generation 1 as recorded.\n',
      stderr: '',
    });
  });
});

test('verify finds drift, a pointer that is gone, and since when', async () => {
  await withGeneration(async (sandbox) => {
    writeFileSync(sandbox.on('/etc/copy'), 'COPY\n');
    utimesSync(sandbox.on('/etc/copy'), 0, Date.parse('2026-01-02T03:04:05Z') / 1000);
    rmSync(sandbox.on('/run/filesystem-overlay'));
    expect(await activateOn(sandbox)('verify')).toEqual({
      status: 1,
      stdout: `/run/filesystem-overlay: there is no pointer
/etc/copy: its content was changed, since 2026-01-02 03:04:05
2 not as recorded, of 4 paths of generation 1.
\`activate verify --repair\` puts right what drifted.
`,
      stderr: '',
    });
    const { stdout } = await activateOn(sandbox)('verify', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      wrong: [
        { path: '/run/filesystem-overlay', at: 'path' },
        { path: '/etc/copy', at: 'path', since: '2026-01-02T03:04:05.000Z' },
      ],
    });
  });
});

test.each<[string, string, (path: string) => void]>([
  ['/etc/motd', 'it is gone', (path) => rmSync(path)],
  ['/etc/motd', 'it is a link to /elsewhere', (path) => replaceBy(path, () => symlinkSync('/elsewhere', path))],
  ['/etc/motd', 'a file is in its place', (path) => replaceBy(path, () => writeFileSync(path, 'motd\n'))],
  ['/etc/copy', 'a directory is in its place', (path) => replaceBy(path, () => mkdirSync(path))],
  ['/etc/copy', 'its content was changed', (path) => writeFileSync(path, 'longer than before\n')],
  ['/etc/copy', 'its mode or owner was changed', (path) => chmodSync(path, 0o600)],
])('verify says of %s: %s', async (path, what, change) => {
  await withGeneration(async (sandbox) => {
    change(sandbox.on(path));
    const { stdout } = await activateOn(sandbox)('verify', '--json');
    const { wrong } = JSON.parse(stdout) as { wrong: { path: string; what: string; since?: string }[] };
    expect(wrong.map((each) => [each.path, each.what])).toEqual([[path, what]]);
    expect(wrong[0]?.since === undefined).toBe(what === 'it is gone');
  });
});

function replaceBy(path: string, make: () => void): void {
  rmSync(path);
  make();
}

test('verify --repair puts right what drifted, and keeps changes as backups', async () => {
  await withGeneration(async (sandbox) => {
    expect(await activateOn(sandbox)('verify', '--repair')).toEqual({
      status: 0,
      stdout: '4 paths of generation 1 as recorded.\n',
      stderr: '',
    });
    const before = takeSnapshot(sandbox.on('/etc'));
    writeFileSync(sandbox.on('/etc/copy'), 'COPY\n');
    utimesSync(sandbox.on('/etc/copy'), 0, Date.parse('2026-01-02T03:04:05Z') / 1000);
    rmSync(sandbox.on('/etc/motd'));
    rmSync(sandbox.on('/run/filesystem-overlay'));
    const { status, stdout } = await activateOn(sandbox)('verify', '--repair');
    expect([status, stdout]).toEqual([
      0,
      `/run/filesystem-overlay: there is no pointer: put right
/etc/copy: its content was changed, since 2026-01-02 03:04:05: put right, and what was there is backup 1
/etc/motd: it is gone: put right
3 put right.
4 paths of generation 1 as recorded.
`,
    ]);
    expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: false })).toEqual([]);
    expect(readFileSync(sandbox.on('/var/lib/activate/backups/1/content'), 'utf8')).toBe('COPY\n');
    expect(await insistOn(sandbox)('verify')).toBe('4 paths of generation 1 as recorded.\n');
  });
});

test('verify --repair leaves what is kept, and what the next boot shows', async () => {
  await withGeneration(async (sandbox) => {
    writeFileSync(sandbox.on('/etc/copy'), 'COPY\n');
    const other = writeClosure(sandbox, 'two', { 'etc/motd': 'two\n' });
    await insistOn(sandbox)('switch', '1', '--on-drift', 'keep');
    await insistOn(sandbox)('boot', other);
    rmSync(sandbox.on('/etc/motd'));
    const { repaired, wrong } = JSON.parse(await insistOn(sandbox)('verify', '--repair', '--json')) as {
      repaired: { path: string }[];
      wrong: object[];
    };
    expect([repaired.map(({ path }) => path), wrong]).toEqual([['/etc/motd'], []]);
    expect(readFileSync(sandbox.on('/etc/copy'), 'utf8')).toBe('COPY\n');
    expect(readlinkSync(sandbox.on('/var/lib/activate/default'))).toBe('generations/2');
    expect(readlinkSync(sandbox.on('/var/lib/activate/live'))).toBe('generations/1');
  });
});

test('verify --repair changes nothing where a policy forbids it', async () => {
  await withSandbox(async (sandbox) => {
    const strict = 'schema = 1\n[[path]]\nmatch = "/etc/strict"\non-drift = "refuse"\n';
    const closure = writeClosure(sandbox, 'one', { 'etc/strict': 's\n', 'etc/motd': 'm\n', 'activation.toml': strict });
    await insistOn(sandbox)('switch', closure);
    for (const path of ['/etc/strict', '/etc/motd']) rmSync(sandbox.on(path));
    const { status, stdout, stderr } = await activateOn(sandbox)('verify', '--repair');
    expect([status, stdout]).toEqual([3, '']);
    expect(stderr).toStartWith(
      'activate: 1 conflict; nothing was changed:\n  /etc/strict: it was changed since it was placed',
    );
    const document = JSON.parse((await activateOn(sandbox)('verify', '--repair', '--json')).stdout) as object;
    expect(document).toMatchObject({ schema: 1, repaired: [], conflicts: [{ path: '/etc/strict' }] });
    expect(existsSync(sandbox.on('/etc/motd'))).toBe(false);
  });
});

testFor(
  ['tree'],
  'nobody can write to the others',
  'a record that was changed where nothing protects it is found by its content',
  async () => {
    await withGeneration(async (sandbox) => {
      expect(spawnSync('chattr', ['-R', '-i', sandbox.on(TREE)]).status).toBe(0);
      expect(await insistOn(sandbox)('status')).toContain('Generation 1 is not protected');
      writeFileSync(sandbox.on(`${TREE}/etc/motd`), 'MOTD\n');
      writeFileSync(sandbox.on(`${TREE}/etc/whole/inside`), 'INSIDE\n');
      const { status, stdout } = await activateOn(sandbox)('verify', '--json');
      const since = expect.any(String) as string;
      const { wrong } = JSON.parse(stdout) as { wrong: object[] };
      expect([status, wrong]).toEqual([
        1,
        [
          {
            path: '/etc/motd',
            what: 'the record of generation 1 was changed: its content is another',
            since,
            at: 'record',
          },
          {
            path: '/etc/whole',
            what: 'the record of generation 1 was changed: something in it is another',
            since,
            at: 'record',
          },
        ],
      ]);
      // Nothing can be placed from it: the way out makes it anew.
      const repair = await activateOn(sandbox)('verify', '--repair');
      expect(repair.status).toBe(1);
      expect(repair.stdout).toEndWith(
        `Generation 1 was changed itself, which nothing can be placed from: \`activate rollback\`, then \`activate switch ${sandbox.on('/closures/one')}\` makes it anew.\n`,
      );
      await insistOn(sandbox)('rollback');
      await insistOn(sandbox)('switch', sandbox.on('/closures/one'));
      expect(await insistOn(sandbox)('verify')).toBe('4 paths of generation 2 as recorded.\n');
    });
  },
);

test('verify of a machine where nothing is managed says so', async () => {
  await withSandbox(async (sandbox) => {
    expect(await activateOn(sandbox)('verify')).toEqual({ status: 0, stdout: 'Nothing is managed.\n', stderr: '' });
  });
});
