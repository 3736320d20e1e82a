import { expect, test } from 'bun:test';
import { overlayLinkText } from '../../src/core/entry';
import type { TargetPath } from '../../src/core/path';
import { type SnippetLine, whyNotRepresentable } from '../../src/core/snippet/snippet';
import { copyTree, directory, link, remove } from '../support/lines';
import { contract, done, useScene } from '../support/tmpfiles';

const scene = useScene();

/** Whatever systemd-tmpfiles cannot do is refused before; one line is done besides, to see whether anything is. */
function runBeside(verb: 'create' | 'remove', line: SnippetLine): { status: number; others: 'done' | 'not done' } {
  if (verb === 'remove') scene.run('create', [link('/etc/other')]);
  const { status } = scene.run(verb, [verb === 'create' ? link('/etc/other') : remove('/etc/other'), line]);
  const isThere = '/etc/other' in scene.tree('/etc');
  return { status, others: isThere === (verb === 'create') ? 'done' : 'not done' };
}

/** A path with as many bytes as that, the root included where one is given. */
function longPath(sizeBytes: number, root = '', character = 'a'): string {
  const length = sizeBytes - root.length;
  // No slash is left over for the end.
  const whole = Math.floor((length - 2) / 200);
  return `/${character.repeat(199)}`.repeat(whole) + `/${character.repeat(length - whole * 200 - 1)}`;
}

contract('a name', () => {
  test('of 255 bytes is made and removed, escapes not counted', () => {
    const names = ['a', '*', '%', '"', '\udcff'].map((character) => character.repeat(255)).concat('ä'.repeat(127));
    const paths = names.flatMap((name) => [`/etc/${name}`, `/etc/d${name.slice(1)}/${name}`]);
    expect(paths.map((path) => whyNotRepresentable(link(path)))).toEqual(paths.map(() => undefined));
    const lines = paths.map((path) => link(path));
    expect(scene.run('create', lines)).toEqual(done);
    expect(Object.keys(scene.tree('/etc'))).toEqual(expect.arrayContaining(paths));
    expect(scene.run('remove', paths.map(remove))).toEqual(done);
    expect(Object.values(scene.tree('/etc'))).toEqual(names.map(() => 'directory'));
  });

  test.each([['/etc/'], ['/etc/d/'], ['/']])('of 256 bytes in %s fails the line: 73', (parent) => {
    for (const path of [`${parent}${'a'.repeat(256)}`, `${parent}${'a'.repeat(256)}/x`]) {
      expect(whyNotRepresentable(link(path))).toBe('the name is too long: it takes 256 bytes, where 255 are possible');
      for (const line of [link(path), directory(path)]) {
        expect(runBeside('create', line)).toEqual({ status: 73, others: 'done' });
      }
      expect(runBeside('remove', remove(path))).toEqual({ status: 0, others: 'done' });
    }
  });

  test.each(['\n', '\r'])('with %j splits the line: 65', (character) => {
    const path = `/etc/a${character}b`;
    expect(whyNotRepresentable(link(path))).toMatch(/newline|carriage return/);
    for (const line of [`L "${path}" - - - - t`, `d "${path}"`]) {
      expect(scene.run('create', `${line}\nL /etc/other - - - - t\n`).status).toBe(65);
    }
    expect(scene.tree('/etc')).toEqual({ '/etc/other': 'link t' });
  });
});

