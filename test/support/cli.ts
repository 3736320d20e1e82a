import { type GlobalOptions, runCli } from '../../src/cli';
import type { Context } from '../../src/context';
import { insistOnDocument } from './documents';
import { contextOn } from './engine';
import { carriedArgs, rootedAt } from './overlay';
import type { Sandbox } from './sandbox';

/** What a command printed, and how it ended. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, and returns what it said. */
export async function runActivate(argv: readonly string[], overrides: Partial<Context> = {}): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const write = (text: string): void => void (stdout += text);
  const warn = (text: string): void => void (stderr += text);
  const contextFor = ({ root, json }: GlobalOptions): Context => contextOn(root, { json, write, warn, ...overrides });
  const rooted = rootedAt(argv[0] === '--root' ? (argv[1] ?? '/') : '/', overrides.workingDirectory ?? '/');
  const status = await runCli(carriedArgs(argv, rooted), { version: 'test', contextFor, write, warn, columns: 80 });
  insistOnDocument(argv, stdout);
  return { status, stdout, stderr };
}

export type Activate = (...argv: readonly string[]) => Promise<Ran>;

/** `activate` on a sandbox; relative names on its command line begin at the sandbox's root. */
export function activateOn({ root }: Sandbox): Activate {
  return (...argv) => runActivate(['--root', root, ...argv], { workingDirectory: root });
}

/** `activate` on a sandbox, where each command has to succeed; returns what it printed. */
export function insistOn(sandbox: Sandbox): (...argv: readonly string[]) => Promise<string> {
  const activate = activateOn(sandbox);
  return async (...argv) => {
    const { status, stdout, stderr } = await activate(...argv);
    if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}\n${stderr}${stdout}`);
    return stdout;
  };
}
