import { ActivateError } from '../../core/errors';
import { runProgram } from '../../system/programs';
import type { Making } from './image';

/** The same bytes on every machine: no time, a fixed compressor, and what belongs to the root directory. */
const OPTIONS =
  '-tar -noappend -no-progress -quiet -no-recovery -no-exports -mkfs-time 0 -all-time 0 -root-time 0 -root-mode 755 ' +
  '-root-uid 0 -root-gid 0 -comp zstd -Xcompression-level 15 -b 131072';

/**
 * Makes a squashfs of an archive. mksquashfs takes all of an archive: any name, owner and attribute, whoever runs it, and
 * nothing has to be on disk before.
 *
 * @throws {ActivateError} `IO`
 */
export async function makeSquashfs({ archive, file, directory, signal }: Making): Promise<void> {
  const args = ['-', `/proc/self/fd/3/${file}`, ...OPTIONS.split(' ')];
  const { status, stderr } = await runProgram('mksquashfs', args, {
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
  throw new ActivateError('IO', `cannot make the image: mksquashfs: ${why}`, { path: `${directory.path}/${file}` });
}
