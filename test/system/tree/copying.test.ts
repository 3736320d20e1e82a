import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { encodeName } from '../../../src/core/bytes';
import { copyFile, copyFileWithin, createFile } from '../../../src/system/tree/copying';
import { readStatus } from '../../../src/system/tree/reading';
import { listAttributes, readAttribute, writeAttribute } from '../../../src/system/syscalls/xattrs';
import { at, failureOf, hostileNames, rootTest, run, runInNamespace, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();
const text = new TextEncoder().encode('content');

let umask = 0;
beforeEach(() => {
  umask = process.umask(0o077);
});
afterEach(() => {
  process.umask(umask);
});

function statusOf(path: string) {
  const status = readStatus(root.current, at(path));
  if (status === undefined) throw new Error(`${path} is missing`);
  const { mode, uid, gid, sizeBytes, mtimeNs } = status;
  return { mode, uid, gid, sizeBytes, mtimeNs };
}

function setAttributes(path: string, attributes: Readonly<Record<string, Uint8Array>>): void {
  const descriptor = openSync(root.on(path), 'r+');
  for (const [name, value] of Object.entries(attributes)) expect(writeAttribute(descriptor, name, value)).toBe(0);
  closeSync(descriptor);
}

function attributesOf(path: string): Record<string, unknown> {
  const descriptor = openSync(root.on(path), 'r');
  const names = listAttributes(descriptor);
  const values = typeof names === 'number' ? [] : names.map((name) => [name, readAttribute(descriptor, name)] as const);
  closeSync(descriptor);
  return Object.fromEntries(values.filter(([name]) => name !== 'security.selinux'));
}

function full(what: string, path: string): readonly string[] {
  return ['IO', 'ENOSPC', path, `cannot ${what}: no space left on device`];
}

describe('createFile', () => {
  test.each([0o0, 0o644, 0o4755, 0o2755, 0o7777])('gives exactly the mode, whatever the umask (%o)', (mode) => {
    createFile(root.current, at('/file'), { mode }, text);
    expect(statusOf('/file').mode).toBe(mode);
    expect(readFileSync(root.on('/file'), 'utf8')).toBe('content');
  });

  rootTest('keeps set-user-ID though the owner changes', () => {
    createFile(
      root.current,
      at('/file'),
      { mode: 0o6755, uid: 1234, gid: 4_000_000_000, mtimeNs: -1_500_000_001n },
      text,
    );
    expect(statusOf('/file')).toEqual({
      mode: 0o6755,
      uid: 1234,
      gid: 4_000_000_000,
      sizeBytes: 7,
      mtimeNs: -1_500_000_001n,
    });
  });

  rootTest('changes one of owner and group alone', () => {
    createFile(root.current, at('/user'), { mode: 0o644, uid: 1234 }, text);
    createFile(root.current, at('/group'), { mode: 0o644, gid: 1234 }, text);
    expect(['/user', '/group'].map((path) => [statusOf(path).uid, statusOf(path).gid])).toEqual([
      [1234, 0],
      [0, 1234],
    ]);
  });

  test.each([['/file'], ['/link'], ['/dangling'], ['/directory']])('never writes over or through %s', (path) => {
    writeFileSync(root.on('/file'), 'kept');
    symlinkSync('file', root.on('/link'));
    symlinkSync('missing', root.on('/dangling'));
    mkdirSync(root.on('/directory'));
    expect(failureOf(() => createFile(root.current, at(path), { mode: 0o644 }, text))).toEqual([
      'IO',
      'EEXIST',
      path,
      'cannot create the file: file exists',
    ]);
    expect(readFileSync(root.on('/file'), 'utf8')).toBe('kept');
    expect(readdirSync(root.on('/')).sort()).toEqual(['dangling', 'directory', 'file', 'link']);
  });

  test('works with hostile names, and with empty and large content', () => {
    const contents = [new Uint8Array(), new Uint8Array(5_000_000).fill(7)];
    for (const [index, name] of hostileNames.entries()) {
      const bytes = contents[index % 2] ?? text;
      createFile(root.current, at(`/${name}`), { mode: 0o600 }, bytes);
      expect(Buffer.compare(readFileSync(Buffer.from(encodeName(root.on(`/${name}`)))), bytes)).toBe(0);
    }
  });

  rootTest('leaves nothing on a full disk, and a rename to it leaves the file', () => {
    expect(runInNamespace('full-disk.ts', root.current.path)).toEqual({
      file: full('create the file', '/small/file'),
      record: full('write the record', '/small/record'),
      other: ['IO', 'EXDEV', '/file', 'cannot rename this to /small/file: invalid cross-device link'],
      left: ['record'],
      recorded: [65],
      kept: [66],
    });
  });
});

describe('copyFile', () => {
  test.each([0, 7, 1024 * 1024, 3 * 1024 * 1024 + 1])('copies %d bytes', (sizeBytes) => {
    const bytes = crypto.getRandomValues(Buffer.alloc(Math.min(sizeBytes, 65_536)));
    writeFileSync(root.on('/source'), Buffer.concat([bytes, Buffer.alloc(sizeBytes - bytes.length, 9)]));
    copyFile(root.current, root.on('/source'), at('/copy'), { mode: 0o640, mtimeNs: 5n });
    run('cmp', root.on('/source'), root.on('/copy'));
    expect(statusOf('/copy')).toMatchObject({ mode: 0o640, sizeBytes, mtimeNs: 5n });
  });

  test('copies what the kernel says is empty', () => {
    copyFile(root.current, '/proc/version', at('/copy'), { mode: 0o644 });
    expect(readFileSync(root.on('/copy'), 'utf8')).toBe(readFileSync('/proc/version', 'utf8'));
  });

  test('follows links to the source outside the root, and none within', () => {
    writeFileSync(root.on('/source'), 'content');
    symlinkSync('source', root.on('/link'));
    copyFile(root.current, root.on('/link'), at('/copy'), { mode: 0o644 });
    expect(readFileSync(root.on('/copy'), 'utf8')).toBe('content');
    copyFileWithin(root.current, at('/copy'), at('/second'), { mode: 0o644 });
    expect(readFileSync(root.on('/second'), 'utf8')).toBe('content');
    expect(failureOf(() => copyFileWithin(root.current, at('/link'), at('/third'), { mode: 0o644 }))).toEqual([
      'IO',
      'ELOOP',
      '/link',
      'cannot read the file: a symlink is in the way',
    ]);
  });

  test('names the source where that is the trouble, and makes nothing', () => {
    run('mkfifo', root.on('/fifo'));
    mkdirSync(root.on('/directory'));
    const failures = ['/fifo', '/directory', '/missing'].map((path) =>
      failureOf(() => copyFile(root.current, root.on(path), at('/copy'), { mode: 0o644 })).slice(1, 3),
    );
    expect(failures).toEqual([
      ['EINVAL', root.on('/fifo')],
      ['EISDIR', root.on('/directory')],
      ['ENOENT', root.on('/missing')],
    ]);
    expect(readdirSync(root.on('/')).sort()).toEqual(['directory', 'fifo']);
  });

  test('names the target where that is the trouble', () => {
    writeFileSync(root.on('/source'), '');
    expect(failureOf(() => copyFile(root.current, root.on('/source'), at('/missing/copy'), { mode: 0o644 }))).toEqual([
      'IO',
      'ENOENT',
      '/missing/copy',
      `cannot copy ${root.on('/source')} to here: no such file or directory`,
    ]);
  });

  test('keeps attributes of users, empty and binary ones too', () => {
    const attributes = {
      'user.empty': new Uint8Array(),
      'user.binary': Uint8Array.of(0, 255, 0),
      'user.\udcff %': text,
    };
    writeFileSync(root.on('/source'), 'content');
    setAttributes('/source', attributes);
    copyFile(root.current, root.on('/source'), at('/copy'), { mode: 0o644 });
    expect(attributesOf('/copy')).toEqual(attributes);
  });

  rootTest('keeps capabilities and ACLs though owner and mode change', () => {
    // cap_net_raw=ep; the owner may write, user 1234 may read, the mask lets that through.
    const capability = Uint8Array.fromHex('0100000200200000000000000000000000000000');
    const acl = Uint8Array.fromHex(
      '02000000' +
        '01000600ffffffff' +
        '02000400d2040000' +
        '04000000ffffffff' +
        '10000400ffffffff' +
        '20000000ffffffff',
    );
    writeFileSync(root.on('/source'), 'content');
    setAttributes('/source', { 'system.posix_acl_access': acl, 'security.capability': capability });
    copyFile(root.current, root.on('/source'), at('/copy'), { mode: 0o4640, uid: 1, gid: 1 });
    expect(attributesOf('/copy')).toEqual({ 'system.posix_acl_access': acl, 'security.capability': capability });
    expect(statusOf('/copy')).toMatchObject({ mode: 0o4640, uid: 1, gid: 1 });
  });
});
