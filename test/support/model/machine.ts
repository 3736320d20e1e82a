import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { ActivateError } from '../../../src/core/errors';
import type { Step } from '../../../src/core/plan/step';
import { withMachine } from '../../../src/engine/state/machine';
import type { Target } from '../../../src/engine/deciding/prepare';

export type { Target };
import { carryOut } from '../../../src/engine/transition/transition';
import { contextOn, withPrepared } from '../engine';
import type { Attitudes, Thing } from './closure';
import type { Scope } from './apply';
import type { Files } from './state';
import type { Sandbox } from '../sandbox';
import { bytesOf } from '../trees';

/** What is below a directory, by paths that begin with a name of the caller's; read without help from what is under test. */
export function readFiles(directory: string | Buffer, name: string): Map<string, Thing> {
  const files = new Map<string, Thing>();
  if (lstatSync(directory, { throwIfNoEntry: false }) !== undefined)
    read(typeof directory === 'string' ? bytesOf(directory) : directory, name, files);
  return files;
}

function read(where: Buffer, path: string, files: Map<string, Thing>): void {
  const status = lstatSync(where);
  const at = Math.round(status.mtimeMs / 1000);
  if (status.isSymbolicLink()) {
    files.set(path, { kind: 'symlink', text: textOf(readlinkSync(where, { encoding: 'buffer' })), at });
    return;
  }
  const mode = status.mode & 0o7777;
  if (status.gid !== 0) throw new Error(`${path}: group ${status.gid}`);
  if (status.isFile()) {
    files.set(path, { kind: 'file', content: readFileSync(where, 'utf8'), mode, uid: status.uid, at });
    return;
  }
  if (!status.isDirectory()) throw new Error(`${path}: neither file, link nor directory`);
  files.set(path, { kind: 'directory', mode });
  for (const name of readdirSync(where, { encoding: 'buffer' }))
    read(Buffer.concat([where, Buffer.from('/'), name]), `${path}/${textOf(name)}`, files);
}

/** Bytes that are not UTF-8 as lone surrogates; the inverse of {@link bytesOf}. */
function textOf(bytes: Buffer): string {
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return text;
  return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('');
}

/** Does by hand what a person does: puts something at a path instead of what is there, or takes that away. */
export function edit(sandbox: Sandbox, path: string, thing: Thing | undefined): void {
  const host = bytesOf(sandbox.on(path));
  if (lstatSync(host, { throwIfNoEntry: false }) !== undefined) remove(host);
  if (thing?.kind === 'directory') mkdirSync(host);
  if (thing?.kind === 'symlink') symlinkSync(bytesOf(thing.text), host);
  if (thing?.kind === 'file') writeFileSync(host, thing.content);
  if (thing !== undefined && thing.kind !== 'symlink') chmodSync(host, thing.mode);
  if (thing !== undefined && 'at' in thing && thing.at !== undefined) lutimesSync(host, thing.at, thing.at);
}

function remove(host: Buffer): void {
  const { exitCode, stderr } = Bun.spawnSync({ cmd: ['xargs', '-0', 'rm', '-rf', '--'], stdin: host });
  if (exitCode !== 0) throw new Error(String(stderr));
}

/** Changes the mode alone. */
export function changeMode(sandbox: Sandbox, path: string, mode: number): void {
  chmodSync(bytesOf(sandbox.on(path)), mode);
}

/** What the machine has for things that one place has and the other lacks, or has otherwise; times only where both say one. */
export function differences(expected: Files, found: Files): string[] {
  return [...new Set([...expected.keys(), ...found.keys()])].flatMap((path) => {
    const [want, is] = [expected.get(path), found.get(path)];
    const said =
      is !== undefined && 'at' in is && (want === undefined || !('at' in want) || want.at === undefined)
        ? { ...is, at: undefined }
        : is;
    const [left, right] = [render(want), render(said)];
    return left === right ? [] : [`${JSON.stringify(path)}: expected ${left}, found ${right}`];
  });
}

