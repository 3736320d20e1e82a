import { describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { chmodSync, linkSync, lstatSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { encodeName } from '../../../src/core/bytes';
import {
  canWriteDirectory,
  digestFile,
  digestHostFile,
  listDirectory,
  readFile,
  readLinkText,
  readLinkTexts,
  readStatus,
} from '../../../src/system/tree/reading';
import { closeRoot, openRoot } from '../../../src/system/tree/rooted';
import { at, failureOf, hostileNames, rootTest, run, runInNamespace, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

/** The path for other programs, in the bytes of a name that may not be UTF-8. */
function bytesOf(path: string): Buffer {
  return Buffer.from(encodeName(root.on(path)));
}

describe('readStatus', () => {
  test('tells what lstat tells', () => {
    writeFileSync(root.on('/file'), 'content');
    chmodSync(root.on('/file'), 0o4751);
    utimesSync(root.on('/file'), 1, 1_000_000_000.25);
    const { uid, gid, ino, ctimeNs, birthtimeNs, dev } = lstatSync(root.on('/file'), { bigint: true });
    const device = `${(dev >> 8n) & 0xfffn}:${(dev & 0xffn) | ((dev >> 12n) & 0xfff00n)}`;
    expect(readStatus(root.current, at('/file'))).toEqual({
      kind: 'file',
      mode: 0o4751,
      uid: Number(uid),
      gid: Number(gid),
      sizeBytes: 7,
      links: 1,
      mtimeNs: 1_000_000_000_250_000_000n,
      ctimeNs,
      inode: ino,
      identity: `born ${birthtimeNs}`,
      device,
      mountRoot: false,
      immutable: false,
      appendOnly: false,
    });
  });

  test('knows every kind, and links themselves', async () => {
    mkdirSync(root.on('/directory'));
    symlinkSync('nowhere', root.on('/symlink'));
    run('mkfifo', root.on('/fifo'));
    const server = createServer().listen(root.on('/socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const kinds = ['/directory', '/symlink', '/fifo', '/socket'].map(
      (path) => readStatus(root.current, at(path))?.kind,
    );
    expect(kinds).toEqual(['directory', 'symlink', 'fifo', 'socket']);
    server.close();
    const machine = openRoot('/');
    expect(readStatus(machine, at('/dev/null'))?.kind).toBe('character device');
    closeRoot(machine);
  });

  rootTest('knows block devices and immutable files', () => {
    run('mknod', root.on('/block'), 'b', '7', '200');
    expect(readStatus(root.current, at('/block'))?.kind).toBe('block device');
    writeFileSync(root.on('/file'), '');
    for (const [letter, expected] of [
      ['i', [true, false]],
      ['a', [false, true]],
    ] as const) {
      run('chattr', `+${letter}`, root.on('/file'));
      const status = readStatus(root.current, at('/file'));
      run('chattr', `-${letter}`, root.on('/file'));
      expect([status?.immutable, status?.appendOnly]).toEqual([...expected]);
    }
  });

  test('tells of the root itself', () => {
    expect(readStatus(root.current, at('/'))?.kind).toBe('directory');
  });

  test('knows where a filesystem begins', () => {
    const machine = openRoot('/');
    expect(readStatus(machine, at('/proc'))?.mountRoot).toBe(true);
    closeRoot(machine);
  });

  test('finds nothing where nothing is, below a file, and behind a symlink', () => {
    mkdirSync(root.on('/directory'));
    writeFileSync(root.on('/directory/file'), '');
    symlinkSync('directory', root.on('/link'));
    for (const path of ['/missing', '/missing/x', '/directory/file/x', '/link/file', '/link/x/y']) {
      expect(readStatus(root.current, at(path))).toBeUndefined();
    }
  });

  test('says so where a name is too long for the kernel', () => {
    const path = `/${'x'.repeat(256)}`;
    expect(failureOf(() => readStatus(root.current, at(path))).slice(0, 3)).toEqual(['IO', 'ENAMETOOLONG', path]);
  });
});

describe('links', () => {
  test('are read with hostile names and texts', () => {
    mkdirSync(root.on('/directory'));
    for (const name of hostileNames) symlinkSync(Buffer.from(encodeName(`../${name}`)), bytesOf(`/directory/${name}`));
    const expected = hostileNames.map((name) => `../${name}`);
    expect(readLinkTexts(root.current, at('/directory'), hostileNames)).toEqual(expected);
    expect(hostileNames.map((name) => readLinkText(root.current, at(`/directory/${name}`)))).toEqual(expected);
  });

  test('may be as long as the kernel allows', () => {
    const text = 'x/'.repeat(2048).slice(0, 4095);
    symlinkSync(text, root.on('/long'));
    expect(readLinkText(root.current, at('/long'))).toBe(text);
  });

  test('are not there where something else or nothing is', () => {
    writeFileSync(root.on('/file'), '');
    mkdirSync(root.on('/directory'));
    symlinkSync('text', root.on('/link'));
    const names = ['file', 'directory', 'link', 'missing'];
    expect(readLinkTexts(root.current, at('/'), names)).toEqual([undefined, undefined, 'text', undefined]);
    expect(names.map((name) => readLinkText(root.current, at(`/${name}`)))).toEqual([
      undefined,
      undefined,
      'text',
      undefined,
    ]);
  });

  test('are not looked for in a directory that is missing, a file, or behind a symlink', () => {
    mkdirSync(root.on('/directory'));
    symlinkSync('text', root.on('/directory/link'));
    symlinkSync('directory', root.on('/alias'));
    writeFileSync(root.on('/file'), '');
    for (const directory of ['/missing', '/file', '/alias', '/missing/x']) {
      expect(readLinkTexts(root.current, at(directory), ['link', 'x'])).toEqual([undefined, undefined]);
      expect(readLinkText(root.current, at(`${directory}/link`))).toBeUndefined();
    }
  });

  test('with a NUL in the name are refused, not read under a shorter name', () => {
    symlinkSync('text', root.on('/link'));
    expect(failureOf(() => readLinkTexts(root.current, at('/'), ['link\0x'])).slice(0, 2)).toEqual(['IO', 'EINVAL']);
  });
});

describe('listDirectory', () => {
  test('names everything, whatever it is called, with its kind', () => {
    mkdirSync(root.on('/directory'));
    for (const name of hostileNames) writeFileSync(bytesOf(`/directory/${name}`), '');
    mkdirSync(root.on('/directory/a directory'));
    symlinkSync('x', root.on('/directory/a symlink'));
    run('mkfifo', root.on('/directory/a fifo'));
    const items = listDirectory(root.current, at('/directory'));
    expect(new Map(items.map(({ name, kind }) => [name, kind]))).toEqual(
      new Map([
        ...hostileNames.map((name) => [name, 'file'] as const),
        ['a directory', 'directory'] as const,
        ['a symlink', 'symlink'] as const,
        ['a fifo', 'fifo'] as const,
      ]),
    );
  });

  test('reads directories that do not fit into one call', () => {
    const names = Array.from({ length: 3000 }, (_, index) => `${index}-${'x'.repeat(60)}`);
    for (const name of names) writeFileSync(root.on(`/${name}`), '');
    const found = listDirectory(root.current, at('/')).map(({ name }) => name);
    expect(found.sort()).toEqual(names.sort());
  });

  test.each([
    ['/file', 'ENOTDIR', 'not a directory'],
    ['/missing', 'ENOENT', 'no such file or directory'],
    ['/link', 'ELOOP', 'a symlink is in the way'],
    ['/link/x', 'ELOOP', 'a symlink is in the way'],
  ])('refuses %s with %s', (path, errno, text) => {
    writeFileSync(root.on('/file'), '');
    symlinkSync('/', root.on('/link'));
    expect(failureOf(() => listDirectory(root.current, at(path)))).toEqual([
      'IO',
      errno,
      path,
      `cannot list the directory: ${text}`,
    ]);
  });
});

describe('files', () => {
  const contents = [new Uint8Array(), Uint8Array.of(0, 255, 10), new Uint8Array(3 * 1024 * 1024 + 7).fill(42)];

  test.each(contents)('are read whole, and digested as sha256sum does (%#)', (bytes) => {
    writeFileSync(root.on('/file'), bytes);
    const digest = createHash('sha256').update(bytes).digest('hex');
    expect(readFile(root.current, at('/file'))).toEqual(bytes);
    expect(digestFile(root.current, at('/file'))).toBe(digest);
    expect(digestHostFile(root.on('/file'))).toBe(digest);
    expect(run('sha256sum', root.on('/file')).split(' ')[0]).toBe(digest);
  });

  test('are read where the kernel says that they are empty', () => {
    const machine = openRoot('/');
    expect(readFile(machine, at('/proc/version')).length).toBeGreaterThan(0);
    closeRoot(machine);
  });

  test.each([
    ['/missing', 'ENOENT'],
    ['/link', 'ELOOP'],
    ['/alias/file', 'ELOOP'],
    ['/directory', 'EISDIR'],
    ['/fifo', 'EINVAL'],
    ['/directory/file/x', 'ENOTDIR'],
  ])('%s is refused with %s, and does not hang', (path, errno) => {
    mkdirSync(root.on('/directory'));
    writeFileSync(root.on('/directory/file'), 'x');
    symlinkSync('directory/file', root.on('/link'));
    symlinkSync('directory', root.on('/alias'));
    run('mkfifo', root.on('/fifo'));
    for (const read of [readFile, digestFile]) {
      expect(failureOf(() => read(root.current, at(path))).slice(0, 3)).toEqual(['IO', errno, path]);
    }
  });

  test('outside the root are digested through symlinks, but fifos are not waited for', () => {
    writeFileSync(root.on('/file'), 'x');
    symlinkSync('file', root.on('/link'));
    run('mkfifo', root.on('/fifo'));
    expect(digestHostFile(root.on('/link'))).toBe(digestFile(root.current, at('/file')));
    expect(failureOf(() => digestHostFile(root.on('/fifo'))).slice(0, 2)).toEqual(['IO', 'EINVAL']);
  });

  test('may have two names', () => {
    writeFileSync(root.on('/file'), 'x');
    linkSync(root.on('/file'), root.on('/other'));
    const [one, other] = ['/file', '/other'].map((path) => readStatus(root.current, at(path))?.inode);
    expect(one).toBe(other as bigint);
  });
});

describe('canWriteDirectory', () => {
  test('says yes where names can be made', () => {
    mkdirSync(root.on('/directory'));
    expect(canWriteDirectory(root.current, at('/directory'))).toBe('yes');
  });

  rootTest('says denied for an immutable directory', () => {
    mkdirSync(root.on('/directory'));
    run('chattr', '+i', root.on('/directory'));
    const answer = canWriteDirectory(root.current, at('/directory'));
    run('chattr', '-i', root.on('/directory'));
    expect(answer).toBe('denied');
  });

  rootTest('says read-only on a read-only filesystem', () => {
    expect(runInNamespace('read-only.ts', root.current.path)).toEqual({
      answer: 'read-only',
      failure: ['IO', 'EROFS', '/directory/link', 'cannot create the link: read-only file system'],
    });
  });

  test('refuses what is no directory', () => {
    writeFileSync(root.on('/file'), '');
    expect(failureOf(() => canWriteDirectory(root.current, at('/file'))).slice(0, 3)).toEqual([
      'IO',
      'ENOTDIR',
      '/file',
    ]);
  });
});
