import { expect, test } from 'bun:test';
import { link, remove } from '../support/lines';
import { contract, done, rootTest, useScene } from '../support/tmpfiles';

const scene = useScene();

contract('r', () => {
  test.each([
    ['a link', 'link t'],
    ['a dangling link', 'link /nowhere'],
    ['a link to a directory with files in it', 'link d'],
    ['a file', 'file content'],
    ['an empty directory', 'directory'],
  ])('removes %s', (_, there) => {
    scene.make({ '/etc/x': there, '/etc/d/file': 'file content' });
    expect(scene.run('remove', [remove('/etc/x')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/d': 'directory', '/etc/d/file': 'file content' });
  });

  test('of a missing path is fine, its directory missing too', () => {
    scene.make({ '/etc/file': 'file content' });
    expect(scene.run('remove', [remove('/etc/x'), remove('/etc/d/x'), remove('/etc/file/x')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/file': 'file content' });
  });

  test('of a directory with something in it fails, and the others run: 73', () => {
    scene.make({ '/etc/d/file': 'file content', '/etc/x': 'link t' });
    expect(scene.run('remove', [remove('/etc/d'), remove('/etc/x')])).toEqual({
      status: 73,
      message: 'rm(ROOT/etc/d): Directory not empty',
    });
    expect(scene.tree('/etc')).toEqual({ '/etc/d': 'directory', '/etc/d/file': 'file content' });
  });

  test('removes children before parents, whatever the order of the lines', () => {
    const paths = ['/etc/a', '/etc/a/b', '/etc/a/b/c', '/etc/a/x'];
    for (const order of [paths, paths.toReversed(), [...paths.slice(2), ...paths.slice(0, 2)]]) {
      scene.make({ '/etc/a/b/c': 'link t', '/etc/a/x': 'link t' });
      expect(scene.run('remove', order.map(remove))).toEqual(done);
      expect(scene.tree('/etc')).toEqual({});
    }
  });

  test('goes through links in the way, wherever they lead', () => {
    scene.make({
      '/etc/d': 'link /run/tree',
      '/etc/e': 'link ../run/tree',
      '/run/tree/x': 'link t',
      '/run/tree/y': 'link t',
    });
    expect(scene.run('remove', [remove('/etc/e/x'), remove('/etc/d/y')])).toEqual(done);
    // An absolute link leads to the machine that runs it, not to the root.
    expect(scene.tree('/run')).toEqual({ '/run/tree': 'directory', '/run/tree/y': 'link t' });
  });

  rootTest('does not mind whose the directories on the way are', () => {
    scene.make({ '/etc/a': 'directory 0755 1000:1000', '/etc/a/b': 'directory', '/etc/a/b/x': 'link t' });
    expect(scene.run('remove', [remove('/etc/a/b/x')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/a': 'directory 0755 1000:1000', '/etc/a/b': 'directory' });
  });

  test('with --create does nothing, and L with --remove', () => {
    scene.make({ '/etc/gone': 'link old' });
    const lines = [link('/etc/new'), remove('/etc/gone')];
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/gone': 'link old', '/etc/new': 'link t' });
    expect(scene.run('remove', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/new': 'link t' });
  });

  test('comes first where --create and --remove are one call', () => {
    scene.make({ '/etc/x': 'link old' });
    expect(scene.run(['create', 'remove'], [link('/etc/x', 'new'), remove('/etc/x')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link new' });
  });
});

contract('r of a pattern', () => {
  test.each([
    ['a*', ['a*', 'a?', 'ab', 'a']],
    ['a?', ['a*', 'a?', 'ab']],
    ['[ab]', ['a', 'b']],
    ['{a,b}', ['a', 'b']],
    [String.raw`a\\*`, ['a*']],
  ])('%s removes all that match it, which is why lines are rendered with escapes', (pattern, matching) => {
    const names = ['a', 'b', 'ab', 'a*', 'a?', '[ab]', '{a,b}'];
    scene.make(Object.fromEntries(names.map((name) => [`/etc/${name}`, 'link t'])));
    expect(scene.run('remove', `r "/etc/${pattern}"\n`)).toEqual(done);
    const left = names.filter((name) => !matching.includes(name));
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(left.map((name) => [`/etc/${name}`, 'link t'])));
  });
});
