import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import type { SnippetLine } from '../../src/core/snippet/snippet';
import { copy, copyTree, directory, link, namedDirectory, owned, pointer, remove } from '../support/lines';
import { anyName, decoyNames, linkText, nameBytes, namesWithEachByte, trickyNames } from '../support/names';
import { contract, done, self, type Tree, useScene } from '../support/tmpfiles';

const scene = useScene();
const names = [...new Set([...namesWithEachByte(nameBytes), ...trickyNames])];
const texts = [...new Set([...namesWithEachByte([...nameBytes, 0x0a, 0x0d]), ...trickyNames, 'a\nb\r\n'])];
const mine = owned(0o644, self.uid, self.gid);

/** The same for each of many paths. */
function forAll(paths: readonly string[], description: string): Tree {
  return Object.fromEntries(paths.map((path) => [path, description]));
}

contract('every name that a snippet can have', () => {
  const paths = names.map((name) => `/etc/${name}`);

  test.each<[string, (path: string) => SnippetLine, string]>([
    ['L', (path) => link(path), 'link t'],
    ['L+', (path) => pointer(path), 'link t'],
    ['d - - -', (path) => directory(path), 'directory'],
    ['d :0700', (path) => directory(path, { ...mine, mode: 0o700 }), `directory 0700 ${self.uid}:${self.gid}`],
    ['d 0700', (path) => namedDirectory(path, { ...mine, mode: 0o700 }), `directory 0700 ${self.uid}:${self.gid}`],
    ['C 0644', (path) => copy(path, '/source', mine), 'file content'],
    ['C - - -', (path) => copyTree(path, '/source'), 'file content'],
  ])('is made by %s', (_, line, made) => {
    scene.make({ '/source': 'file content' });
    expect(scene.run('create', paths.map(line))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(forAll(paths, made));
  });

  test('is removed by r, and nothing that looks alike', () => {
    const decoys = decoyNames.map((name) => `/etc/${name}`).filter((path) => !paths.includes(path));
    scene.make(forAll([...paths, ...decoys], 'link t'));
    expect(scene.run('remove', paths.filter(isEven).map(remove))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(forAll([...paths.filter(isOdd), ...decoys], 'link t'));
    expect(scene.run('remove', paths.filter(isOdd).map(remove))).toEqual(done);
    expect(scene.tree('/etc')).toEqual(forAll(decoys, 'link t'));
  });

  test('can be that of a directory in which something is made and removed', () => {
    const children = names.map((name) => `/etc/${name}/${name}`);
    const lines = children.map((path) => link(path));
    expect(scene.run('create', lines)).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ ...forAll(paths, 'directory'), ...forAll(children, 'link t') });
    expect(scene.run('remove', children.filter(isEven).map(remove))).toEqual(done);
    expect(scene.tree('/etc')).toEqual({ ...forAll(paths, 'directory'), ...forAll(children.filter(isOdd), 'link t') });
    expect(scene.run('remove', [...paths, ...children].map(remove))).toEqual(done);
    expect(scene.tree('/etc')).toEqual({});
  });
});

contract('every text that an argument can have', () => {
  test.each([
    ['L', link],
    ['L+', pointer],
  ])('is that of %s', (_, line) => {
    const lines = texts.map((text, index) => line(`/etc/${index}`, text));
    expect(scene.run('create', lines)).toEqual(done);
    const made = texts.map((text, index) => [`/etc/${index}`, `link ${text}`]);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(made));
  });

  test('names the source of C', () => {
    scene.make(Object.fromEntries(texts.map((text, index) => [`/sources/${text}`, `file ${index}`])));
    const lines = texts.map((text, index) => copyTree(`/etc/${index}`, `/sources/${text}`));
    expect(scene.run('create', lines)).toEqual(done);
    const made = texts.map((_, index) => [`/etc/${index}`, `file ${index}`]);
    expect(scene.tree('/etc')).toEqual(Object.fromEntries(made));
  });
});

contract('random names and link texts', () => {
  const pairs = fc.array(fc.tuple(anyName, linkText), { minLength: 100, maxLength: 300 });

  test('arrive as they are, and exactly those that r lines name go', () => {
    fc.assert(
      fc.property(pairs, fc.nat({ max: 3 }), (batch, kept) => {
        const links = batch.map(([name, text], index): [string, string] => [`/etc/${index}${name}`, text]);
        const lines = links.map(([path, text]) => link(path, text));
        expect(scene.run('create', lines)).toEqual(done);
        expect(scene.tree('/etc')).toEqual(treeOf(links));

        const gone = links.filter((_, index) => index % 4 !== kept);
        expect(scene.run('remove', gone.map(pathOf).map(remove))).toEqual(done);
        expect(scene.tree('/etc')).toEqual(treeOf(links.filter((_, index) => index % 4 === kept)));

        expect(scene.run('remove', links.map(pathOf).map(remove))).toEqual(done);
        expect(scene.tree('/etc')).toEqual({});
      }),
      { numRuns: 30 },
    );
  });
});

function isEven(_: unknown, index: number): boolean {
  return index % 2 === 0;
}

function isOdd(_: unknown, index: number): boolean {
  return index % 2 === 1;
}

function treeOf(links: readonly (readonly [string, string])[]): Tree {
  return Object.fromEntries(links.map(([path, text]) => [path, `link ${text}`]));
}

function pathOf([path]: readonly [string, string]): string {
  return path;
}
