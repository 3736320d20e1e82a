import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeTemporaryDirectory, removeTree } from '../sandbox';
import { insist } from './running';

const activate = resolve(import.meta.dir, '../../../dist/activate');

/** Mounts go with the namespace. /sys is the machine's own, and cannot be written. */
const inside = `
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
  mount -t proc proc "$2/root/proc"
  mount --rbind /dev "$2/root/dev"
  mount -t sysfs -o ro sysfs "$2/root/sys"
  mount -t tmpfs tmpfs "$2/root/run"
  touch "$2/root/usr/bin/activate"
  mount --bind "$3" "$2/root/usr/bin/activate"
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$2/root" sh -euc "$4"
`;

/**
 * Runs a shell script as root of a tree, with the built `activate`; the tree stays as it is.
 *
 * @param take is given the directory with what the script wrote, before that goes away
 */
export async function runInTree(
  root: string,
  script: string,
  take: (written: string) => Promise<void>,
): Promise<string> {
  const directory = makeTemporaryDirectory();
  try {
    for (const name of ['upper', 'work', 'root']) mkdirSync(join(directory, name));
    const namespace = ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-euc', inside, 'sh'];
    const said = await insist([...namespace, root, directory, activate, script]);
    await take(join(directory, 'upper'));
    return said;
  } finally {
    removeTree(directory);
  }
}
