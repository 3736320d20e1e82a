import { afterEach, beforeEach, describe, test } from 'bun:test';
import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { decodeName, encodeName } from '../../src/core/bytes';
import { renderSnippet, type SnippetLine } from '../../src/core/snippet/snippet';

/** Who runs the tests, and owns what they make. */
export const self = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

const isMissing = Bun.which('systemd-tmpfiles') === null;
const isRoot = self.uid === 0;
const mustRun = process.env['CI'] !== undefined;
if (isMissing) console.warn('systemd-tmpfiles is not installed: its contract is not tested.');
else if (!isRoot) console.warn('Not root: what systemd-tmpfiles does about other owners is not tested.');

/** In memory where that is possible: thousands of names are made, for which some disks take their time. */
const inMemory = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() === true;
const place = process.env['TMPDIR'] ?? (inMemory ? '/dev/shm' : tmpdir());

/** Tests of what the installed systemd-tmpfiles does. */
export const contract = describe.skipIf(isMissing && !mustRun);

/** A test that needs files of several users. */
export const rootTest = test.skipIf(!isRoot && !mustRun);

/** How a run of systemd-tmpfiles ended. `message` is all that it said, with `ROOT` for the root directory. */
interface Outcome {
  readonly status: number;
  readonly message: string;
}

/** Everything was done, and there is nothing to say. */
export const done: Outcome = { status: 0, message: '' };

type Verb = 'create' | 'remove';

/** What is to be there before systemd-tmpfiles runs, and what is there afterwards; see {@link Scene.tree}. */
export type Tree = Readonly<Record<string, string>>;

/** A directory that stands for the machine, fresh for each test. */
interface Scene {
  readonly root: string;
  /** A directory beside the root, for what must not be reached from within. */
  readonly outside: string;
  /** Lets systemd-tmpfiles carry out lines: rendered ones, or text as it is. */
  run(verb: Verb | readonly Verb[], lines: readonly SnippetLine[] | string): Outcome;
  /** Runs systemd-tmpfiles with arguments of the test's own. */
  start(args: readonly string[], options?: StartOptions): Outcome;
  /** Makes what {@link tree} would show. */
  make(tree: Tree): void;
  makeOutside(tree: Tree): void;
  chown(path: string, uid: number): void;
  /**
   * What is below a path, by path: `link 0777 UID:GID TEXT`, `directory MODE UID:GID`, `file MODE UID:GID CONTENT`.
   *
   * Mode and owner are left out where they are 0777, 0755 or 0644 and the test's own: `link TEXT`. Nothing is below a
   * path that is missing.
   */
  tree(path: string): Tree;
  /** Which object is at a path, and what was done to it last. */
  inode(path: string): string;
  inodes(path: string): Tree;
}

interface StartOptions {
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** A fresh {@link Scene} for each test of a file, removed afterwards. */
export function useScene(): Scene {
  let base = '';
  beforeEach(() => {
    base = realpathSync(mkdtempSync(`${place}/activate-contract-`));
    for (const name of ['root', 'outside']) mkdirSync(`${base}/${name}`, 0o755);
  });
  afterEach(() => rmSync(base, { recursive: true, force: true }));
  const scene: Scene = {
    get root() {
      return `${base}/root`;
    },
    get outside() {
      return `${base}/outside`;
    },
    run(verb, lines) {
      const text = typeof lines === 'string' ? lines : renderSnippet(['A test.'], lines);
      const verbs = [verb].flat().map((each) => `--${each}`);
      return scene.start([`--root=${scene.root}`, ...verbs, '-'], { input: encodeName(text) });
    },
    start: (args, options) => startTmpfiles(args, options, scene.root),
    make: (tree) => makeTree(scene.root, tree),
    makeOutside: (tree) => makeTree(scene.outside, tree),
    chown: (path, uid) => lchownSync(hostBytes(scene.root, path), uid, 0),
    tree: (path) => readTree(scene.root, path),
    inode: (path) => describeInode(scene.root, path),
    inodes: (path) => Object.fromEntries(Object.keys(scene.tree(path)).map((each) => [each, scene.inode(each)])),
  };
  return scene;
}

function startTmpfiles(args: readonly string[], { input, env }: StartOptions = {}, root: string): Outcome {
  const { exitCode, stderr } = Bun.spawnSync(['systemd-tmpfiles', ...args], {
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', ...env },
    stdin: input ?? 'ignore',
  });
  return { status: exitCode, message: decodeName(stderr).replaceAll(root, 'ROOT').trim() };
}

function hostBytes(root: string, path: string): Buffer {
  return Buffer.from(encodeName(root + path));
}

function makeTree(root: string, tree: Tree): void {
  for (const [path, description] of Object.entries(tree)) {
    const at = hostBytes(root, path);
    const [kind, mode, uid, gid, content] = parseDescription(description);
    mkdirSync(at.subarray(0, at.lastIndexOf('/')), { recursive: true, mode: 0o755 });
    if (kind === 'link') symlinkSync(Buffer.from(encodeName(content)), at);
    else if (kind === 'directory') mkdirSync(at, { recursive: true });
    else writeFileSync(at, encodeName(content));
    if (uid !== self.uid || gid !== self.gid) lchownSync(at, uid, gid);
    if (kind !== 'link') chmodSync(at, mode);
  }
}

const usualMode = { link: '0777', directory: '0755', file: '0644' } as const;
const DESCRIPTION = /^(link|directory|file)(?: ([0-7]{4}) (\d+):(\d+))?(?: (.*))?$/su;

function parseDescription(text: string): [kind: string, mode: number, uid: number, gid: number, content: string] {
  const [, kind = '', mode, uid, gid, content = ''] = DESCRIPTION.exec(text) ?? [];
  const usual = usualMode[kind as keyof typeof usualMode];
  return [kind, Number.parseInt(mode ?? usual, 8), Number(uid ?? self.uid), Number(gid ?? self.gid), content];
}

function readTree(root: string, path: string): Record<string, string> {
  const tree: Record<string, string> = {};
  const pending = namesIn(root, path);
  for (let at = pending.shift(); at !== undefined; at = pending.shift()) {
    const status = lstatSync(hostBytes(root, at));
    tree[at] = describeStatus(root, at, status);
    if (status.isDirectory()) pending.unshift(...namesIn(root, at));
  }
  return tree;
}

function namesIn(root: string, path: string): string[] {
  if (lstatSync(hostBytes(root, path), { throwIfNoEntry: false }) === undefined) return [];
  const names = readdirSync(hostBytes(root, path), { encoding: 'buffer' }).map((name) => decodeName(name));
  return names.sort().map((name) => `${path === '/' ? '' : path}/${name}`);
}

function describeStatus(root: string, path: string, status: Stats): string {
  const kind = status.isSymbolicLink() ? 'link' : status.isDirectory() ? 'directory' : 'file';
  const mode = (status.mode & 0o7777).toString(8).padStart(4, '0');
  const isUsual = mode === usualMode[kind] && status.uid === self.uid && status.gid === self.gid;
  const placed = isUsual ? kind : `${kind} ${mode} ${status.uid}:${status.gid}`;
  if (kind === 'directory') return placed;
  const at = hostBytes(root, path);
  return `${placed} ${decodeName(kind === 'link' ? readlinkSync(at, { encoding: 'buffer' }) : readFileSync(at))}`;
}

function describeInode(root: string, path: string): string {
  const { ino, ctimeNs, mtimeNs } = lstatSync(hostBytes(root, path), { bigint: true });
  return `${ino} ${ctimeNs} ${mtimeNs}`;
}
