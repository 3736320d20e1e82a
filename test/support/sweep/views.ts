import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { paths } from './closures';
import { compareSnapshots, type Seen, takeSnapshot } from '../snapshot';

/** All of a machine that a transition may change. */
export interface Machine {
  readonly etc: readonly Seen[];
  /** What is below /run and the state directory, by name; with the text of links. */
  readonly state: readonly string[];
  /** What processes see at each path that any generation has. */
  readonly views: ReadonlyMap<string, string>;
}

/**
 * What may be there after a transition that did not happen: directories to put things into, the lock, and when ours was last
 * changed, which is as true as before.
 */
const STAYS =
  /^\/(?:run\/activate\/(?:lock|gen\/)?|var\/lib\/activate\/(?:generations\/(?:\d+\/times\.json)?|backups\/)?)$/u;

export function seeMachine(root: string): Machine {
  const listed = [...list(root, '/run'), ...list(root, '/var/lib/activate')].filter((path) => !STAYS.test(path));
  const state = [...listed, ...mountsBelow(root)];
  const views = new Map(paths.map((path) => [path, viewOf(root, path)]));
  return { etc: takeSnapshot(`${root}/etc`), state, views };
}

/** Each mount, and the how manieth it is at its place. */
function mountsBelow(root: string): string[] {
  const places = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => ((line.split(' ')[4] ?? '').startsWith(`${root}/`) ? [line.split(' ')[4]] : []));
  return places.map(
    (place, index) => `mount ${places.slice(0, index).filter((each) => each === place).length + 1} at ${place}`,
  );
}

/** What tells two machines apart. */
export function compareMachines(before: Machine, after: Machine, times: boolean): string[] {
  const were = new Set(before.state);
  const are = new Set(after.state);
  return [
    ...compareSnapshots(before.etc, after.etc, { times }),
    ...topmost(after.state.filter((each) => !were.has(each))).map((each) => `${each}: appeared`),
    ...topmost(before.state.filter((each) => !are.has(each))).map((each) => `${each}: disappeared`),
  ];
}

/** What is in a directory goes without saying where the directory itself is named. */
function topmost(paths: readonly string[]): string[] {
  const directories = paths.filter((path) => path.endsWith('/'));
  return paths.filter((path) => !directories.some((directory) => path !== directory && path.startsWith(directory)));
}

/** Directories end in a slash, links in what they lead to, and how many boots a generation has left in that. */
function list(root: string, directory: string): string[] {
  if (lstatSync(root + directory, { throwIfNoEntry: false }) === undefined) return [];
  const items = readdirSync(root + directory, { withFileTypes: true });
  return items.flatMap((item) => {
    const path = `${directory}/${item.name}`;
    if (item.isDirectory()) return [`${path}/`].concat(list(root, path));
    if (item.name === 'tries') return `${path} = ${readFileSync(root + path, 'utf8').trim()}`;
    return item.isSymbolicLink() ? `${path} → ${readlinkSync(root + path)}` : path;
  });
}

/** What is seen where nothing is. */
export const MISSING = 'missing';

const MOST_LINKS = 40;

/** What a process sees at a path whose `/` is the root: of a link that leads nowhere, its text. */
export function viewOf(root: string, path: string): string {
  const pending = path.split('/').toReversed();
  let at = '/';
  let nowhere = MISSING;
  for (let links = 0; ;) {
    const name = pending.pop();
    if (name === undefined) break;
    const here = posix.join(at, name);
    const status = look(root + here);
    if (status === undefined || links > MOST_LINKS) return nowhere;
    if (!status.isSymbolicLink()) {
      at = here;
      continue;
    }
    const text = readlinkSync(root + here);
    if (links === 0 && pending.length === 0) nowhere = `dangling ${text}`;
    links += 1;
    if (text.startsWith('/')) at = '/';
    pending.push(...text.split('/').toReversed());
  }
  const status = lstatSync(root + at);
  if (status.isDirectory()) return 'directory';
  // Whoever runs a wrapper gets what its mode and owner say.
  const rights = at.startsWith('/run/wrappers/') ? `${status.mode.toString(8)} ${status.uid}:${status.gid} ` : '';
  return `file ${rights}${readFileSync(root + at, 'utf8')}`;
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A name below a file.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Which objects are at paths, and when anything about them was last changed. */
export function identify(root: string, paths: readonly string[]): string[] {
  return paths.map((path) => {
    const { ino, mtimeNs, mode, uid, gid } = lstatSync(root + path, { bigint: true });
    return `${path} ${ino} ${mtimeNs} ${mode} ${uid} ${gid}`;
  });
}
