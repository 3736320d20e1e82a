import { ActivateError } from '../../core/errors';
import { isUsersOwn } from '../../core/image/staging';
import { joinTarget, type TargetPath } from '../../core/path';
import { makeDirectory } from '../../system/changing';
import { type ProgramResult, runProgram } from '../../system/programs';
import type { Making } from './image';

/** Where the content of an image is while it is made. */
export const STAGING = '.activate.staging';

/**
 * Makes an erofs. mkfs.erofs takes owners and modes from a tree on disk, so one is made for it: as root; by any other user
 * where all is root's; else in a user namespace, where a user may give files to the ids of /etc/subuid.
 *
 * @param uuidOf the same for the same content; asked for once that is known
 * @throws {ActivateError} `REFUSED` where this user cannot make such a tree, `IO`
 */
export async function makeErofs(making: Making, uuidOf: () => string): Promise<void> {
  const { directory, file, uid, nodes, archive } = making;
  const how = uid === 0 ? 'as root' : isUsersOwn(nodes) ? 'as the user' : 'in a namespace';
  const wrapper = how === 'in a namespace' ? ['unshare', '--user', '--map-root-user', '--map-auto', '--'] : [];
  if (how === 'in a namespace') await requireNamespace(making, wrapper);
  const run = (command: readonly string[], input?: Iterable<Uint8Array>): Promise<void> =>
    insist(making, [...wrapper, ...command], input);
  makeDirectory(directory, joinTarget('/' as TargetPath, STAGING), 0o755);
  const tree = `/proc/self/fd/3/${STAGING}`;
  try {
    const owner = how === 'as the user' ? '--no-same-owner' : '--same-owner';
    await run([...EXTRACT, owner, `--directory=${tree}`], archive());
    const owners = how === 'as the user' ? ['--all-root'] : [];
    await run(['mkfs.erofs', '--quiet', '-T0', `-U${uuidOf()}`, ...owners, `/proc/self/fd/3/${file}`, tree]);
  } finally {
    // Directories of other ids can only be emptied by whoever made them.
    await run(['rm', '-rf', '--', tree]);
  }
}

const EXTRACT = [
  ...['tar', '--extract', '--file=-', '--numeric-owner', '--same-permissions', '--delay-directory-restore', '--touch'],
  ...['--xattrs', '--xattrs-include=*', '--no-selinux', '--warning=no-timestamp'],
];

async function requireNamespace({ directory, file }: Making, wrapper: readonly string[]): Promise<void> {
  const [program = '', ...args] = [...wrapper, 'true'];
  const { status } = await runProgram(program, args);
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

async function insist(making: Making, command: readonly string[], input?: Iterable<Uint8Array>): Promise<void> {
  const { directory, file, signal } = making;
  const [program = '', ...args] = command;
  const isCleaning = command.includes('rm');
  const result = await runProgram(program, args, {
    ...(input === undefined ? {} : { input }),
    ...(isCleaning ? {} : { signal }),
    inherit: [directory.fd],
    env: { SOURCE_DATE_EPOCH: undefined, TAR_OPTIONS: undefined },
  });
  const path = `${directory.path}/${file}`;
  // tar goes on after what it cannot do, such as an attribute that the filesystem cannot hold.
  const why = whyNot(result);
  if (why === undefined) return;
  if (/Cannot change ownership/u.test(result.stderr)) throw refusal(path);
  const name = command.find((word) => ['tar', 'mkfs.erofs', 'rm'].includes(word)) ?? program;
  throw new ActivateError('IO', `cannot make the image: ${name}: ${why}`, { path });
}

function whyNot({ status, stderr }: ProgramResult): string | undefined {
  const said = stderr.trim().split('\n')[0] ?? '';
  if (status === 0 && said === '') return undefined;
  return said === '' ? `status ${status}` : said.replace(/^(?:tar|rm): /u, '');
}
