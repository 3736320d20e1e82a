import { afterAll, beforeAll, describe } from 'bun:test';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { decodeName, encodeName } from '../../src/core/bytes';
import type { View } from '../../src/core/report/change/change';

const mustRun = process.env['CI'] !== undefined;
const missing = ['git', 'patch'].filter((program) => Bun.which(program) === null);
if (missing.length > 0) console.warn(`Not installed: ${missing.join(' and ')}. Patches are not held against git.`);

/** Tests that need git and patch(1). */
export const withGit = describe.skipIf(missing.length > 0 && !mustRun);

/** Files and links by path; directories are made as needed. */
type Files = Readonly<Record<string, View>>;

/** A temporary directory with a git repository, the user's own configuration left out. */
export interface Repository {
  /** Runs git with arguments of the test's own; what it prints is read as names are. */
  git(...args: readonly string[]): string;
  /** Records files as a tree, and answers with its name. */
  record(files: Files): string;
  /** What a patch makes of files. */
  apply(program: Applier, files: Files, patch: string): Files;
}

export type Applier = keyof typeof appliers;

const appliers = {
  'git apply': ['git', 'apply'],
  'patch -p1': ['patch', '-p1', '--silent', '--binary', '--force', '--no-backup-if-mismatch'],
} as const;

/** Without what a hook that runs the tests was given: git would work on that repository. */
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')));
const configuration = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' };

/** A {@link Repository} for the tests of one block, removed afterwards. */
export function useRepository(): Repository {
  let base = '';
  let umask = 0;
  beforeAll(() => {
    // What git and patch(1) make must not depend on who runs the tests.
    umask = process.umask(0o022);
    base = mkdtempSync(`${tmpdir()}/activate-git-`);
    mkdirSync(`${base}/repository`);
    run(`${base}/repository`, ['git', 'init', '--quiet']);
  });
  afterAll(() => {
    process.umask(umask);
    rmSync(base, { recursive: true, force: true });
  });
  const git = (...args: readonly string[]): string =>
    run(`${base}/repository`, ['git', '--git-dir', `${base}/repository/.git`, '-c', 'core.quotePath=false', ...args]);
  return {
    git,
    record(files) {
      write(`${base}/tree`, files);
      git('--work-tree', `${base}/tree`, 'add', '--all', '--force', `${base}/tree`);
      return git('write-tree').trim();
    },
    apply(program, files, patch) {
      write(`${base}/patched`, files);
      run(`${base}/patched`, appliers[program], encodeName(patch));
      return read(`${base}/patched`);
    },
  };
}

function run(directory: string, command: readonly string[], input?: Uint8Array): string {
  const environment = { ...inherited, ...configuration, GIT_CEILING_DIRECTORIES: dirname(directory) };
  const { success, stdout, stderr } = Bun.spawnSync([...command], {
    cwd: directory,
    env: environment,
    stdin: input ?? null,
  });
  if (!success) throw new Error(`${command.join(' ')}: ${stderr.toString()}${stdout.toString()}`);
  return decodeName(stdout);
}

function write(directory: string, files: Files): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [path, view] of Object.entries(files)) {
    const place = `${directory}/${path}`;
    mkdirSync(dirname(place), { recursive: true });
    if (view.kind === 'symlink') symlinkSync(view.linkText, place);
    if (view.kind !== 'file' || view.content.state !== 'read') continue;
    writeFileSync(place, view.content.bytes);
    chmodSync(place, view.mode);
  }
}

function read(directory: string): Files {
  const files: Record<string, View> = {};
  for (const path of pathsIn(directory, '')) {
    const place = `${directory}/${path}`;
    const status = lstatSync(place);
    if (status.isSymbolicLink()) files[path] = { kind: 'symlink', linkText: readlinkSync(place) };
    if (!status.isFile()) continue;
    const bytes = new Uint8Array(readFileSync(place));
    files[path] = { kind: 'file', mode: status.mode & 0o7777, uid: 0, gid: 0, content: { state: 'read', bytes } };
  }
  return files;
}

/** All but directories; Bun's own recursion goes through links. */
function pathsIn(directory: string, parent: string): string[] {
  return readdirSync(`${directory}/${parent}`, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? pathsIn(directory, `${parent}${entry.name}/`) : parent + entry.name,
  );
}
