import { expect, test } from 'bun:test';
import { linkSync, statSync, utimesSync } from 'node:fs';
import { copy, copyTree, link, owned, pointer } from '../support/lines';
import { contract, done, rootTest, self, useScene } from '../support/tmpfiles';

const scene = useScene();
const mine = owned(0o644, self.uid, self.gid);

contract('a copy of a file', () => {
  rootTest('has its content, mode, owner and time: C - - -', () => {
    scene.make({ '/s': 'file 4710 5:6 content' });
    utimesSync(`${scene.root}/s`, 1, 2);
    expect(scene.run('create', [copyTree('/etc/x', '/s')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'file 4710 5:6 content' });
    expect(statSync(`${scene.root}/etc/x`).mtimeMs).toBe(2000);
  });

  rootTest('has the mode and owner that the line says: C 0640 1 2', () => {
    scene.make({ '/s': 'file 0604 5:6 content' });
    expect(scene.run('create', [copy('/etc/x', '/s', owned(0o640, 1, 2))])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'file 0640 1:2 content' });
  });

  test.each([
    ['an empty file', 'file '],
    ['a file', 'file old'],
    ['a link', 'link t'],
    ['a directory', 'directory'],
  ])('never replaces %s', (_, there) => {
    scene.make({ '/s': 'file content', '/etc/x': there });
    expect(scene.run('create', [copyTree('/etc/x', '/s')])).toEqual(done);
    expect(scene.run('create', [copy('/etc/x', '/s', mine)])).toEqual(done);
    expect(scene.run('create', 'C+ /etc/x - - - - /s\n')).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': there });
  });

  rootTest('leaves mode and owner of a file that is there alone: C - - -', () => {
    scene.make({ '/s': 'file 0604 5:6 content', '/etc/x': 'file 0600 7:8 old' });
    expect(scene.run('create', [copyTree('/etc/x', '/s')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'file 0600 7:8 old' });
  });

  rootTest.each(['0640 1 2', ':0640 :1 :2'])('changes mode and owner of a file that is there: C %s', (fields) => {
    scene.make({ '/s': 'file content', '/etc/x': 'file 0600 7:8 old', '/etc/l': 'link x', '/etc/d': 'directory' });
    const text = ['x', 'l', 'd'].map((name) => `C /etc/${name} ${fields} - /s\n`).join('');
    expect(scene.run('create', text)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'file 0640 1:2 old', '/etc/l': 'link x', '/etc/d': 'directory' });
  });

  test('of a file with several names is a file of its own', () => {
    scene.make({ '/s': 'file content' });
    linkSync(`${scene.root}/s`, `${scene.root}/s2`);
    expect(scene.run('create', [copy('/etc/x', '/s', mine), copy('/etc/y', '/s2', mine)])).toEqual(done);
    expect(statSync(`${scene.root}/etc/x`).nlink).toBe(1);
  });
});

contract('the source of a copy', () => {
  test('that is missing makes the line a silent no-op', () => {
    expect(scene.run('create', [copy('/etc/x', '/missing/s', mine), link('/etc/y')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/y': 'link t' });
  });

  test('is looked at before anything is made: one behind a link of the same snippet is missing', () => {
    scene.make({ '/generation/etc/x': 'file content' });
    const lines = [pointer('/run/pointer', '../generation'), copy('/etc/x', '/run/pointer/etc/x', mine)];
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({});
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'file content' });
  });

  rootTest('that is a link is copied as a link', () => {
    scene.make({ '/s': 'link file', '/file': 'file content' });
    expect(scene.run('create', [copy('/etc/x', '/s', owned(0o600, 1, 2)), copyTree('/etc/y', '/s')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link 0777 1:2 file', '/etc/y': 'link file' });
  });

  test('can lie outside of --root, behind an absolute link', () => {
    scene.make({ '/out': `link ${scene.outside}` });
    scene.makeOutside({ '/s': 'file secret' });
    expect(scene.run('create', [copy('/etc/x', '/out/s', mine)])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'file secret' });
  });

  test('has to be absolute: 65', () => {
    scene.make({ '/s': 'file content' });
    expect(scene.run('create', [copy('/etc/x', 's', mine), link('/etc/y')]).status).toBe(65);
    expect(scene.tree('/etc')).toEqual({ '/etc/y': 'link t' });
  });
});

contract('a copy of a directory', () => {
  const content = {
    '/a': 'directory 0700 1000:1000',
    '/a/absolute': 'link /etc/x',
    '/a/dangling': 'link 0777 5:6 ../../nowhere',
    '/a/file': 'file 0640 1000:0 content',
    '/b': 'directory 2750 0:7',
    '/b/file': 'file 0600 8:8 content',
    '/empty': 'directory',
  };
  const below = (path: string) =>
    Object.fromEntries(Object.entries(content).map(([name, each]) => [path + name, each]));

  rootTest('has all that is in it, with owners and modes, and links verbatim', () => {
    scene.make({ '/s': 'directory 0750 9:9', ...below('/s') });
    expect(scene.run('create', [copyTree('/etc/x', '/s')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory 0750 9:9', ...below('/etc/x') });
  });

  rootTest('can be made in a directory of another user, whoever owns what is in it', () => {
    scene.make({ '/s': 'directory 0750 9:9', ...below('/s'), '/etc/theirs': 'directory 0755 1000:1000' });
    expect(scene.run('create', [copyTree('/etc/theirs/x', '/s')])).toEqual(done);
    expect(scene.tree('/etc/theirs')).toEqual({ '/etc/theirs/x': 'directory 0750 9:9', ...below('/etc/theirs/x') });
  });

  rootTest('fills an empty directory, which keeps mode and owner', () => {
    scene.make({ '/s': 'directory 0750 9:9', ...below('/s'), '/etc/x': 'directory 0711 3:3' });
    expect(scene.run('create', [copyTree('/etc/x', '/s')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory 0711 3:3', ...below('/etc/x') });
  });

  test.each([
    ['a directory with anything in it', { '/etc/x': 'directory', '/etc/x/other': 'file other' }],
    ['a file', { '/etc/x': 'file other' }],
    ['a link to a directory', { '/etc/d': 'directory', '/etc/x': 'link d' }],
  ])('leaves %s alone', (_, there) => {
    scene.make({ '/s/file': 'file content', ...there });
    expect(scene.run('create', [copyTree('/etc/x', '/s')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ ...there });
  });

  rootTest('with an owner of its own gives everything in it to that owner', () => {
    scene.make({ '/s': 'directory 0750 9:9', '/s/file': 'file 0600 8:8 content' });
    expect(scene.run('create', [copy('/etc/x', '/s', owned(0o700, 1, 2))])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'directory 0700 1:2', '/etc/x/file': 'file 0600 1:2 content' });
  });
});
