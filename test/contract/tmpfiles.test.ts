import { expect, test } from 'bun:test';
import { directory, link, namedDirectory, owned, pointer } from '../support/lines';
import { contract, done, rootTest, useScene } from '../support/tmpfiles';

const scene = useScene();

contract('a link', () => {
  test.each([
    ['a wrong link', 'link wrong'],
    ['a dangling link', 'link /nowhere'],
    ['a file', 'file content'],
    ['a directory', 'directory'],
  ])('over %s is a silent no-op: L', (_, there) => {
    scene.make({ '/etc/x': there });
    expect(scene.run('create', [link('/etc/x', 'right')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': there });
  });

  test.each([
    ['a wrong link', 'link wrong'],
    ['a link to a directory', 'link d'],
    ['a file', 'file content'],
  ])('over %s is replaced by L+', (_, there) => {
    scene.make({ '/etc/x': there, '/etc/d': 'directory' });
    expect(scene.run('create', [pointer('/etc/x', 'right')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/d': 'directory', '/etc/x': 'link right' });
  });

  test('that is right already is left alone by L and L+', () => {
    scene.make({ '/etc/x': 'link right' });
    const before = scene.inode('/etc/x');
    expect(scene.run('create', [pointer('/etc/x', 'right')])).toEqual(done);
    expect(scene.run('create', [link('/etc/x', 'right')])).toEqual(done);
    expect(scene.inode('/etc/x')).toBe(before);
  });

  test('over a directory with files in it deletes them all: L+', () => {
    scene.make({ '/etc/x/precious': 'file content' });
    expect(scene.run('create', [pointer('/etc/x', 'right')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link right' });
  });

  test.each([
    ['L', link],
    ['L+', pointer],
  ])('in a directory that is a link goes to where that leads: %s', (_, line) => {
    scene.make({ '/etc/d': 'link /run/tree', '/run/tree': 'directory' });
    expect(scene.run('create', [line('/etc/d/x')])).toEqual(done);
    expect(scene.tree('/run/tree')).toEqual({ '/run/tree/x': 'link t' });
  });

  test('with no text, or just a dash, leads to /usr/share/factory', () => {
    expect(scene.run('create', 'L /etc/x - - - - \nL /etc/y\nL /etc/z - - - - -\n')).toEqual(done);
    expect(scene.tree('/etc')).toEqual({
      '/etc/x': 'link /usr/share/factory/etc/x',
      '/etc/y': 'link /usr/share/factory/etc/y',
      '/etc/z': 'link /usr/share/factory/etc/z',
    });
  });

  test('with no text is refused as it is rendered: 65', () => {
    expect(scene.run('create', [link('/etc/x', ''), link('/etc/y', '-')]).status).toBe(65);
    expect(scene.tree('/etc')).toEqual({ '/etc/y': 'link -' });
  });
});

contract('a directory', () => {
  const theirs = owned(0o700, 1, 2);

  test('that is new is 0755: d - - -', () => {
    expect(scene.run('create', 'd /etc/x - - -\n')).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory' });
  });

  rootTest('that is new gets mode and owner: d :0700 :1 :2', () => {
    expect(scene.run('create', [directory('/etc/x', theirs)])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory 0700 1:2' });
  });

  rootTest.each([
    ['d - - -', directory('/etc/x')],
    ['d :0700 :1 :2', directory('/etc/x', theirs)],
  ])('that is there keeps mode and owner: %s', (_, line) => {
    scene.make({ '/etc/x': 'directory 0710 7:8' });
    expect(scene.run('create', [line])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory 0710 7:8' });
  });

  rootTest('that is there gets mode and owner: d 0700 1 2', () => {
    scene.make({ '/etc/x': 'directory 0710 7:8' });
    expect(scene.run('create', [namedDirectory('/etc/x', theirs)])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory 0700 1:2' });
  });

  rootTest('can have any of the twelve bits', () => {
    const modes = ['0000', '0001', '1777', '2775', '4700', '7777'];
    const lines = modes.map((mode) => directory(`/etc/${mode}`, owned(Number.parseInt(mode, 8), 1, 2)));
    expect(scene.run('create', lines)).toEqual(done);
    const made = modes.map((mode) => [`/etc/${mode}`, `directory ${mode} 1:2`]);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(made));
  });

  rootTest('in one with the setgid bit inherits that and the group: d - - -, but not d 0755 0 0', () => {
    scene.make({ '/etc/s': 'directory 2775 0:50' });
    expect(scene.run('create', [directory('/etc/s/a'), namedDirectory('/etc/s/b', owned(0o755, 0, 0))])).toEqual(done);
    expect(scene.tree('/etc/s')).toEqual({ '/etc/s/a': 'directory 2755 0:50', '/etc/s/b': 'directory' });
  });

  test.each([['link d'], ['link nowhere'], ['file content']])('over a %s is a no-op with a message: d', (there) => {
    scene.make({ '/etc/x': there, '/etc/d': 'directory' });
    expect(scene.run('create', [namedDirectory('/etc/x', theirs)])).toEqual({
      status: 0,
      message: '"ROOT/etc/x" already exists and is not a directory.',
    });
    expect(scene.tree('/etc')).toEqual({ '/etc/d': 'directory', '/etc/x': there });
  });
});

contract('parents', () => {
  test('that are missing are made 0755', () => {
    expect(scene.run('create', [link('/etc/a/b/x')])).toEqual(done);
    expect(scene.tree('/')).toEqual({
      '/etc': 'directory',
      '/etc/a': 'directory',
      '/etc/a/b': 'directory',
      '/etc/a/b/x': 'link t',
    });
  });

  rootTest('that are there are left alone', () => {
    const there = { '/etc': 'directory 0700 0:5', '/etc/a': 'directory 0710 0:8' };
    scene.make(there);
    expect(scene.run('create', [link('/etc/a/x')])).toEqual(done);
    expect(scene.tree('/')).toEqual({ ...there, '/etc/a/x': 'link t' });
  });

  rootTest('are made before their children, whatever the order of the lines', () => {
    const paths = ['/etc/a/b/c', '/etc/a/b', '/etc/a'];
    const lines = paths.map((path) => directory(path, owned(0o700, 0, 3)));
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(paths.map((path) => [path, 'directory 0700 0:3'])));
  });

  test.each([
    ['file content', "Failed to create symlink 'ROOT/etc/a/x': Not a directory"],
    ['link nowhere', "Failed to open path 'ROOT/etc/a': No such file or directory"],
  ])('that are a %s fail their line, and the others run: 73', (there, message) => {
    scene.make({ '/etc/a': there });
    expect(scene.run('create', [link('/etc/a/x'), link('/etc/y')])).toEqual({ status: 73, message });
    expect(scene.tree('/etc')).toEqual({ '/etc/a': there, '/etc/y': 'link t' });
  });
});
