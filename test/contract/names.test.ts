import { expect, test } from 'bun:test';
import fc from 'fast-check';
import type { TargetPath } from '../../src/core/path';
import type { SnippetLine } from '../../src/core/snippet';
import { anyName, decoyNames, linkText, nameBytes, namesWithEachByte, trickyNames } from '../support/names';
import { contract, type Outcome, type Tree, useScene } from '../support/tmpfiles';

const scene = useScene();
const done: Outcome = { status: 0, message: '' };
const names = [...new Set([...namesWithEachByte(nameBytes), ...trickyNames])];
const texts = [...new Set([...namesWithEachByte([...nameBytes, 0x0a, 0x0d]), ...trickyNames, 'a\nb\r\n'])];
const self = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/** The same for each of many paths. */
function forAll(paths: readonly string[], description: string): Tree {
  return Object.fromEntries(paths.map((path) => [path, description]));
}

contract('every name that a snippet can have', () => {
  test.each<[string, (path: TargetPath) => SnippetLine, string]>([
    ['L', (path) => ({ type: 'link', path, linkText: 't' }), 'link t'],
    ['L+', (path) => ({ type: 'pointer', path, linkText: 't' }), 'link t'],
    ['d', (path) => ({ type: 'directory', path, mode: 0o755, uid: 0, gid: 0 }), 'directory'],
    ['d with a mode', (path) => ({ type: 'named-directory', path, mode: 0o755, ...self }), 'directory'],
    ['d with a mode for new ones', (path) => ({ type: 'directory', path, mode: 0o755, ...self, gid: self.gid }), 'directory'],
    ['C', (path) => ({ type: 'copy', path, mode: 0o644, ...self, source: '/source' }), 'file content'],
    ['C of what is there', (path) => ({ type: 'copy-tree', path, source: '/source' }), 'file content'],
  ])('is made by %s', (_, line, made) => {
    scene.make({ '/source': 'file content', '/etc': 'directory' });
    const paths = names.map((name) => `/etc/${name}` as TargetPath);
    expect(scene.run('create', paths.map(line))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(forAll(paths, made));
  });

  test('is removed by r, and nothing that looks alike', () => {
    const decoys = decoyNames.filter((name) => !names.includes(name)).map((name) => `/etc/${name}`);
    const paths = names.map((name) => `/etc/${name}` as TargetPath);
    const [some, others] = [paths.filter((_, index) => index % 2 === 0), paths.filter((_, index) => index % 2 === 1)];
    scene.make(forAll([...paths, ...decoys], 'link t'));
    expect(scene.run('remove', some.map((path) => ({ type: 'remove', path })))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(forAll([...others, ...decoys], 'link t'));
    expect(scene.run('remove', others.map((path) => ({ type: 'remove', path })))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(forAll(decoys, 'link t'));
  });

  test('can be that of a directory in which something is made and removed', () => {
    const directories = forAll(names.map((name) => `/etc/${name}`), 'directory');
    const paths = names.map((name) => `/etc/${name}/${name}` as TargetPath);
    expect(scene.run('create', paths.map((path) => ({ type: 'link', path, linkText: 't' })))).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ ...directories, ...forAll(paths, 'link t') });
    expect(scene.run('remove', paths.map((path) => ({ type: 'remove', path })))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(directories);
    const both = names.flatMap((name) => [`/etc/${name}`, `/etc/${name}/x`]) as TargetPath[];
    scene.make(forAll(names.map((name) => `/etc/${name}/x`), 'file '));
    expect(scene.run('remove', both.map((path) => ({ type: 'remove', path })))).toEqual(done);
    expect(scene.tree('/etc')).toEqual({});
  });
});

contract('every text that an argument can have', () => {
  test.each(['link', 'pointer'] as const)('is that of a %s', (type) => {
    const lines = texts.map((text, index) => ({ type, path: `/etc/${index}` as TargetPath, linkText: text }));
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(lines.map(({ path, linkText }) => [path, `link ${linkText}`])));
  });

  test('names the source of a copy', () => {
    scene.make(Object.fromEntries(texts.map((text, index) => [`/sources/${text}`, `file ${index}`])));
    const lines = texts.map(
      (text, index) => ({ type: 'copy-tree', path: `/etc/${index}` as TargetPath, source: `/sources/${text}` }) as const,
    );
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(lines.map(({ path }, index) => [path, `file ${index}`])));
  });
});

contract('random names', () => {
  const links = fc.array(fc.record({ name: anyName, linkText }), { minLength: 100, maxLength: 300 });

  test('and link texts arrive as they are, and exactly those that r lines name go', () => {
    fc.assert(
      fc.property(links, fc.nat({ max: 3 }), (batch, keep) => {
        const lines = batch.map(({ name, linkText }, index) => ({ path: `/etc/${index}${name}` as TargetPath, linkText }));
        const tree = (some: typeof lines): Tree => Object.fromEntries(some.map(({ path, linkText }) => [path, `link ${linkText}`]));
        expect(scene.run('create', lines.map((line) => ({ type: 'link', ...line })))).toEqual(done);
        expect(scene.tree('/etc')).toEqual(tree(lines));

        const isKept = (_: unknown, index: number): boolean => index % 4 === keep;
        const removed = lines.filter((line, index) => !isKept(line, index));
        expect(scene.run('remove', removed.map(({ path }) => ({ type: 'remove', path })))).toEqual(done);
        expect(scene.tree('/etc')).toEqual(tree(lines.filter(isKept)));

        expect(scene.run('remove', lines.map(({ path }) => ({ type: 'remove', path })))).toEqual(done);
        expect(scene.tree('/etc')).toEqual({});
      }),
      { numRuns: 30 },
    );
  });
});
