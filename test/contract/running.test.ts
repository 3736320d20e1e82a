import { expect, test } from 'bun:test';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { renderSnippet } from '../../src/core/snippet/snippet';
import { copy, directory, link, namedDirectory, owned, pointer } from '../support/lines';
import { contract, done, rootTest, self, useScene } from '../support/tmpfiles';

const scene = useScene();

contract('a snippet', () => {
  test('of every kind of line, run again, changes nothing', () => {
    scene.make({ '/s': 'file content' });
    const lines = [
      pointer('/run/pointer', '/generation'),
      directory('/etc/d'),
      namedDirectory('/etc/e', owned(0o700, self.uid, self.gid)),
      link('/etc/d/l', '/run/pointer/etc/d/l'),
      copy('/etc/d/c', '/s', owned(0o600, self.uid, self.gid)),
    ];
    expect(scene.run('create', lines)).toEqual(done);
    const before = scene.inodes('/');
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.inodes('/')).toEqual(before);
  });

  test('with two lines for one path: the first wins, exit 0, and a message only where they differ', () => {
    expect(scene.run('create', [link('/etc/x', 'first'), link('/etc/x', 'second')])).toEqual({
      status: 0,
      message: expect.stringMatching(/:3: Duplicate line for path "ROOT\/etc\/x", ignoring\.$/),
    });
    expect(scene.run('create', [link('/etc/y'), link('/etc/y')])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link first', '/etc/y': 'link t' });
  });

  test.each([
    'k /etc/y',
    'Ll /etc/y - - - - t',
    'd /etc/y 0999',
    'L',
    'L "/etc/y - - - - t',
    'L etc/y - - - - t',
    'd /etc/y 0700 nobody-at-all',
  ])('with an invalid line: the others run, exit 65 (%s)', (line) => {
    expect(scene.run('create', `L /etc/x - - - - t\n${line}\nL /etc/z - - - - t\n`).status).toBe(65);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link t', '/etc/z': 'link t' });
  });

  test('with an invalid line and one that fails: 65', () => {
    scene.make({ '/etc/file': 'file content' });
    expect(scene.run('create', 'L /etc/file/x - - - - t\nk /y\n').status).toBe(65);
  });

  test('with paths below /var/run: they are below /run', () => {
    expect(scene.run('create', [link('/var/run/x')]).status).toBe(0);
    expect(scene.tree('/')).toEqual({ '/run': 'directory', '/run/x': 'link t' });
  });

  test('can have any text in its comment', () => {
    const comment = ['é \udcff %H "', '\\', '', 'a\nL /etc/y - - - - t\r\u0007'];
    expect(scene.run('create', renderSnippet(comment, [link('/etc/x')]))).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link t' });
  });

  test('is read from a file, whose path is absolute and not below --root', () => {
    const [file, root] = [`${scene.outside}/a b.conf`, `--root=${scene.root}`];
    writeFileSync(file, renderSnippet([], [link('/etc/x')]));
    expect(scene.start([root, '--create', file])).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/x': 'link t' });
  });

  test('that is missing: nothing runs, exit 1', () => {
    const args = [`--root=${scene.root}`, '--create', `${scene.outside}/missing.conf`, '-'];
    expect(scene.start(args, { input: Buffer.from('d /etc\n') }).status).toBe(1);
    expect(scene.tree('/')).toEqual({});
  });
});

contract('what is around it', () => {
  test('CREDENTIALS_DIRECTORY brings lines of its own', () => {
    writeFileSync(`${scene.outside}/tmpfiles.extra`, 'L /etc/extra - - - - t\n');
    const options = { env: { CREDENTIALS_DIRECTORY: scene.outside }, input: Buffer.from('L /etc/x - - - - t\n') };
    expect(scene.start([`--root=${scene.root}`, '--create', '-'], options)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ '/etc/extra': 'link t', '/etc/x': 'link t' });
  });

  rootTest('without /proc nothing runs: exit 1', () => {
    const script = 'umount --lazy /proc && { systemd-tmpfiles --root="$0" --create -; echo "$?"; }';
    const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, scene.root];
    const { stdout } = Bun.spawnSync(unshare, { stdin: Buffer.from('L /etc/x - - - - t\n') });
    expect([stdout.toString(), scene.tree('/')]).toEqual(['1\n', {}]);
  });

  test('umask does not matter', () => {
    const script = 'umask 0777 && exec systemd-tmpfiles --root="$0" --create -';
    Bun.spawnSync(['sh', '-c', script, scene.root], { stdin: Buffer.from('d /etc/a/b - - -\n') });
    expect(scene.tree('/')).toEqual({ '/etc': 'directory', '/etc/a': 'directory', '/etc/a/b': 'directory' });
  });
});

contract('--root', () => {
  test('works where it is empty', () => {
    expect(scene.run('create', [namedDirectory('/etc/x', owned(0o755, self.uid, self.gid))])).toEqual(done);
    expect(scene.tree('/')).toEqual({ '/etc': 'directory', '/etc/x': 'directory' });
  });

  rootTest('has users of its own, so that only numbers mean the same everywhere', () => {
    scene.make({ '/etc/passwd': 'file daemon:x:77:77::/:/bin/sh\n', '/etc/group': 'file daemon:x:78:\n' });
    expect(scene.run('create', 'd /a 0700 daemon daemon\nd /b 0700 1 1\nd /c 0700 nobody 1\n').status).toBe(65);
    const { '/a': a, '/b': b, '/c': c } = scene.tree('/');
    expect([a, b, c]).toEqual(['directory 0700 77:78', 'directory 0700 1:1', undefined]);
  });

  rootTest('takes every number but 65535, which is exit 65', () => {
    const ids = [1, 999, 65_534, 65_536, 4_294_967_294];
    const made = ids.map((id) => [`/etc/${id}`, `directory 0700 ${id}:${id}`]);
    const lines = ids.map((id) => directory(`/etc/${id}`, owned(0o700, id, id)));
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(made));
    expect(scene.run('create', 'd /x 0700 65535 0\nd /y 0700 0 65535\n').status).toBe(65);
    expect(Object.keys(scene.tree('/'))).not.toContain('/x');
  });

  test('keeps absolute links inside for what is made', () => {
    scene.make({ '/etc/d': 'link /srv', '/srv': 'directory' });
    expect(scene.run('create', [link('/etc/d/x')])).toEqual(done);
    expect(scene.tree('/srv')).toEqual({ '/srv/x': 'link t' });
  });

  test('lets missing parents be made outside, through an absolute link, before it fails: 73', () => {
    scene.make({ '/etc/out': `link ${scene.outside}` });
    expect(scene.run('create', [link('/etc/out/a/x')]).status).toBe(73);
    expect(readdirSync(scene.outside)).toEqual(['a']);
  });

  test('lets r lines remove things outside, through an absolute link', () => {
    scene.make({ '/etc/out': `link ${scene.outside}` });
    scene.makeOutside({ '/precious': 'file content' });
    expect(scene.run('remove', 'r /etc/out/precious\n')).toEqual(done);
    expect(readdirSync(scene.outside)).toEqual([]);
  });

  test('is itself a pattern to r lines: other roots lose theirs', () => {
    for (const name of ['o*', 'other']) {
      mkdirSync(`${scene.root}/${name}`);
      writeFileSync(`${scene.root}/${name}/file`, '');
    }
    scene.start([`--root=${scene.root}/o*`, '--remove', '-'], { input: Buffer.from('r /file\n') });
    expect(scene.tree('/')).toEqual({ '/o*': 'directory', '/other': 'directory' });
  });
});
