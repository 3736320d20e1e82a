import { ActivateError } from '../../core/errors';
import { hasProgram, runProgram } from '../../system/programs';
import type { Making } from './image';

/** The same bytes on every machine: no time, a fixed compressor, and who the root directory belongs to. */
const OPTIONS =
  '-tar -noappend -no-progress -quiet -no-recovery -no-exports -mkfs-time 0 -all-time 0 -root-time 0 -root-mode 755 ' +
  '-comp zstd -Xcompression-level 15 -b 131072';

/**
 * Makes a squashfs of an archive. mksquashfs takes all of an archive: any name, owner and attribute, whoever runs it, and
 * nothing has to be on disk before.
 *
 * @throws {ActivateError} `REFUSED`, `IO`
 */
export async function makeSquashfs(making: Making): Promise<void> {
  const { archive, file, directory, signal } = making;
  const path = `${directory.path}/${file}`;
  const args = ['mksquashfs', '-', `/proc/self/fd/3/${file}`, ...OPTIONS.split(' ')];
  const [program = '', ...rest] = [...(await wrapperFor(making)), ...args];
  const { status, stderr } = await runProgram(program, rest, {
    input: archive(),
    inherit: [directory.fd],
    signal,
    // It refuses to be told a time twice.
    env: { SOURCE_DATE_EPOCH: undefined },
  });
  const said = stderr.trim();
  // What it says and goes on after, such as an attribute that it cannot hold, would be missing from the image.
  if (status === 0 && said === '') return;
  const why = said.split('\n').find((line) => line !== '') ?? `status ${status}`;
  throw new ActivateError('IO', `cannot make the image: mksquashfs: ${why}`, { path });
}

/**
 * What makes a program believe that it is root's: mksquashfs 4.5 gives the root directory of an archive's image to whoever runs
 * it, and `-root-uid` is for other images.
 */
async function wrapperFor({ uid, directory, file }: Making): Promise<readonly string[]> {
  if (uid === 0) return [];
  const namespace = ['--user', '--map-root-user', '--'];
  const isThere = hasProgram('unshare') && (await runProgram('unshare', [...namespace, 'true'])).status === 0;
  if (isThere) return ['unshare', ...namespace];
  if (hasProgram('fakeroot')) return ['fakeroot', '--'];
  throw new ActivateError('REFUSED', 'mksquashfs would give the image to this user, who may make no user namespace', {
    path: `${directory.path}/${file}`,
    hint: 'Run this as root, or install the Debian package fakeroot.',
  });
}
