import { ActivateError } from '../../core/errors';
import type { ImageNode } from '../../core/image/node';
import { hostPathOf, isUsersOwn } from '../../core/image/staging';
import { lengthInBytes } from '../../core/bytes';
import { joinTarget, nameOf, type TargetPath } from '../../core/path';
import { makeDirectory } from '../../system/tree/changing';
import { listHostNames, readHostStatus } from '../../system/host/host-contents';
import { newHasher } from '../../system/host/host-files';
import { readStatus } from '../../system/tree/reading';
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
  const ways = making.uid === 0 ? ['as root' as const] : isUsersOwn(making.nodes) ? USERS_WAYS : USERS_WAYS.slice(1);
  for (const [index, way] of ways.entries()) {
    try {
      return await makeOfCopy(making, way);
    } catch (error) {
      const isRefused = error instanceof ActivateError && error.code === 'REFUSED';
      if (!isRefused || index === ways.length - 1) throw error;
    }
  }
}

type Way = 'as root' | 'as the user' | 'in a namespace';
const USERS_WAYS = ['as the user', 'in a namespace'] as const;

async function makeOfCopy(making: Making, way: Way): Promise<void> {
  const wrapper = way === 'in a namespace' ? NAMESPACE : [];
  if (way === 'in a namespace') await requireNamespace(making);
  makeDirectory(making.directory, joinTarget('/' as TargetPath, STAGING), 0o755);
  const tree = `/proc/self/fd/3/${STAGING}`;
  try {
    const owner = way === 'as the user' ? '--no-same-owner' : '--same-owner';
    const extract = [...wrapper, ...EXTRACT.split(' '), owner, `--directory=${tree}`];
    await run(making, 'tar', extract, { input: making.archive() });
    const owners = way === 'as the user' ? ['--all-root'] : [];
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
  const begun = readStatus(making.directory, joinTarget('/' as TargetPath, making.file))?.ctimeNs ?? 0n;
  const [made, read] = await Promise.allSettled([run(making, 'mkfs.erofs', command), readAll(making)]);
  if (read.status === 'rejected') throw read.reason;
  if (packed.isUnlike || isChangedSince(nodes, begun)) return false;
  if (made.status === 'rejected') throw made.reason;
  return true;
}

/** Whether anything may have changed since then: what was read need not be what is in the image. */
function isChangedSince(nodes: readonly ImageNode[], timeNs: bigint): boolean {
  return nodes.some((node) => {
    const from = hostPathOf(node);
    return from === undefined || readHostStatus(from).ctimeNs >= timeNs;
  });
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

async function readAll({ read, signal }: Making): Promise<void> {
  for (const _ of read()) {
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
    'mkfs.erofs takes owners and capabilities from the disk, and this user cannot give files to others',
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
  const why = whyNot(result, name);
  if (why === undefined) return;
  const path = `${directory.path}/${file}`;
  if (/Cannot change ownership|security\.capability/u.test(result.stderr)) throw refusal(path);
  if (name === 'mkfs.erofs') refuseLongest(making);
  throw new ActivateError('IO', `cannot make the image: ${name}: ${why}`, { path });
}

/** mkfs.erofs 1.5 may fail at a name as long as names can be, and does not say at which. */
function refuseLongest({ nodes }: Making): void {
  const longest = nodes.find(({ path }) => lengthInBytes(nameOf(path)) >= LONGEST);
  if (longest === undefined) return;
  throw new ActivateError('REFUSED', `mkfs.erofs cannot take a name of ${LONGEST} bytes here`, {
    path: longest.path,
    hint: 'Use --image squashfs, or a newer erofs-utils.',
  });
}

const LONGEST = 255;

/** tar goes on after what it cannot do, such as an attribute that the filesystem cannot hold, and says so. */
function whyNot({ status, stderr }: ProgramResult, name: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  if (status === 0 && lines.length === 0) return undefined;
  // The one ends with what it all led to, the others begin with what went wrong.
  const line = name === 'mkfs.erofs' ? lines.at(-1) : lines[0];
  return line?.replace(/^(?:tar: |rm: |<E> erofs: \s*)/u, '') ?? `status ${status}`;
}
