import { join } from 'node:path';
import type { Disk } from './qemu';
import { insist, takeTurns } from './running';

const inside = `
  mkdir -p "$2/mounted"
  mount -o loop "$1" "$2/mounted"
  cd "$2/mounted"
  sh -euc "$3"
`;

/** Loop devices that are asked for at the same time keep each other waiting for minutes. */
const oneAtATime = takeTurns(1);

/** Makes a disk that begins as another, with its filesystem as a shell script in its top directory leaves it. */
export async function alterDisk(from: Disk, script: string, directory: string): Promise<Disk> {
  const file = join(directory, `${crypto.randomUUID()}.raw`);
  await oneAtATime(async () => alter(from, file, { script, directory }));
  return { file, format: 'raw' };
}

async function alter(
  from: Disk,
  file: string,
  to: { readonly script: string; readonly directory: string },
): Promise<void> {
  const { script, directory } = to;
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
}
