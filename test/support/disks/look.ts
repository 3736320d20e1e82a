import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { compareSnapshots, type Seen, takeSnapshot } from '../snapshot';

/** Everything about a tree that must be all old or all new. */
export interface Look {
  readonly etc: readonly Seen[];
  /** What programs see at each path of /etc that is or leads to a file: a digest, or `dangling`. */
  readonly shown: Readonly<Record<string, string>>;
  /** The generations that `live` and `default` lead to, the text of the pointer, and the generations and backups there are. */
  readonly roles: Readonly<Record<'live' | 'default' | 'pointer' | 'generations' | 'backups', string>>;
  /** What a transition leaves behind only while it is under way. */
  readonly litter: readonly string[];
}

/** How the names begin of what the tests themselves put on a filesystem. */
export const OF_TESTS = '.test.';

const LITTER = /\.activate\.|\.staging|\.next\.|\.partial|\.new$|transition\.json|\.#/u;

export function lookAt(root: string): Look {
  const state = `${root}/var/lib/activate`;
  const etc = takeSnapshot(`${root}/etc`).filter(({ path }) => !path.startsWith(`/${OF_TESTS}`));
  const everything = [...etc, ...(isThere(state) ? takeSnapshot(state) : []), ...takeSnapshot(`${root}/run`)];
  return {
    etc,
    shown: Object.fromEntries([...shownIn(root, '/etc')].filter(([path]) => !path.startsWith(`/etc/${OF_TESTS}`))),
    roles: {
      live: linkText(`${state}/live`),
      default: linkText(`${state}/default`),
      pointer: linkText(`${root}/run/filesystem-overlay`),
      generations: namesIn(`${state}/generations`),
      backups: namesIn(`${state}/backups`),
    },
    litter: everything.map(({ path }) => path).filter((path) => LITTER.test(path)),
  };
}

/** One sentence for each difference between what must be there and what is; none where all is well. */
export function differences(wanted: Look & { readonly times: boolean }, { etc, shown, roles, litter }: Look): string[] {
  const names = [...new Set([...Object.keys(shown), ...Object.keys(wanted.shown)])];
  const others = names.filter((path) => shown[path] !== wanted.shown[path]);
  return [
    ...compareSnapshots(wanted.etc, etc, { times: wanted.times }),
    ...others.map((path) => `${path}: shows ${shown[path]}, not ${wanted.shown[path]}`),
    ...(Bun.deepEquals(roles, wanted.roles)
      ? []
      : [`roles: ${JSON.stringify(roles)}, not ${JSON.stringify(wanted.roles)}`]),
    ...litter.map((path) => `${path}: litter`),
  ];
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function linkText(path: string): string {
  return isThere(path) ? readlinkSync(path) : 'none';
}

function namesIn(directory: string): string {
  return isThere(directory) ? readdirSync(directory).toSorted().join(' ') : '';
}

const OURS = '/run/filesystem-overlay';

/** Looks through links of ours as programs on that machine would; `root` is not what links on it begin at. */
function* shownIn(root: string, directory: string, where = directory): Generator<[string, string]> {
  for (const name of readdirSync(`${root}${where}`)) {
    const path = `${directory}/${name}`;
    const found = `${root}${where}/${name}`;
    const status = lstatSync(found);
    if (status.isDirectory()) yield* shownIn(root, path, `${where}/${name}`);
    else if (!status.isSymbolicLink()) yield [path, digest(found)];
    else {
      const text = readlinkSync(found);
      if (!text.startsWith(`${OURS}/`)) yield [path, `link ${text}`];
      else yield* behind(root, path, `${linkText(root + OURS)}${text.slice(OURS.length)}`);
    }
  }
}

function* behind(root: string, path: string, target: string): Generator<[string, string]> {
  const status = lstatSync(root + target, { throwIfNoEntry: false });
  if (status === undefined) yield [path, 'dangling'];
  else if (status.isDirectory()) yield* shownIn(root, path, target);
  else yield [path, status.isSymbolicLink() ? `link ${readlinkSync(root + target)}` : digest(root + target)];
}

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
}
