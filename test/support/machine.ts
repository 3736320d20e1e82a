import { expect } from 'bun:test';
import { join } from 'node:path';
import { type Finished, type Namespace, type NamespaceOptions, openNamespace, type RunOptions } from './namespace';
import { carriedArgs, type Rooted } from './overlay';
import { compareSnapshots, type Seen, takeSnapshot } from './snapshot';

/** A machine on which the built `activate` is run, as people run it. */
export interface TestMachine extends Namespace {
  /** Runs `activate`, insists that it succeeds, and returns what it printed. */
  readonly activate: (...args: readonly string[]) => Promise<string>;
  /** Runs `activate` to whatever end. */
  readonly attempt: (args: readonly string[], options?: RunOptions) => Promise<Finished>;
  /** Runs a shell script that has to succeed, and returns what it printed. */
  readonly shell: (script: string) => Promise<string>;
  /** Everything that can be seen of /etc. */
  readonly etc: () => Seen[];
  /**
   * What programs see below /etc, links of `activate` looked through: a description for each path.
   *
   * @param top a directory that holds another etc
   */
  readonly visible: (top?: string) => Promise<Visible>;
}

export type Visible = Readonly<Record<string, string>>;

export async function openMachine(options: NamespaceOptions = {}): Promise<TestMachine> {
  const namespace = await openNamespace(options);
  const insist = async (command: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await namespace.run(command);
    if (status !== 0) throw new Error(`${command.join(' ')}: status ${status}\n${stderr}${stdout}`);
    return stdout;
  };
  const rooted: Rooted = { root: namespace.root, prefix: '', seen: namespace.on };
  return {
    ...namespace,
    start: (command, runOptions) => namespace.start(carriedArgs(command, rooted), runOptions),
    activate: async (...args) => insist(['activate', ...carriedArgs(args, rooted)]),
    attempt: async (args, runOptions) => namespace.run(['activate', ...carriedArgs(args, rooted)], runOptions),
    shell: async (script) => insist(['bash', '-euo', 'pipefail', '-c', script]),
    etc: () => takeSnapshot(namespace.on('/etc')),
    visible: async (top = '') =>
      JSON.parse(await insist([process.execPath, join(import.meta.dir, 'visible.ts'), top])) as Visible,
  };
}

/** Gives a task a machine of its own, however the task ends. */
export async function withMachine<Result>(
  options: NamespaceOptions,
  task: (machine: TestMachine) => Promise<Result>,
): Promise<Result> {
  const machine = await openMachine(options);
  try {
    return await task(machine);
  } finally {
    await machine.close();
  }
}

/**
 * Previews a switch with `diff --json`, carries it out, and holds the one against the other.
 *
 * @param target as `diff` takes it; the command is the verb with the target and the flags
 */
export async function switchAsPreviewed(
  machine: TestMachine,
  verb: string,
  target: string,
  ...flags: readonly string[]
): Promise<string> {
  const look = (): Seen[] => takeSnapshot(machine.on('/etc'), { inodes: true });
  const [seenBefore, visibleBefore] = [look(), await machine.visible()];
  const { changes } = JSON.parse(await machine.activate('diff', target, '--json', ...flags)) as { changes: Change[] };
  const preview = changes.map(({ status, path }) => `${status} ${path}`);
  expect(compareSnapshots(seenBefore, look(), { times: true })).toEqual([]);
  const said = await machine.activate(verb, target, ...flags);
  const happened = nameStatusOf(visibleBefore, await machine.visible());
  expect(happened.filter((line) => !preview.includes(line))).toEqual([]);
  // Besides, it may name what was replaced by something that looks the same.
  const replaced = compareSnapshots(seenBefore, look(), { times: true });
  const alike = preview.filter((line) => !happened.includes(line));
  const isReplaced = (line: string): boolean =>
    line.startsWith('M /etc') && replaced.some((each) => each.startsWith(`${line.slice('M /etc'.length)}: `));
  expect(alike.filter((line) => !isReplaced(line))).toEqual([]);
  return said;
}

interface Change {
  readonly status: 'A' | 'M' | 'D' | 'T';
  readonly path: string;
}

/** A letter and the path for each difference, as git has them. */
function nameStatusOf(before: Visible, after: Visible): string[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return paths.flatMap((path) => {
    const [was, is] = [before[path], after[path]];
    if (was === is) return [];
    if (was === undefined) return [`A ${path}`];
    if (is === undefined) return [`D ${path}`];
    return [`${was.split(' ')[0] === is.split(' ')[0] ? 'M' : 'T'} ${path}`];
  });
}
