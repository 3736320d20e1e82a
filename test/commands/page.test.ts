import { describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn, type Ran } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { textsIn } from '../support/pages';
import { type Sandbox, withSandbox } from '../support/sandbox';

/** Something of everything: a conflict, a backup to come, a secret, and an ordinary change. */
async function prepare(sandbox: Sandbox): Promise<void> {
  writeClosure(sandbox, 'a', {
    'etc/motd': 'one\n',
    'etc/edited': 'x\n',
    'etc/secret': { file: 'old-secret\n', mode: 0o600 },
  });
  writeClosure(sandbox, 'b', {
    'etc/motd': 'two\n',
    'etc/edited': 'y\n',
    'etc/own': 'ours\n',
    'etc/secret': { file: 'new-secret\n', mode: 0o600 },
  });
  await insistOn(sandbox)('switch', 'closures/a');
  rmSync(sandbox.on('/etc/edited'));
  writeContents(sandbox.root, { 'etc/edited': 'edited\n', 'etc/own': 'own\n' });
}

function write(sandbox: Sandbox, ...argv: readonly string[]): Promise<Ran> {
  return activateOn(sandbox)('diff', ...argv, 'closures/b');
}

function read(sandbox: Sandbox, file = '/page.html'): string {
  return readFileSync(sandbox.on(file), 'utf8');
}

describe('diff --html', () => {
  test('writes a page with what diff says, and prints what stands beside it', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const { status, stdout, stderr } = await write(sandbox, '--html', 'page.html');
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
      expect(stderr).toBe((await write(sandbox)).stderr);
      const page = read(sandbox);
      expect(textsIn(page, 'h3').map((text) => text.split(' ')[0])).toEqual([
        '/etc/edited',
        '/etc/motd',
        '/etc/secret',
      ]);
      expect(textsIn(page, 'dd').slice(0, 2)).toEqual([
        `generation 1, ${sandbox.on('/closures/a')}`,
        `generation 2, ${sandbox.on('/closures/b')}`,
      ]);
      const rows = textsIn(page, 'li');
      expect(rows).toContain("/etc/own: a file of the machine's is there");
      expect(rows).toContain('/etc/edited: somebody changed this; the change is kept as a backup');
      expect(page).toContain('content withheld');
      expect(page).not.toMatch(/(?:old|new)-secret/u);
    });
  });

  test('writes to standard output, and beside a JSON document', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const { status, stdout } = await write(sandbox, '--exit-code', '--html', '-');
      expect(status).toBe(1);
      expect(stdout).toStartWith('<!DOCTYPE html>\n');
      const both = await write(sandbox, '--json', '--html', 'page.html');
      expect(both).toEqual(await write(sandbox, '--json'));
      expect(read(sandbox)).toEndWith('</html>\n');
    });
  });

  test('works for any two, and for nothing at all', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      await insistOn(sandbox)('diff', '--html', 'page.html', '0', 'closures/b');
      expect(textsIn(read(sandbox), 'title')).toEqual(['Changes from nothing managed to b']);
      await insistOn(sandbox)('diff', '--html', 'page.html', '1', '1');
      expect(read(sandbox)).toContain('<p>No path changes.</p>');
    });
  });

  test('replaces a file as a whole, which keeps its mode; with secrets nobody else may read it', async () => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const modeOf = (): number => statSync(sandbox.on('/page.html')).mode & 0o7777;
      await write(sandbox, '--html', 'page.html');
      expect(modeOf()).toBe(0o644);
      const before = statSync(sandbox.on('/page.html')).ino;
      chmodSync(sandbox.on('/page.html'), 0o640);
      await write(sandbox, '--html', 'page.html');
      expect(modeOf()).toBe(0o640);
      expect(statSync(sandbox.on('/page.html')).ino).not.toBe(before);
      await write(sandbox, '--html', 'page.html', '--show-secrets');
      expect(modeOf()).toBe(0o600);
      expect(read(sandbox)).toContain('<mark>new</mark>-secret');
      expect(readdirSync(sandbox.root).filter((name) => name.startsWith('.'))).toEqual([]);
    });
  });

  test.each<[string, (sandbox: Sandbox) => void, readonly string[], string]>([
    [
      'a directory',
      ({ on }) => mkdirSync(on('/page.html')),
      ['page.html'],
      'page.html: a page is not written over a directory',
    ],
    [
      'a link',
      ({ on }) => symlinkSync('other', on('/page.html')),
      ['page.html'],
      'page.html: a page is not written over a symlink',
    ],
    ['a device', () => undefined, ['/dev/null'], '/dev/null: a page is not written over a character device'],
    ['no directory', () => undefined, ['none/page.html'], 'none: there is no such directory to write the page to'],
    [
      'a file in its place',
      ({ on }) => writeFileSync(on('/file'), ''),
      ['file/page.html'],
      'file: there is no such directory',
    ],
    ['the directory itself', () => undefined, ['etc/'], 'etc: a page is not written over a directory'],
    ['nothing', () => undefined, [''], 'a page is not written over a directory'],
    ['a page and JSON', () => undefined, ['-', '--json'], 'standard output cannot be both a page and a JSON document'],
    [
      'a page and --stat',
      () => undefined,
      ['-', '--stat'],
      "option '--stat' cannot be used with option '--html <file>'",
    ],
  ])('refuses %s', async (_, arrange, argv, message) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      arrange(sandbox);
      const ran = await write(sandbox, '--html', ...argv);
      expect(ran).toMatchObject({ status: 2, stderr: expect.stringContaining(message) });
      expect(readdirSync(sandbox.root).filter((name) => name.startsWith('.'))).toEqual([]);
    });
  });
});
