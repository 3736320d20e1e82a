import { expect } from 'bun:test';
import { copyTree, directory, link, owned, pointer } from '../support/lines';
import { contract, done, rootTest, type Tree, useScene } from '../support/tmpfiles';

const scene = useScene();
const user = 'directory 0755 1000:1000';

// On the way to a path, what follows a directory that is not root's has to be the same user's: that user could have put
// it there. The path itself is not part of the way, so the last directory on it can be anybody's below root's.

contract('in a directory of another user', () => {
  rootTest('links, directories and copies are made', () => {
    scene.make({ '/etc/u': user, '/s': 'file content' });
    const lines = [
      link('/etc/u/link'),
      pointer('/etc/u/pointer'),
      directory('/etc/u/directory'),
      directory('/etc/u/theirs', owned(0o700, 2, 2)),
      copyTree('/etc/u/copy', '/s'),
    ];
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc/u')).toEqual({
      '/etc/u/copy': 'file content',
      '/etc/u/directory': 'directory',
      '/etc/u/link': 'link t',
      '/etc/u/pointer': 'link t',
      '/etc/u/theirs': 'directory 0700 2:2',
    });
    expect(scene.run('create', lines)).toEqual(done);
  });

  rootTest.each([['link wrong'], ['link 0777 1000:1000 wrong']])('L leaves a %s alone, and L+ replaces it', (there) => {
    scene.make({ '/etc/u': user, '/etc/u/x': there });
    expect(scene.run('create', [link('/etc/u/x')])).toEqual(done);
    expect(scene.tree('/etc/u')).toEqual({ '/etc/u/x': there });
    expect(scene.run('create', [pointer('/etc/u/x')])).toEqual(done);
    expect(scene.tree('/etc/u')).toEqual({ '/etc/u/x': 'link t' });
  });

  rootTest('d leaves mode and owner of a directory that is there alone', () => {
    scene.make({ '/etc/u': user, '/etc/u/x': 'directory 0710 1000:7' });
    expect(scene.run('create', [directory('/etc/u/x')])).toEqual(done);
    expect(scene.tree('/etc/u')).toEqual({ '/etc/u/x': 'directory 0710 1000:7' });
  });

  rootTest("the next directory may be that same user's", () => {
    scene.make({ '/etc/u/d/e': user, '/etc/u': user, '/etc/u/d': user });
    expect(scene.run('create', [link('/etc/u/d/e/x')])).toEqual(done);
    expect(scene.tree('/etc/u/d/e')).toEqual({ '/etc/u/d/e/x': 'link t' });
  });
});

contract('beyond a directory of another user', () => {
  rootTest.each([
    ['root', 'directory'],
    ['54321', 'directory 0755 54321:1000'],
  ])('nothing is made in one of %s: 73', (owner, description) => {
    const there = { '/etc/u': user, '/etc/u/d': description };
    scene.make(there);
    for (const line of [
      link('/etc/u/d/x'),
      pointer('/etc/u/d/x'),
      directory('/etc/u/d/x'),
      copyTree('/etc/u/d/x', '/etc'),
    ]) {
      const { status, message } = scene.run('create', [line, link('/etc/y')]);
      expect([status, message]).toEqual([73, expect.stringMatching(unsafe('/etc/u', '/etc/u/d', owner))]);
    }
    expect(scene.tree('/etc')).toEqual({ ...there, '/etc/y': 'link t' });
  });

  rootTest("missing parents are made all the same, as root's, before it fails: 73", () => {
    scene.make({ '/etc/u': user });
    expect(scene.run('create', [link('/etc/u/d/e/x')])).toEqual({
      status: 73,
      message: expect.stringMatching(unsafe('/etc/u', '/etc/u/d', 'root', '/etc/u/d/e')),
    });
    expect(scene.tree('/etc/u')).toEqual({ '/etc/u/d': 'directory', '/etc/u/d/e': 'directory' });
  });

  rootTest("the same snippet cannot make a directory and something in it, unless it is that same user's", () => {
    scene.make({ '/etc/u': user });
    const lines = ['root', 'user'].flatMap((name, index) => [
      directory(`/etc/u/${name}`, owned(0o755, index * 1000, 0)),
      link(`/etc/u/${name}/x`),
    ]);
    expect(scene.run('create', lines).status).toBe(73);
    expect(scene.tree('/etc/u')).toEqual({
      '/etc/u/root': 'directory',
      '/etc/u/user': 'directory 0755 1000:0',
      '/etc/u/user/x': 'link t',
    });
  });

  rootTest.each<[string, Tree, string]>([
    ['a link of that user', { '/etc/u': user, '/etc/u/l': 'link 0777 1000:1000 ../d' }, '/etc/u/l/x'],
    ['a link of root', { '/etc/u': user, '/etc/u/l': 'link ../d' }, '/etc/u/l/x'],
    ['a link of a user in a directory of root', { '/etc/l': 'link 0777 1000:1000 d' }, '/etc/l/x'],
  ])('%s is not followed to a directory of root: 73', (_, there, path) => {
    scene.make({ '/etc/d': 'directory', ...there });
    expect(scene.run('create', [link(path)]).status).toBe(73);
    expect(scene.tree('/etc')).toEqual({ '/etc/d': 'directory', ...there });
  });

  rootTest("everything is, where the root itself is another user's: 73", () => {
    scene.make({ '/etc': 'directory' });
    scene.chown('/', 1000);
    expect(scene.run('create', [link('/etc/x'), link('/y')])).toEqual({
      status: 73,
      message: expect.stringMatching(unsafe('', '/etc', 'root')),
    });
    expect(scene.tree('/')).toEqual({ '/etc': 'directory', '/y': 'link t' });
    scene.chown('/etc', 1000);
    expect(scene.run('create', [link('/etc/x')])).toEqual(done);
  });
});

function unsafe(from: string, to: string, owner: string, path = to): RegExp {
  return new RegExp(
    `^Detected unsafe path transition ROOT${from} \\(owned by \\S+\\) -> ROOT${to} \\(owned by ${owner}\\) ` +
      `during canonicalization of ROOT${path}\\.$`,
    'u',
  );
}
