import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A kernel of Debian, unpacked. */
export interface DebianKernel {
  /** The directory that has lib/modules/VERSION and boot; depmod was run there. */
  readonly directory: string;
  readonly version: string;
}

const CACHE = resolve(import.meta.dir, '../../.cache/kernel');

/** The kernel that linux-image-cloud-amd64 is; downloaded once. */
export function debianKernel(): DebianKernel {
  const directory = join(CACHE, 'tree');
  if (versionIn(directory) === undefined) fetch(directory);
  const version = versionIn(directory);
  if (version === undefined) throw new Error('the kernel package has no modules');
  return { directory, version };
}

function versionIn(directory: string): string | undefined {
  try {
    return readdirSync(join(directory, 'lib/modules'))[0];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function fetch(directory: string): void {
  const part = `${directory}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  if (packageName(part) === undefined) run('apt-get', ['update'], part);
  const name = packageName(part);
  if (name === undefined) throw new Error('Debian has no linux-image-cloud-amd64');
  run('apt-get', ['download', '-o', 'APT::Sandbox::User=root', name], part);
  const archive = readdirSync(part).find((each) => each.endsWith('.deb')) ?? '';
  run('dpkg-deb', ['--extract', archive, 'tree'], part);
  const [version = ''] = readdirSync(join(part, 'tree/lib/modules'));
  run('depmod', ['--basedir', join(part, 'tree'), version], part);
  rmSync(directory, { recursive: true, force: true });
  renameSync(join(part, 'tree'), directory);
  rmSync(part, { recursive: true });
}

/** `undefined` where the lists of packages are missing. */
function packageName(directory: string): string | undefined {
  const { stdout } = spawnSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], {
    cwd: directory,
    encoding: 'utf8',
  });
  return /Depends: (linux-image-\S+)/u.exec(stdout)?.[1];
}

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}
