import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

const FEWEST_PATHS = 1_000;

/**
 * Makes a tree closure out of this machine's own /etc: `to/etc`, with more than a thousand paths.
 *
 * Specimens of every kind are added for {@link mutateTree}, and padding where the machine has little.
 */
export function copyRealEtc(to: string): void {
  mkdirSync(to, { recursive: true });
  const { status, stderr } = spawnSync('cp', ['-a', '/etc', join(to, 'etc')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  for (const { name, before } of specimens) put(join(to, SPECIMENS, name), before);
  const missing = FEWEST_PATHS - readdirSync(join(to, 'etc'), { recursive: true }).length;
  for (let index = 0; index <= missing; index += 1) {
    put(join(to, `etc/padding.d/${index % 10}/${index}.conf`), { content: `number ${index}\n` });
  }
}

/** A path that {@link mutateTree} changed, below the tree's top, e.g. `/etc/hosts`. */
export interface Mutation {
  readonly path: string;
  readonly what: string;
}

/**
 * Turns the tree that {@link copyRealEtc} made into a second version of it, the same on every call.
 *
 * Every specimen changes its kind or appears or goes; of the real files every seventh changes, in content, mode or owner, or
 * goes. Files right in /etc stay as they are, and so do those that a machine needs to let people in or to find programs.
 */
export function mutateTree(tree: string): Mutation[] {
  const mutations = specimens.map(({ name, before, after }) => {
    const path = join(tree, SPECIMENS, name);
    rmSync(path, { recursive: true, force: true });
    put(path, after);
    return { path: `/${SPECIMENS}/${name}`, what: `${describeThing(before)} became ${describeThing(after)}` };
  });
  changeable(tree).forEach((file, index) => {
    if (index % 7 !== 0) return;
    const change = changes[(index / 7) % changes.length];
    if (change === undefined) return;
    change.apply(join(tree, file));
    mutations.push({ path: `/${file}`, what: change.what });
  });
  return mutations;
}

/** What is at a path; `undefined` for nothing. */
type Thing =
  | { readonly content: string | Uint8Array; readonly mode?: number; readonly uid?: number; readonly gid?: number }
  | { readonly linkText: string }
  | { readonly names: readonly string[]; readonly mode?: number }
  | undefined;

const SPECIMENS = 'etc/specimens';

const file = { content: 'a file\n' };
const link = { linkText: '../hosts' };
const directory = { names: ['one', 'two'] };
const specimens: readonly { readonly name: string; readonly before: Thing; readonly after: Thing }[] = [
  { name: 'content', before: file, after: { content: 'other content\n' } },
  { name: 'mode', before: file, after: { ...file, mode: 0o600 } },
  { name: 'executable', before: file, after: { ...file, mode: 0o4755 } },
  { name: 'owner', before: file, after: { ...file, uid: 1, gid: 1 } },
  { name: 'new-file', before: undefined, after: file },
  { name: 'removed-file', before: file, after: undefined },
  { name: 'emptied-file', before: file, after: { content: '' } },
  {
    name: 'binary',
    before: { content: Uint8Array.of(0, 255, 10, 0) },
    after: { content: Uint8Array.of(0, 254, 13, 0, 10) },
  },
  { name: 'large', before: { content: 'x'.repeat(1 << 20) }, after: { content: 'y'.repeat(1 << 20) } },
  { name: 'file-to-directory', before: file, after: directory },
  { name: 'directory-to-file', before: directory, after: file },
  { name: 'file-to-link', before: file, after: link },
  { name: 'link-to-file', before: link, after: file },
  { name: 'link-to-link', before: link, after: { linkText: '/usr/lib/os-release' } },
  { name: 'link-to-dangling', before: link, after: { linkText: 'nowhere' } },
  { name: 'directory-to-link', before: directory, after: { linkText: 'with names' } },
  { name: 'link-to-directory', before: { linkText: 'with names' }, after: directory },
  { name: 'new-link', before: undefined, after: link },
  { name: 'removed-link', before: link, after: undefined },
  { name: 'new-empty-directory', before: undefined, after: { names: [] } },
  { name: 'removed-directory', before: directory, after: undefined },
  { name: 'directory-mode', before: directory, after: { ...directory, mode: 0o750 } },
  { name: 'new/nested/directories', before: undefined, after: directory },
  { name: 'removed/nested/directories', before: directory, after: undefined },
  {
    name: 'with names',
    before: { names: ['a b', 'c'] },
    after: { names: [' ', 'a  b', '100%', '*', '"quoted"', 'é'] },
  },
  { name: 'a file with spaces', before: file, after: { content: 'still with spaces\n' } },
];

function put(path: string, thing: Thing): void {
  if (thing === undefined) return;
  mkdirSync(dirname(path), { recursive: true });
  if ('linkText' in thing) return symlinkSync(thing.linkText, path);
  if ('names' in thing) {
    mkdirSync(path);
    for (const name of thing.names) writeFileSync(join(path, name), `${name}\n`);
    return chmodSync(path, thing.mode ?? 0o755);
  }
  writeFileSync(path, thing.content);
  chownSync(path, thing.uid ?? 0, thing.gid ?? 0);
  chmodSync(path, thing.mode ?? 0o644);
}

function describeThing(thing: Thing): string {
  if (thing === undefined) return 'nothing';
  if ('linkText' in thing) return `a link to ${thing.linkText}`;
  const mode = thing.mode === undefined ? '' : ` of mode ${thing.mode.toString(8)}`;
  return 'names' in thing
    ? `a directory of ${thing.names.length}${mode}`
    : `a file of ${thing.content.length} bytes${mode}`;
}

const changes: readonly { readonly what: string; readonly apply: (path: string) => void }[] = [
  { what: 'content', apply: (path) => appendFileSync(path, '# changed\n') },
  { what: 'mode', apply: (path) => chmodSync(path, lstatSync(path).mode ^ 0o044) },
  { what: 'owner', apply: (path) => chownSync(path, 1, 1) },
  { what: 'removed', apply: (path) => rmSync(path) },
];

const LEFT_ALONE = /^etc\/(?:[^/]*|(?:alternatives|ssh|ssl|sudoers\.d|specimens|nix)\/.*)$/u;

/** The regular files that may change, as paths below the top, sorted. */
function changeable(tree: string): string[] {
  return readdirSync(join(tree, 'etc'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1))
    .filter((path) => !LEFT_ALONE.test(path))
    .toSorted((a, b) => (a < b ? -1 : 1));
}
