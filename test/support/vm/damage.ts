import { join } from 'node:path';
import type { Disk } from './qemu';
import { insist } from './running';

const inside = `
  mkdir -p "$2/mounted"
  mount -o loop "$1" "$2/mounted"
  cd "$2/mounted"
  sh -euc "$3"
`;

/** Makes a disk that begins as another, with its filesystem as a shell script in its top directory leaves it. */
export async function alterDisk(from: Disk, script: string, directory: string): Promise<Disk> {
  const file = join(directory, `${crypto.randomUUID()}.raw`);
  await insist(['qemu-img', 'convert', '-O', 'raw', from.file, file]);
  await insist([
    'unshare',
    '--mount',
    '--propagation',
    'private',
    '--',
    'sh',
    '-euc',
    inside,
    'sh',
    file,
    directory,
    script,
  ]);
  return { file, format: 'raw' };
}
