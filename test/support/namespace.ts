import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeTemporaryDirectory, removeTree } from './sandbox';

/** A mount namespace with its own /etc, /run, /nix and /var, where `activate` works on `/` as it does on a machine. */
export interface Namespace {
  /** Where the namespace's `/` is seen from outside. */
  readonly root: string;
  /** Where a path of the namespace is seen from outside; /usr, /tmp and the like are the machine's own. */
  readonly on: (path: string) => string;
  /** Runs a program to its end. */
  readonly run: (command: readonly string[], options?: RunOptions) => Promise<Finished>;
  /** Starts a program; it is killed when the namespace is closed. */
  readonly start: (command: readonly string[], options?: RunOptions) => Started;
  /** The command line that runs a program in here; for whoever wants to start it in a way of their own. */
  readonly enter: (command: readonly string[]) => string[];
  readonly close: () => Promise<void>;
}

export interface NamespaceOptions {
  /** A directory whose content /etc begins with; without it /etc has users, groups and little else. */
  readonly etc?: string;
  /** Directories that are mounts of their own, as /run always is. */
  readonly mounts?: readonly string[];
}

export interface RunOptions {
  /** `/` without it. */
  readonly workingDirectory?: string;
  /** Besides PATH, HOME and LANG; nothing else comes from the tests' own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** `root` without it. */
  readonly user?: 'root' | 'nobody';
}

/** What a program said; a status above 128 is a signal. */
export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that is running: `pid` is its own, not that of a helper. */
interface Started {
  readonly pid: number;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly finished: Promise<Finished>;
}

const project = resolve(import.meta.dir, '../..');
export const environment = {
  PATH: `${project}/dist:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/var/home',
  LANG: 'C.UTF-8',
};

/** Makes a namespace; the caller closes it. Needs root. */
export async function openNamespace(options: NamespaceOptions = {}): Promise<Namespace> {
  if (process.getuid?.() !== 0) throw new Error('only root can make a mount namespace with several users');
  const top = makeTemporaryDirectory();
  const root = join(top, 'root');
  mkdirSync(root);
  fillEtc(join(root, 'etc'), options.etc);
  const keeper = await startKeeper(root, options.mounts ?? []);
  const running = new Set<Started>();
  const start: Namespace['start'] = (command, runOptions = {}) => {
    const started = spawn(enter(keeper.pid, command, runOptions), runOptions);
    running.add(started);
    void started.finished.then(() => running.delete(started));
    return started;
  };
  return {
    root,
    on: (path) => join(root, path),
    start,
    enter: (command) => [...enter(keeper.pid, command, {})],
    run: async (command, runOptions) => start(command, runOptions).finished,
    close: async () => {
      const left = [...running];
      for (const started of left) started.kill('SIGKILL');
      await Promise.all(left.map(async ({ finished }) => finished));
      await keeper.end();
      removeTree(top);
    },
  };
}

/** Runs a bash script in a namespace of its own. */
export async function runInNamespace(script: string, options: NamespaceOptions & RunOptions = {}): Promise<Finished> {
  const namespace = await openNamespace(options);
  try {
    return await namespace.run(['bash', '-euo', 'pipefail', '-c', script], options);
  } finally {
    await namespace.close();
  }
}

function fillEtc(etc: string, source: string | undefined): void {
  if (source !== undefined) {
    const { exitCode, stderr } = Bun.spawnSync(['cp', '-a', '--', source, etc]);
    if (exitCode !== 0) throw new Error(String(stderr));
    return;
  }
  mkdirSync(etc);
  for (const [name, text] of Object.entries(smallEtc)) writeFileSync(join(etc, name), text);
}

const smallEtc = {
  passwd:
    'root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\ndaemon:x:1:\nshadow:x:42:\nnogroup:x:65534:\n',
  hostname: 'test\n',
  hosts: '127.0.0.1 localhost\n',
  'machine-id': '0123456789abcdef0123456789abcdef\n',
};

interface Keeper {
  readonly pid: number;
  readonly end: () => Promise<void>;
}

/** The process that keeps the namespace alive: it ends when its input does, so also when the tests are killed. */
async function startKeeper(root: string, mounts: readonly string[]): Promise<Keeper> {
  const script = join(project, 'scripts/private-root');
  const flags = mounts.flatMap((directory) => ['--mount', directory]);
  const child = Bun.spawn([script, ...flags, root, 'sh', '-c', 'echo ready; exec cat >/dev/null'], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    env: environment,
  });
  const { value } = await child.stdout.getReader().read();
  if (value === undefined) throw new Error(`no namespace: ${await new Response(child.stderr).text()}`);
  const end = async (): Promise<void> => {
    await child.stdin.end();
    await child.exited;
  };
  return { pid: child.pid, end };
}

/** Neither helper stays: each becomes the next, and the last the command itself. */
function enter(pid: number, command: readonly string[], options: RunOptions): string[] {
  const directory = options.workingDirectory ?? '/';
  const user = options.user === 'nobody' ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] : [];
  return ['nsenter', `--target=${pid}`, '--mount', `--wdns=${directory}`, '--', ...user, ...command];
}

function spawn(command: string[], options: RunOptions): Started {
  const child = Bun.spawn(command, {
    stdin: options.input === undefined ? 'ignore' : new Blob([options.input]),
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...environment, ...options.environment },
  });
  const outputs = Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return {
    pid: child.pid,
    kill: (signal) => child.kill(signal),
    finished: outputs.then(([status, stdout, stderr]) => ({ status, stdout, stderr })),
  };
}
