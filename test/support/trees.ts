import { chmodSync, lchownSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { LONGEST_NAME } from './overlay';

/** A tree as a value: what a closure or a machine's /etc holds. */
export type Node =
  | { readonly kind: 'file'; readonly content: string; readonly mode: number; readonly uid: number }
  | { readonly kind: 'symlink'; readonly linkText: string }
  | { readonly kind: 'directory'; readonly mode: number; readonly children: Tree };

export type Tree = Readonly<Record<string, Node>>;

/** Few names, so that two random trees share many; some of them hostile. */
const names = [
  'a',
  'b',
  'a-b',
  'with space',
  '100%',
  '"q"',
  '*',
  '{x,y}',
  '\u00e4',
  '\udcff',
  '\u0001',
  '--',
  'passwd',
  LONGEST_NAME,
];

const name = fc.constantFrom(...names);

const file = fc.record({
  kind: fc.constant('file' as const),
  content: fc.constantFrom('', 'one\n', 'two\n', 'three, without an end'),
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o4755),
  uid: fc.constantFrom(0, 0, 0, 12),
});

/** None of them leads back to itself, whatever the tree is. */
const symlink = fc.record({
  kind: fc.constant('symlink' as const),
  linkText: fc.constantFrom('/nowhere', '../usr/x', '/proc/mounts', '-', 'with space and %', '\udcfe'),
});

function tree(depth: number): fc.Arbitrary<Tree> {
  const children: fc.Arbitrary<Node> =
    depth === 0
      ? fc.oneof(file, symlink)
      : fc.oneof(
          { weight: 4, arbitrary: file },
          { weight: 2, arbitrary: symlink },
          { weight: 3, arbitrary: directory(depth - 1) },
        );
  return fc.dictionary(name, children, { maxKeys: 6 });
}

function directory(depth: number): fc.Arbitrary<Node> {
  return fc.record({
    kind: fc.constant('directory' as const),
    mode: fc.constantFrom(0o755, 0o755, 0o700),
    children: tree(depth),
  });
}

/** A random tree, three directories deep. The file of users is no link: no closure may have that. */
export const randomTree: fc.Arbitrary<Tree> = tree(2).map((random) => {
  const users = { kind: 'file', content: 'one\n', mode: 0o644, uid: 0 } as const;
  return random['passwd']?.kind === 'symlink' ? Object.assign(random, { passwd: users }) : random;
});

/** Writes a tree below a directory that exists. Times are whole seconds in the past, all different. */
export function writeTree(directory: string, content: Tree): void {
  let seconds = 1_000_000_000;
  const write = (parent: Buffer, children: Tree): void => {
    for (const [childName, node] of Object.entries(children)) {
      const path = Buffer.concat([parent, Buffer.from('/'), bytesOf(childName)]);
      if (node.kind === 'directory') {
        mkdirSync(path);
        write(path, node.children);
        chmodSync(path, node.mode);
      } else if (node.kind === 'symlink') {
        symlinkSync(bytesOf(node.linkText), path);
      } else {
        writeFileSync(path, node.content);
        lchownSync(path, node.uid, 0);
        chmodSync(path, node.mode);
      }
      seconds += 1;
      lutimesSync(path, seconds, seconds);
    }
  };
  write(Buffer.from(directory), content);
}

/** The bytes of a name in which lone surrogates stand for bytes that are not UTF-8; written apart from the code under test. */
export function bytesOf(text: string): Buffer {
  const parts = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(character);
  });
  return Buffer.concat(parts);
}
