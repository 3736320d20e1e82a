import { describe, expect, test } from 'bun:test';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn, runActivate } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { differencesBetween, lookBelowEtc } from '../support/shown';
import { takeSnapshot } from '../support/snapshot';

/** Generation 1 is live, something drifted, and closure `b` changes every kind of thing. */
async function prepare(sandbox: Sandbox): Promise<void> {
  writeContents(sandbox.root, { 'etc/kind': 'own\n', 'etc/motd': 'own\n' });
  const policy = 'schema = 1\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n';
  writeClosure(sandbox, 'a', {
    'activation.toml': policy,
    'etc/motd': 'one\ntwo\nthree\n',
    'etc/copy': 'one\n',
    'etc/gone/x': 'x\n',
    'etc/kind': { link: 'x' },
    'etc/link': { link: 'x' },
    'etc/mode': 'x\n',
    'etc/same': 'x\n',
    'etc/secret': { file: 'old\n', mode: 0o600 },
    'etc/edited': 'x\n',
  });
  writeClosure(sandbox, 'b', {
    'activation.toml': policy,
    'etc/motd': 'one\n2\nthree\n',
    'etc/copy': 'two\n',
    'etc/kind': 'a file\n',
    'etc/link': { link: 'y' },
    'etc/mode': { file: 'x\n', mode: 0o755 },
    'etc/same': 'x\n',
    'etc/secret': { file: 'new\n', mode: 0o600 },
    'etc/new/dir/x': 'x\n',
    'etc/binary': 'a\0b',
    'etc/edited': 'x\n',
  });
  await insistOn(sandbox)('switch', 'closures/a', '--on-conflict', 'backup');
  rmSync(sandbox.on('/etc/edited'));
  writeContents(sandbox.root, { 'etc/edited': 'edited\n' });
}

const nameStatus = [
  'A\t/etc/binary',
  'M\t/etc/copy',
  'M\t/etc/edited',
  'D\t/etc/gone',
  'D\t/etc/gone/x',
  'T\t/etc/kind',
  'M\t/etc/link',
  'M\t/etc/mode',
  'M\t/etc/motd',
  'A\t/etc/new',
  'A\t/etc/new/dir',
  'A\t/etc/new/dir/x',
  'M\t/etc/secret',
  '',
].join('\n');

describe('diff', () => {
  test('shows a patch, and beside it what is no patch', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const { status, stdout, stderr } = await activateOn(sandbox)('diff', 'closures/b');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain(
        'diff --git a/etc/motd b/etc/motd\n--- a/etc/motd\n+++ b/etc/motd\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n',
      );
      expect(stdout).toContain('diff --git a/etc/mode b/etc/mode\nold mode 100644\nnew mode 100755\n');
      expect(stdout).toContain('# /etc/edited: somebody changed this; the change is kept as a backup\n');
      expect(stdout).toContain('# /etc/new/: new directory mode 0755 owner 0:0\n');
      expect(stdout).toContain('# /etc/secret: content withheld: not everyone may read it');
      expect(stdout).not.toMatch(/old\n|\+new\n/u);
      expect(stdout).not.toContain('/etc/same');
    });
  });

  test('shows secrets to those who ask for them', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const activate = insistOn(sandbox);
      expect(await activate('diff', '--show-secrets', 'closures/b')).toContain('@@ -1 +1 @@\n-old\n+new\n');
      const json = await activate('diff', '--show-secrets', '--json', 'closures/b');
      expect(json).toContain(String.raw`-old\n+new\n`);
      expect(await activate('diff', '--json', 'closures/b')).not.toContain(String.raw`-old\n+new\n`);
    });
  });

  test('has a line for each path with --name-status and --stat', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const activate = insistOn(sandbox);
      expect(await activate('diff', '--name-status', 'closures/b')).toBe(nameStatus);
      expect(await activate('diff', '--stat', 'closures/b')).toBe(
        [
          ' etc/binary    | Bin 0 -> 3 bytes',
          ' etc/copy      |   2 +-',
          ' etc/edited    |   2 +-',
          ' etc/gone/     |   0',
          ' etc/gone/x    |   1 -',
          ' etc/kind      |   2 +-',
          ' etc/link      |   2 +-',
          ' etc/mode      |   0',
          ' etc/motd      |   2 +-',
          ' etc/new/      |   0',
          ' etc/new/dir/  |   0',
          ' etc/new/dir/x |   1 +',
          ' etc/secret    |   - withheld',
          ' 13 paths changed, 6 insertions(+), 6 deletions(-)',
          '',
        ].join('\n'),
      );
    });
  });

  test('is one document with --json', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const document = JSON.parse(await insistOn(sandbox)('diff', '--json', 'closures/b')) as {
        changes: { status: string; path: string; before: unknown; after: unknown }[];
      };
      expect(document).toMatchObject({ schema: 1, from: 1, to: 2, conflicts: [], kept: [], unread: [], touched: 13 });
      const lines = document.changes.map(({ status, path }) => `${status}\t${path}\n`).join('');
      expect(lines).toBe(nameStatus);
      expect(document.changes.find(({ path }) => path === '/etc/kind')).toMatchObject({
        before: { kind: 'symlink', linkText: 'x' },
        after: { kind: 'file', mode: '0644', uid: 0, gid: 0, sizeBytes: 7, content: 'read' },
      });
      const keys = new Set(
        document.changes.flatMap(({ before, after }) => Object.keys({ ...(before as object), ...(after as object) })),
      );
      expect([...keys].toSorted()).toEqual(['content', 'gid', 'kind', 'linkText', 'mode', 'sizeBytes', 'uid']);
    });
  });

  test('tells scripts with --exit-code whether anything would change', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const activate = activateOn(sandbox);
      for (const form of [[], ['--stat'], ['--name-status'], ['--json']]) {
        expect((await activate('diff', '--exit-code', ...form, 'closures/b')).status).toBe(1);
        expect((await activate('diff', '--exit-code', ...form)).status).toBe(1);
      }
      await activate('switch', 'closures/b');
      for (const argument of [[], ['closures/b'], ['2']])
        expect(await activate('diff', '--exit-code', ...argument)).toEqual({ status: 0, stdout: '', stderr: '' });
    });
  });

  test('names conflicts beside what would change', async () => {
    await withSandbox(async (sandbox) => {
      writeContents(sandbox.root, { 'etc/motd': 'own\n' });
      writeClosure(sandbox, 'a', { 'etc/motd': 'ours\n' });
      const { status, stdout, stderr } = await activateOn(sandbox)('diff', '--exit-code', 'closures/a');
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toStartWith("conflict: /etc/motd: a file of the machine's is there\n1 conflict: ");
    });
  });

  test('without an argument is about what the next boot shows', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const activate = insistOn(sandbox);
      expect(await activate('diff', '--name-status')).toBe('M\t/etc/edited\n');
      await activate('boot', 'closures/b');
      expect(await activate('diff', '--name-status')).toBe(nameStatus);
    });
  });
});

