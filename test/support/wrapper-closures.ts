import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree, type Sandbox, withSandbox } from './sandbox';
import { type Seen, takeSnapshot } from './snapshot';

/** What a policy says of one wrapper besides its name, and what its source holds. */
export interface WrapperText {
  readonly content?: string;
  readonly lines?: string;
}

/** Writes a tree closure with one file in etc, and wrappers that are made from files of its own. */
export function writeWrapperClosure(closure: string, wrappers: Readonly<Record<string, WrapperText>>): string {
  mkdirSync(join(closure, 'etc'), { recursive: true });
  mkdirSync(join(closure, 'bin'), { recursive: true });
  writeFileSync(join(closure, 'etc/version'), `${closure}\n`);
  let policy = 'schema = 1\n';
  for (const [name, { content = `${name}\n`, lines = '' }] of Object.entries(wrappers)) {
    writeFileSync(join(closure, 'bin', name), content);
    chmodSync(join(closure, 'bin', name), 0o700);
    policy += `[[wrapper]]\nname = "${name}"\nsource = "bin/${name}"\n${lines}\n`;
  }
  writeFileSync(join(closure, 'activation.toml'), policy);
  return closure;
}

/** Gives a task a root directory below which the filesystem of wrappers may be mounted. */
export function withWrapperSandbox(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  return withSandbox(async (sandbox) => {
    try {
      await task(sandbox);
    } finally {
      loseRun(sandbox);
    }
  });
}

/** What a power cut leaves of /run. */
export function loseRun(sandbox: Sandbox): void {
  removeTree(sandbox.on('/run'));
  mkdirSync(sandbox.on('/run'));
}

/** What a boot makes of an empty /run, without `activate`: the units and the full snippet of the default generation. */
export function bootWithout(sandbox: Sandbox): void {
  const record = sandbox.on('/var/lib/activate/default');
  if (!existsSync(record)) return;
  const script = `set -e
if [ -e systemd/run-wrappers.mount ]; then
  mkdir "$1/run/wrappers"
  mount -t tmpfs -o "$(sed -n 's/^Options=//p' systemd/run-wrappers.mount)" activate-wrappers "$1/run/wrappers"
fi
systemd-tmpfiles "--root=$1" --create "$PWD/tmpfiles.d/activate.conf"
[ ! -e systemd/activate-wrappers.service ] ||
  sed -n "s,^ExecStart=\\(.*\\) /run,\\1 $1/run,p" systemd/activate-wrappers.service | sh -e`;
  const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', sandbox.root], {
    cwd: realpathSync(record),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
}

/** Everything of wrappers that can be seen: the directories, the link, and what is mounted. */
export function seeWrappers(sandbox: Sandbox): { readonly seen: Seen[]; readonly mount: string } {
  const { stdout } = spawnSync('findmnt', ['-no', 'SOURCE,FSTYPE,VFS-OPTIONS', '-M', sandbox.on('/run/wrappers')], {
    encoding: 'utf8',
  });
  return {
    seen: takeSnapshot(sandbox.on('/run')).filter(({ path }) => path.startsWith('/wrappers')),
    mount: stdout.trim().replaceAll(/ +/gu, ' '),
  };
}

/** The wrappers that people find, a line each: mode, owner, capabilities, name and first line. */
export function seeLiveWrappers(sandbox: Sandbox): string[] {
  const { seen } = seeWrappers(sandbox);
  const link = seen.find(({ path }) => path === '/wrappers/bin')?.linkText;
  if (link === undefined) return [];
  const directory = `/wrappers/${link}/`;
  return seen
    .filter(({ path }) => path.startsWith(directory))
    .map(({ path, mode, uid, gid, xattrs, sha256 }) => {
      const held = xattrs?.['security.capability'] === undefined ? '' : ' capabilities';
      return `${mode} ${uid}:${gid}${held} ${path.slice(directory.length)} ${sha256?.slice(0, 8)}`;
    });
}