contract('a path', () => {
  test('of 4095 bytes, the root included, is made and removed', () => {
    const path = longPath(4095, scene.root);
    expect([path.length + scene.root.length, whyNotRepresentable(link(path))]).toEqual([4095, undefined]);
    expect(scene.run('create', [link(path)])).toEqual(done);
    expect(Object.entries(scene.tree('/')).at(-1)).toEqual([path, 'link t']);
    expect(scene.run('remove', [remove(path)])).toEqual(done);
    expect(Object.values(scene.tree('/'))).not.toContain('link t');
  });

  test('that the root makes longer fails its line: 73', () => {
    const path = longPath(4096, scene.root);
    expect(whyNotRepresentable(link(path))).toBeUndefined();
    expect(runBeside('create', link(path))).toEqual({ status: 73, others: 'done' });
  });

  test.each([
    ['plain', 'a'],
    ['with an escape for each byte', '"'],
    ['with a specifier for each byte', '%'],
  ])('of 4096 bytes, the root not included, stops the whole snippet: 1 (%s)', (_, character) => {
    const [longest, longer] = [longPath(4095, '', character), longPath(4096, '', character)];
    expect([whyNotRepresentable(link(longest)), whyNotRepresentable(remove(longest))]).toEqual([undefined, undefined]);
    expect(runBeside('create', link(longest))).toEqual({ status: 73, others: 'done' });
    expect(runBeside('remove', remove(longest))).toEqual({ status: 0, others: 'done' });
    for (const line of [link(longer), directory(longer), remove(longer)]) {
      expect(whyNotRepresentable(line)).toBe('the path is too long: it takes 4096 bytes, where 4095 are possible');
    }
    expect(runBeside('remove', remove(longer))).toEqual({ status: 1, others: 'not done' });
    expect(scene.run('remove', [remove('/etc/other')])).toEqual(done);
    expect(runBeside('create', link(longer))).toEqual({ status: 1, others: 'not done' });
  });

  test('of which glob escapes make more than 4095 bytes can be made, but stops a whole snippet that removes it: 1', () => {
    const path = longPath(2070, '', '*');
    expect(whyNotRepresentable(link(path))).toBeUndefined();
    expect(scene.run('create', [link(path)])).toEqual(done);
    expect(whyNotRepresentable(remove(path))).toMatch(
      /^the path is too long: it takes 41\d\d bytes, where 4095 are possible$/,
    );
    expect(runBeside('remove', remove(path))).toEqual({ status: 1, others: 'not done' });
    const shorter = longPath(2040, '', '*');
    expect(whyNotRepresentable(remove(shorter))).toBeUndefined();
    expect(scene.run('create', [link(shorter)])).toEqual(done);
    expect(scene.run('remove', [remove(shorter)])).toEqual(done);
    expect(Object.keys(scene.tree('/'))).not.toContain(shorter);
  });

  test('that nothing is said against can be made, as a link through the pointer, and removed', () => {
    const path = longPath(4000) as TargetPath;
    expect(whyNotRepresentable(path)).toBeUndefined();
    expect(whyNotRepresentable(`${path}a` as TargetPath)).toBe(
      'the path is too long: it takes 4001 bytes, where 4000 are possible',
    );
    expect(scene.run('create', [link(path, overlayLinkText(path))])).toEqual(done);
    expect(Object.entries(scene.tree('/')).at(-1)).toEqual([path, `link /run/filesystem-overlay${path}`]);
    expect(scene.run('remove', [remove(path)])).toEqual(done);
    expect(Object.keys(scene.tree('/'))).not.toContain(path);
  });
});

contract('an argument', () => {
  test.each([
    ['plain', 'a'],
    ['with an escape for each byte', '\udcff'],
    ['with a specifier for each byte', '%'],
  ])('of 4095 bytes works, and of 4096 stops the whole snippet: 1 (%s)', (_, character) => {
    const text = character.repeat(4095);
    expect(whyNotRepresentable(link('/etc/x', text))).toBeUndefined();
    expect(runBeside('create', link('/etc/x', text))).toEqual({ status: 0, others: 'done' });
    expect(scene.tree('/etc')['/etc/x']).toBe(`link ${text}`);
    const longer = [link('/run/x', `${text}a`), link('/run/x', `${text}${character}`), copyTree('/run/x', `/${text}`)];
    for (const line of longer) {
      expect(whyNotRepresentable(line)).toMatch(/ is too long: it takes 4096 bytes, where 4095 are possible$/);
      expect(scene.run('create', [link('/run/other'), line]).status).toBe(1);
    }
    expect(Object.keys(scene.tree('/'))).not.toContain('/run');
  });
});

contract('a line', () => {
  test.each([
    [1024 * 1024 - 1, 0],
    [1024 * 1024, 1],
  ])('of %i bytes: exit %i', (sizeBytes, status) => {
    const text = `#${'x'.repeat(sizeBytes - 1)}\nL /etc/x - - - - t\n`;
    expect([scene.run('create', text).status, scene.tree('/etc')]).toEqual([
      status,
      status === 0 ? { '/etc/x': 'link t' } : {},
    ]);
  });
});