describe('a preview', () => {
  test('names what is in a directory that makes room for a file once', async () => {
    await withSandbox(async (sandbox) => {
      writeClosure(sandbox, 'a', { 'etc/x/a': 'a\n', 'etc/x/b/c': 'c\n' });
      writeClosure(sandbox, 'b', { 'etc/x': 'x\n' });
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/a');
      const expected = 'T\t/etc/x\nD\t/etc/x/a\nD\t/etc/x/b\nD\t/etc/x/b/c\n';
      expect(await activate('diff', '--name-status', 'closures/b')).toBe(expected);
    });
  });

  test.each<[string, string[]]>([
    ['text', []],
    ['json', ['--json']],
  ])('is the same from diff and from --dry-run, and writes nothing: %s', async (_, form) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const activate = activateOn(sandbox);
      rmSync(sandbox.on('/run/activate'), { recursive: true });
      const before = takeSnapshot(sandbox.root, { inodes: true });
      for (const target of ['closures/b', 'closures/a', '1', '0']) {
        const diff = await activate('diff', target, ...form);
        for (const verb of ['switch', 'test', 'boot', ...(/^\d$/u.test(target) ? ['rollback'] : [])])
          expect(await activate(verb, target, '--dry-run', ...form)).toEqual(diff);
      }
      expect(takeSnapshot(sandbox.root, { inodes: true })).toEqual(before);
      expect(existsSync(sandbox.on('/run/activate'))).toBe(false);
    });
  });

  test.each(['closures/b', '1', '0'])('is what a switch to %s then does', async (target) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const activate = insistOn(sandbox);
      const preview = await activate('diff', '--name-status', target);
      const before = lookBelowEtc(sandbox);
      await activate('switch', target);
      expect(differencesBetween(before, lookBelowEtc(sandbox))).toBe(preview);
    });
  });
});

describe('on a terminal', () => {
  const terminal = { isTerminal: true, columns: 40, colour: 'always' as const };

  test('content that a terminal would obey is shown and not sent, in colours', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/motd': '\u001b]0;title\u0007\n', 'etc/\u001b[31m': 'x\n' });
      const run = (...argv: readonly string[]): Promise<{ stdout: string }> =>
        runActivate(['--root', sandbox.root, ...argv], { terminal });
      const { stdout } = await run('diff', closure);
      expect(stdout).toContain('^[]0;title^G');
      // oxlint-disable-next-line no-control-regex
      expect(stdout.replaceAll(/\u001b\[\d+m/gu, '')).not.toContain('\u001b');
      expect((await activateOn(sandbox)('diff', closure)).stdout).toContain('\u001b]0;title\u0007\n');
    });
  });

  test('a stat keeps to the columns', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { [`etc/${'directory/'.repeat(6)}x`]: 'x\n'.repeat(99), 'etc/y': '' });
      writeFileSync(`${closure}/etc/long`, '');
      const { stdout } = await runActivate(['--root', sandbox.root, 'diff', '--stat', closure], {
        terminal: { ...terminal, colour: 'never' },
      });
      const lines = stdout.trimEnd().split('\n').slice(0, -1);
      expect(lines.filter((line) => line.length > 40)).toEqual([]);
      expect(stdout).toContain(' .../directory/directory/x | 99 +++++++\n');
    });
  });
});
