import { ActivateError } from '../../core/errors';
import type { ImageNode } from '../../core/image/node';
import { isUsersOwn } from '../../core/image/staging';
import { joinTarget, type TargetPath } from '../../core/path';
import { makeDirectory } from '../../system/changing';
import { listHostNames, readHostStatus } from '../../system/host-contents';
import { newHasher } from '../../system/host-files';
import { type ProgramResult, runProgram } from '../../system/programs';
import type { Making } from './image';

/**
 * Makes an erofs. mkfs.erofs takes owners and modes from a tree on disk: the closure itself where that is like the image in
 * every respect, else one that is made for it. Who is not root makes that in a user namespace, unless all is root's.
 *
 * @throws {ActivateError} `REFUSED` where this user cannot make such a tree, `IO`
 */
export async function makeErofs(making: Making): Promise<void> {
  if (await isMadeOfClosure(making)) return;
  const how = making.uid === 0 ? 'as root' : isUsersOwn(making.nodes) ? 'as the user' : 'in a namespace';
  const wrapper = how === 'in a namespace' ? NAMESPACE : [];
  if (how === 'in a namespace') await requireNamespace(making);
  makeDirectory(making.directory, joinTarget('/' as TargetPath, STAGING), 0o755);
  const tree = `/proc/self/fd/3/${STAGING}`;
  try {
    const owner = how === 'as the user' ? '--no-same-owner' : '--same-owner';
    const extract = [...wrapper, ...EXTRACT.split(' '), owner, `--directory=${tree}`];
    await run(making, 'tar', extract, { input: making.archive() });
    const owners = how === 'as the user' ? ['--all-root'] : [];
    const uuid = `-U${uuidOf(making.nodes)}`;
    await run(making, 'mkfs.erofs', [...wrapper, ...MAKE.split(' '), uuid, ...owners, imageOf(making), tree]);
  } finally {
    // Directories of other ids can only be emptied by whoever made them; a signal does not end this.
    await run(making, 'rm', [...wrapper, 'rm', '-rf', '--', tree], ALWAYS);
  }
}

/** Where the content of an image is while it is made. */
const STAGING = '.activate.staging';
const ALWAYS = { signal: new AbortController().signal };
const NAMESPACE = ['unshare', '--user', '--map-root-user', '--map-auto', '--'];
const MAKE = 'mkfs.erofs --quiet -T0';
const EXTRACT =
  'tar --extract --file=- --numeric-owner --same-permissions --delay-directory-restore --xattrs --xattrs-include=* ' +
  '--no-selinux --touch';

/** Tries to make it of the closure itself, which is read meanwhile and compared with what has to be in the image. */
async function isMadeOfClosure(making: Making): Promise<boolean> {
  const { tree, packed, nodes } = making;
  const others = tree === undefined ? undefined : othersIn(tree, nodes);
  if (tree === undefined || others === undefined) return false;
  const excluded = others.map((name) => `--exclude-path=${name}`);
  const command = [...MAKE.split(' '), `-U${uuidOf(nodes)}`, ...excluded, imageOf(making), tree];
  const [made, read] = await Promise.allSettled([run(making, 'mkfs.erofs', command), readAll(making)]);
  if (read.status === 'rejected') throw read.reason;
  if (packed.isUnlike) return false;
  if (made.status === 'rejected') throw made.reason;
  return true;
}

/** What a directory holds besides what an image has; `undefined` where it cannot be the root directory of an image. */
function othersIn(tree: string, nodes: readonly ImageNode[]): string[] | undefined {
  const { mode, uid, gid } = readHostStatus(tree);
  const ours = new Set(nodes.map(({ path }) => path.split('/')[1]));
  const others = listHostNames(tree).filter((name) => !ours.has(name));
  const isFit = mode === 0o755 && uid === 0 && gid === 0 && others.length <= MOST_OTHERS;
  return isFit && [tree, ...others].every((name) => name.isWellFormed()) ? others : undefined;
}

const MOST_OTHERS = 50;

/** Packs what nobody takes, for what is found out on the way. */
async function readAll({ archive, signal }: Making): Promise<void> {
  for (const _ of archive()) {
    signal.throwIfAborted();
    // Lets signals be heard, and the program's end.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Any would do that is the same for the same image, however it is made. */
function uuidOf(nodes: readonly ImageNode[]): string {
  const hasher = newHasher();
  for (const node of nodes) {
    const { path, kind } = node;
    const rest = node.kind === 'symlink' ? [node.linkText] : [node.mode, node.uid, node.gid];
    hasher.update(`${JSON.stringify([path, kind, ...rest])}\n`);
  }
  const hex = hasher.digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function imageOf({ file }: Making): string {
  return `/proc/self/fd/3/${file}`;
}

async function requireNamespace({ directory, file }: Making): Promise<void> {
  const { status } = await runProgram('unshare', [...NAMESPACE.slice(1), 'true']);
  if (status !== 0) throw refusal(`${directory.path}/${file}`);
}

function refusal(path: string): ActivateError {
  return new ActivateError(
    'REFUSED',
    'mkfs.erofs takes owners and modes from the disk, and this user cannot give files to those who own them',
    {
      path,
      hint: 'Use --image squashfs, run this as root, or give this user ids in /etc/subuid and /etc/subgid (uidmap).',
    },
  );
}

type Options = Parameters<typeof runProgram>[2];

/** @param name who does the work, for messages */
async function run(making: Making, name: string, command: readonly string[], options: Options = {}): Promise<void> {
  const { directory, signal, file } = making;
  const [program, ...args] = command;
  const env = { SOURCE_DATE_EPOCH: undefined, TAR_OPTIONS: undefined };
  const all = { signal, inherit: [directory.fd], env, ...options };
  const result = await runProgram(program ?? name, args, all);
  const why = whyNot(result);
  if (why === undefined) return;
  const path = `${directory.path}/${file}`;
  if (result.stderr.includes('Cannot change ownership')) throw refusal(path);
  throw new ActivateError('IO', `cannot make the image: ${name}: ${why}`, { path });
}

/** tar goes on after what it cannot do, such as an attribute that the filesystem cannot hold, and says so. */
function whyNot({ status, stderr }: ProgramResult): string | undefined {
  const said = stderr.trim().split('\n')[0] ?? '';
  if (status === 0 && said === '') return undefined;
  return said === '' ? `status ${status}` : said.replace(/^(?:tar|rm): /u, '');
}
