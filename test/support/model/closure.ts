import { chmodSync, lutimesSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { LONGEST_NAME } from '../overlay';
import { type Node, type Tree, writeTree } from '../trees';

/** What a policy says about a name, wherever it is; the first rule that matches wins. */
interface Rule {
  readonly name: string;
  readonly place?: 'link' | 'whole' | 'copy' | 'seed' | 'directory' | 'skip';
  readonly mode?: number;
  readonly onConflict?: 'refuse' | 'backup' | 'keep';
  readonly onDrift?: 'refuse' | 'backup' | 'keep';
}

export interface ModelClosure {
  readonly tree: Tree;
  readonly rules: readonly Rule[];
}

/** What is at a path. Without a time nobody has said which it has. */
export type Thing =
  | {
      readonly kind: 'file';
      readonly content: string;
      readonly mode: number;
      readonly uid: number;
      readonly at?: number | undefined;
    }
  | { readonly kind: 'symlink'; readonly text: string; readonly at?: number | undefined }
  | { readonly kind: 'directory'; readonly mode: number };

/** What a generation makes of one path. */
export interface Wanted {
  readonly place: 'link' | 'direct' | 'copy' | 'seed' | 'directory';
  /** What stands at the path itself. */
  readonly thing: Thing;
  /** Whether the policy insists on a directory's mode. */
  readonly named: boolean;
  /** What whoever opens the path sees, where that is elsewhere. */
  readonly shown?: Node;
}

export interface Attitudes {
  readonly onConflict?: Rule['onConflict'] | undefined;
  readonly onDrift?: Rule['onDrift'] | undefined;
}

/** Few, so that random trees share many, and most of them hostile. Rules are about the first four. */
const ruled = ['a', 'b', 'a-b', 'passwd'] as const;
const others = ['with space', '100%', '"q"', '*', '{x,y}', '\\x41', 'ä', '\udcff', '\u0001', '--', '.a', LONGEST_NAME];
export const names = [...ruled, ...others];
const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...ruled) },
  { weight: 1, arbitrary: fc.constantFrom(...names) },
);

const file = fc.record({
  kind: fc.constant('file' as const),
  content: fc.constantFrom('one\n', 'two\n', '', 'three, without an end'),
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o4755),
  uid: fc.constantFrom(0, 0, 0, 12),
});

const symlink = fc.record({
  kind: fc.constant('symlink' as const),
  linkText: fc.constantFrom('/nowhere', '/run/filesystem-overlay/x', '/proc/mounts', '-', 'with space and %', '\udcfe'),
});

function tree(depth: number): fc.Arbitrary<Tree> {
  const child: fc.Arbitrary<Node> =
    depth === 0 ? fc.oneof(file, symlink) : fc.oneof(file, directory(depth - 1), symlink);
  return fc.dictionary(name, child, { maxKeys: 4, size: 'max' });
}

function directory(depth: number): fc.Arbitrary<Node> {
  const mode = fc.constantFrom(0o755, 0o755, 0o700, 0o777);
  return fc.record({ kind: fc.constant('directory' as const), mode, children: tree(depth) });
}

const attitude = fc.constantFrom(undefined, 'refuse' as const, 'backup' as const, 'keep' as const);
const rule: fc.Arbitrary<Rule> = fc
  .record({
    name: fc.constantFrom(...ruled),
    what: fc.constantFrom<Omit<Rule, 'name'>>(
      { place: 'copy' },
      { place: 'copy', mode: 0o640 },
      { place: 'seed' },
      { place: 'link' },
      { place: 'whole' },
      { place: 'skip' },
      { place: 'directory', mode: 0o750 },
      { onConflict: 'backup' },
      { onConflict: 'keep' },
      { onDrift: 'keep' },
      { onDrift: 'refuse' },
      { place: 'copy', onConflict: 'backup', onDrift: 'backup' },
    ),
  })
  .map(({ name: about, what }) => Object.assign({ name: about }, what));

export const anyTree = tree(2);
export const anyClosure: fc.Arbitrary<ModelClosure> = fc
  .record({
    tree: anyTree,
    rules: fc.array(rule, { maxLength: 4 }),
  })
  .filter(isPlaceable);
export const anyAttitudes: fc.Arbitrary<Attitudes> = fc.record({ onConflict: attitude, onDrift: attitude });

/** Writes a closure below a directory that is made. */
export function writeModelClosure(closure: string, { tree: content, rules }: ModelClosure): void {
  mkdirSync(`${closure}/etc`, { recursive: true });
  writeTree(`${closure}/etc`, content);
  chmodSync(`${closure}/etc`, 0o755);
  if (rules.length > 0) writeFileSync(`${closure}/activation.toml`, `schema = 1\n${rules.map(renderRule).join('')}`);
  // Closures that are the same make the same image.
  for (const name of readdirSync(closure)) lutimesSync(`${closure}/${name}`, 1e9, 1e9);
  lutimesSync(closure, 1e9, 1e9);
}