function render(thing: Thing | undefined): string {
  if (thing === undefined) return 'nothing';
  const at = 'at' in thing && thing.at !== undefined ? ` of ${thing.at}` : '';
  if (thing.kind === 'symlink') return `a link to ${JSON.stringify(bytesOf(thing.text).toString('latin1'))}${at}`;
  if (thing.kind === 'directory') return `a directory ${thing.mode.toString(8)}`;
  return `a file ${thing.mode.toString(8)} of user ${thing.uid}: ${JSON.stringify(thing.content)}${at}`;
}

/** What stands in the state directory: which generations there are, the roles, and what each backup holds. */
export interface Records {
  readonly generations: readonly number[];
  readonly live: number;
  readonly default: number;
  readonly backups: readonly Files[];
  /** Names that have no business there. */
  readonly litter: readonly string[];
}

export function readRecords(sandbox: Sandbox): Records {
  const top = sandbox.on('/var/lib/activate');
  const role = (name: string): number =>
    namesIn(top).includes(name) ? Number(/^generations\/(\d+)$/u.exec(readlinkSync(`${top}/${name}`))?.[1]) : 0;
  const numbers = namesIn(`${top}/generations`);
  const known = new Set(['generations', 'backups', 'live', 'default', 'transition.conf']);
  return {
    generations: numbers.map(Number).toSorted((a, b) => a - b),
    live: role('live'),
    default: role('default'),
    backups: namesIn(`${top}/backups`).map((number) => readFiles(`${top}/backups/${number}/content`, '')),
    litter: [
      ...namesIn(top).filter((name) => !known.has(name)),
      ...namesIn(sandbox.on('/run')).filter((name) => !['activate', 'filesystem-overlay'].includes(name)),
    ],
  };
}

/** The directory that the pointer leads to, as a path of the sandbox. */
export function pointerOf(sandbox: Sandbox): string {
  const pointer = sandbox.on('/run/filesystem-overlay');
  return lstatSync(pointer, { throwIfNoEntry: false }) === undefined ? '' : readlinkSync(pointer);
}

/** What a crash is to interrupt. */
export interface Interrupted {
  readonly target: Target;
  readonly scope: Scope;
  readonly flags: Attitudes;
  /** Before which step the power is cut, if at all; steps that undo others are counted on. */
  readonly at: number | undefined;
  /** Which step fails. */
  readonly fail: number | undefined;
}

/** Switches; leaves the machine as it is before one of the steps, unless that never comes. */
export async function crash(
  sandbox: Sandbox,
  { target, scope, flags, at, fail }: Interrupted,
): Promise<'crashed' | 'done' | 'failed'> {
  const context = contextOn(sandbox.root);
  let count = 0;
  return withMachine(context, (machine) =>
    withPrepared({ context, machine, attitudes: flags }, target, async (prepared) => {
      const { promise: dead, resolve: die } = Promise.withResolvers<'crashed'>();
      const transition = carryOut(context, machine, prepared, scope, (perform) => async (step: Step) => {
        count += 1;
        if (count - 1 === fail) throw new Error('the disk is on fire');
        if (at === undefined || count <= at) return perform(step);
        die('crashed');
        // Nothing ever happens again in this transition.
        return new Promise<void>(() => undefined);
      });
      const ended = transition.then(
        () => 'done' as const,
        (error: unknown) => {
          if (error instanceof ActivateError && error.code === 'FAILED') return 'failed' as const;
          throw error;
        },
      );
      return Promise.race([dead, ended]);
    }),
  );
}

/** Where a path of a tree of things is put, for things that were saved. */
export function relativeTo(things: Files, path: string): Files {
  return new Map([...things].map(([each, thing]) => [each.slice(path.length), thing]));
}

function namesIn(path: string): string[] {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(path);
}
