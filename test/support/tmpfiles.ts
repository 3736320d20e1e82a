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
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { decodeName, encodeName } from '../../src/core/bytes';
import { renderSnippet, type SnippetLine } from '../../src/core/snippet';

const isMissing = Bun.which('systemd-tmpfiles') === null;
const isRoot = process.geteuid?.() === 0;
const mustRun = process.env['CI'] !== undefined;
if (isMissing) console.warn('systemd-tmpfiles is not installed: its contract is not tested.');
else if (!isRoot) console.warn('Not root: what systemd-tmpfiles does about other owners is not tested.');

/** Tests of what the installed systemd-tmpfiles does. */
export const contract = describe.skipIf(isMissing && !mustRun);

/** A test that needs files of several users. */
export const rootTest = test.skipIf(!isRoot && !mustRun);

/** How a run of systemd-tmpfiles ended. `message` is all that it said, with `ROOT` for the root directory. */
export interface Outcome {
  readonly status: number;
  readonly message: string;
}

export type Verb = 'create' | 'remove';

/** What is to be there before systemd-tmpfiles runs, and what is there afterwards; see {@link Scene.tree}. */
export type Tree = Readonly<Record<string, string>>;

/** A directory that stands for the machine, fresh for each test. */
export interface Scene {
  readonly root: string;
  /** A directory beside the root, for what must not be reached from within. */
  readonly outside: string;
  /** Lets systemd-tmpfiles carry out lines: rendered ones, or text as it is. */
  run(verb: Verb | readonly Verb[], lines: readonly SnippetLine[] | string): Outcome;
  /** Runs systemd-tmpfiles with arguments of the test's own. */
  start(args: readonly string[], options?: StartOptions): Outcome;
  /** Makes what {@link tree} would show. */
  make(tree: Tree): void;
  /**
   * What is below a path, by path: `link TEXT`, `directory MODE UID:GID` or `file MODE UID:GID CONTENT`. A directory
   * that is 0755 and the test's own is just `directory`, and such a file with mode 0644 `file CONTENT`.
   */
  tree(path: string): Tree;
}

export interface StartOptions {
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** A fresh {@link Scene} for each test of a file, removed afterwards. */
export function useScene(): Scene {
  let base = '';
  beforeEach(() => {
    base = realpathSync(mkdtempSync(`${tmpdir()}/activate-contract-`));
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
    tree: (path) => readTree(scene.root, path),
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
    if (uid !== self().uid || gid !== self().gid) lchownSync(at, uid, gid);
    if (kind !== 'link') chmodSync(at, mode);
  }
}

const DESCRIPTION = /^(link|directory|file)(?: ([0-7]{4}))?(?: (\d+):(\d+))?(?: (.*))?$/su;

function parseDescription(text: string): [kind: string, mode: number, uid: number, gid: number, content: string] {
  const [, kind = '', mode, uid, gid, content = ''] = DESCRIPTION.exec(text) ?? [];
  const usual = kind === 'directory' ? '0755' : '0644';
  return [kind, Number.parseInt(mode ?? usual, 8), Number(uid ?? self().uid), Number(gid ?? self().gid), content];
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
  const names = readdirSync(hostBytes(root, path), { encoding: 'buffer' }).map((name) => decodeName(name));
  return names.sort().map((name) => `${path === '/' ? '' : path}/${name}`);
}

function describeStatus(root: string, path: string, status: Stats): string {
  const owner = status.uid === self().uid && status.gid === self().gid ? '' : ` ${status.uid}:${status.gid}`;
  const at = hostBytes(root, path);
  if (status.isSymbolicLink()) return `link${owner} ${decodeName(readlinkSync(at, { encoding: 'buffer' }))}`;
  const mode = Number(status.mode) & 0o7777;
  const isUsual = mode === (status.isDirectory() ? 0o755 : 0o644);
  const ownership = isUsual && owner === '' ? '' : ` ${mode.toString(8).padStart(4, '0')}${owner || ` ${self().uid}:${self().gid}`}`;
  if (status.isDirectory()) return `directory${ownership}`;
  return `file${ownership} ${decodeName(readFileSync(at))}`;
}

function self(): { readonly uid: number; readonly gid: number } {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}
