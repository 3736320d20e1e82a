import type { ClosureSpec } from './nix';
import type { Visible } from './machine';
import type { Seen } from './snapshot';

/**
 * What /etc has to be when a NixOS-shaped closure is live, without times: worked out from what the closure was made of.
 *
 * @param machine what was there before anything was managed
 */
export function etcWith(machine: readonly Seen[], spec: ClosureSpec): Seen[] {
  const paths = Object.keys(spec.files).map((name) => `/${name}`);
  const covered = (path: string): boolean => paths.some((each) => path === each || path.startsWith(`${each}/`));
  const left = machine.filter(({ path }) => !covered(path)).map(withoutTime);
  const made = Object.keys(spec.files).map((name) => placed(name, spec));
  const there = new Set(left.map(({ path }) => path));
  const parents = [...new Set(paths.flatMap(ancestors))].filter((path) => !there.has(path));
  const directories = parents.map((path) => ({ path, kind: 'directory', mode: '0755', uid: 0, gid: 0 }) as const);
  return [...left, ...made, ...directories].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** What programs have to see at the paths of a closure. */
export function visibleOf(spec: ClosureSpec): Visible {
  const visible: Record<string, string> = {};
  for (const [name, file] of Object.entries(spec.files)) {
    const path = `/etc/${name}`;
    if ('link' in file) {
      visible[path] = `symlink ${file.link}`;
    } else if ('storeDirectory' in file) {
      visible[path] = 'directory 0555 0:0';
      for (const [inside, text] of Object.entries(file.storeDirectory)) {
        visible[`${path}/${inside}`] = `file 0444 0:0 ${sha256(text)}`;
      }
    } else {
      const [mode, uid, gid] = ownership(file);
      visible[path] = `file ${mode} ${uid}:${gid} ${sha256(file.text)}`;
    }
  }
  return visible;
}

export function withoutTime({ mtimeNs: _time, ...seen }: Seen): Seen {
  return seen;
}

type File = ClosureSpec['files'][string];

function placed(name: string, { files }: ClosureSpec): Seen {
  const path = `/${name}`;
  const file: File | undefined = files[name];
  const link = (linkText: string): Seen => ({ path, kind: 'symlink', uid: 0, gid: 0, linkText });
  if (file === undefined || 'storeDirectory' in file) return link(`/run/filesystem-overlay/etc${path}`);
  if ('link' in file) return link(file.link);
  if (file.mode === undefined) return link(`/run/filesystem-overlay/etc${path}`);
  const [mode, uid, gid] = ownership(file);
  return { path, kind: 'file', mode, uid, gid, sha256: sha256(file.text) };
}

/** The names that the closures use, which every machine here has by these numbers. */
const numbers: Readonly<Record<string, number>> = { root: 0, daemon: 1 };

function ownership(file: { mode?: string; uid?: string; gid?: string }): [string, number, number] {
  return [file.mode ?? '0444', numberOf(file.uid ?? '+0'), numberOf(file.gid ?? '+0')];
}

function numberOf(owner: string): number {
  return numbers[owner] ?? Number(owner);
}

function ancestors(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex');
}