function renderRule({ name: about, place, mode, onConflict, onDrift }: Rule): string {
  const lines = [
    `match = "${about}${place === 'whole' ? '/' : ''}"`,
    ...(place === undefined ? [] : [`place = "${place === 'whole' ? 'link' : place}"`]),
    ...(mode === undefined ? [] : [`mode = "0${mode.toString(8)}"`]),
    ...(onConflict === undefined ? [] : [`on-conflict = "${onConflict}"`]),
    ...(onDrift === undefined ? [] : [`on-drift = "${onDrift}"`]),
  ];
  return `[[path]]\n${lines.join('\n')}\n`;
}

/** What a closure wants at each path, parents first. */
export function wantedBy({ tree: content, rules }: ModelClosure): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  const placing = rules.filter(({ place }) => place !== undefined);
  const visit = (path: string, node: Node, isOthers: boolean): void => {
    const applying = ruleFor(placing, path, node);
    if (isOthers && applying !== undefined && (applying.place !== 'copy' || applying.mode !== undefined))
      throw new Error(`${path}: a rule may not change what others may write`);
    if (applying?.place === 'skip') return;
    if (node.kind !== 'directory')
      return void wanted.set(path, insistOnOther(path, leaf(path, node, applying, isOthers)));
    if (applying?.place === 'whole') return void wanted.set(path, insistOnOther(path, linkTo(path, node)));
    const mode = applying?.mode ?? node.mode;
    wanted.set(path, { place: 'directory', thing: { kind: 'directory', mode }, named: applying !== undefined });
    const isTheirs = isOthers || (mode & 0o022) !== 0;
    for (const [child, below] of Object.entries(node.children)) visit(`${path}/${child}`, below, isTheirs);
  };
  visit('/etc', { kind: 'directory', mode: 0o755, children: content }, false);
  return wanted;
}

/** Below a directory that others may write, no rule may change anything; accounts are never links. */
function isPlaceable(closure: ModelClosure): boolean {
  try {
    wantedBy(closure);
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

function ruleFor(placing: readonly Rule[], path: string, node: Node): Rule | undefined {
  if (node.kind === 'directory') return placing.find((each) => each.name === nameOf(path) && isAboutDirectories(each));
  return placing.find((each) => isFor(each, path));
}

function isAboutDirectories({ place }: Rule): boolean {
  return place === 'directory' || place === 'skip' || place === 'whole';
}

/** A rule is for what has its name and for all that is below. */
function isFor({ name: about, place }: Rule, path: string): boolean {
  if (place === 'directory') return false;
  const parts = path.split('/').slice(1);
  return parts.includes(about) && (place !== 'whole' || parts.slice(0, -1).includes(about));
}

/** Accounts are never shown through the pointer. */
function insistOnOther(path: string, wanted: Wanted): Wanted {
  if (path === '/etc/passwd' && wanted.place === 'link') throw new Error(`${path} is never a link`);
  return wanted;
}

function leaf(path: string, node: Leaf, rule: Rule | undefined, isOthers: boolean): Wanted {
  const isAccounts = path === '/etc/passwd' || path.startsWith('/etc/passwd/');
  const place = rule?.place ?? (isAccounts ? 'seed' : undefined);
  if (node.kind === 'symlink') {
    if (place === 'link' || place === 'whole') return linkTo(path, node);
    const thing = { kind: 'symlink', text: node.linkText } as const;
    return { place: place === 'seed' ? 'seed' : 'direct', thing, named: false };
  }
  if (place !== 'copy' && place !== 'seed' && !isOthers) return linkTo(path, node);
  const { content, uid } = node;
  // The mode of the source tells one generation from another.
  const thing = { kind: 'file', content, mode: rule?.mode ?? node.mode, uid } as const;
  return { place: place === 'seed' ? 'seed' : 'copy', thing, named: false, shown: node };
}

type Leaf = Exclude<Node, { kind: 'directory' }>;

function linkTo(path: string, shown: Node): Wanted {
  return { place: 'link', thing: { kind: 'symlink', text: `/run/filesystem-overlay${path}` }, named: false, shown };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** What two closures' rules together say about a path; the first that matches has its say. */
export function attitudeOf(rules: readonly Rule[], path: string): Attitudes {
  const applying = rules.filter(({ onConflict, onDrift }) => (onConflict ?? onDrift) !== undefined);
  return applying.find((each) => isFor(each, path)) ?? {};
}
