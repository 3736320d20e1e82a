import { chmodSync, cpSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { cached, digestOf } from './cache';
import { type DebianKernel, debianKernel } from '../debian-kernel';
import { debianTree, type Suite } from './debian';
import { insist } from './running';
import { settle } from './settings';

const guest = join(import.meta.dir, 'guest');
const activate = resolve(import.meta.dir, '../../../dist/activate');

/** What a machine is made of, as files of this one. */
export interface MachineFiles {
  readonly suite: Suite;
  /** Its root filesystem as a tree, without `activate`. */
  readonly root: string;
  /** The same as a disk, with the built `activate`; never booted itself. */
  readonly disk: string;
  readonly kernel: string;
  /** Such as `6.1.0-49-cloud-amd64`. */
  readonly release: string;
}

/** Enough modules for what is tested; the rest is 85 MB. */
const modules = `
  fs/overlayfs fs/erofs fs/squashfs fs/xfs fs/fuse fs/autofs fs/configfs fs/binfmt_misc.ko fs/nls
  drivers/block/loop.ko drivers/block/virtio_blk.ko drivers/virtio drivers/md/dm-mod.ko drivers/firmware/qemu_fw_cfg.ko
  lib crypto arch/x86/crypto`
  .trim()
  .split(/\s+/u);

/** Makes a machine of a suite: Debian with the kernel of bookworm, an administrator's /etc, and the agent of the tests in /usr. */
export async function machineFiles(suite: Suite): Promise<MachineFiles> {
  const [tree, kernel] = [await debianTree(suite), debianKernel()];
  const recipes = ['settings.ts', 'image.ts'].map((name) => digestOf(join(import.meta.dir, name)));
  const inputs = [basename(tree), kernel.version, digestOf(guest), ...recipes];
  const bare = await cached(`image-${suite}`, inputs, async (directory) => {
    const root = join(directory, 'root');
    await insist(['cp', '-a', '--reflink=auto', join(tree, 'root'), root]);
    await addModules(root, kernel);
    addGuest(root);
    await settle(root);
    await markUpdated(root);
    await makeDisk(root, join(directory, 'disk'));
  });
  const whole = await cached(`machine-${suite}`, [basename(bare), digestOf(activate)], async (directory) => {
    const disk = join(directory, 'disk');
    await insist(['cp', '--sparse=always', '--reflink=auto', join(bare, 'disk'), disk]);
    await writeInto(disk, activate, '/usr/bin/activate');
  });
  const vmlinuz = join(kernel.directory, `boot/vmlinuz-${kernel.version}`);
  return { suite, root: join(bare, 'root'), disk: join(whole, 'disk'), kernel: vmlinuz, release: kernel.version };
}

async function addModules(root: string, { directory, version }: DebianKernel): Promise<void> {
  const source = join(directory, 'lib/modules', version);
  const target = join(root, 'usr/lib/modules', version);
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    cpSync(join(source, name), join(target, name));
  for (const name of modules) cpSync(join(source, 'kernel', name), join(target, 'kernel', name), { recursive: true });
  cpSync(join(directory, `boot/config-${version}`), join(root, `boot/config-${version}`));
  await insist(['chroot', root, 'depmod', version]);
}

/** All of it lies in /usr, so that /etc stays the test's own. */
function addGuest(root: string): void {
  const units = join(root, 'usr/lib/systemd/system');
  for (const name of ['agent', 'describe']) putGuest(name, join(root, 'usr/lib/vm-test', name), 0o755);
  putGuest('vm-run.service', join(units, 'vm-run.service'), 0o644);
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true });
  symlinkSync('../vm-run.service', join(units, 'multi-user.target.wants/vm-run.service'));
  for (const name of ['emergency', 'rescue'])
    putGuest('emergency.conf', join(units, `${name}.service.d/vm-test.conf`), 0o644);
  mkdirSync(join(root, 'srv/scratch'), { recursive: true });
  writeFileSync(join(root, 'etc/resolv.conf'), '');
}

function putGuest(name: string, path: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  cpSync(join(guest, name), path);
  chmodSync(path, mode);
}

/** What systemd does once after /usr has changed is done already, as on each machine that booted since. */
async function markUpdated(root: string): Promise<void> {
  await insist(['chroot', root, 'systemd-sysusers']);
  const now = Math.floor(Date.now() / 1000);
  utimesSync(join(root, 'usr'), now, now);
  for (const name of ['etc/.updated', 'var/.updated']) {
    writeFileSync(join(root, name), `TIMESTAMP_NSEC=${now + 1}000000000\n`);
    utimesSync(join(root, name), now + 1, now + 1);
  }
}

/** Makes an ext4 filesystem of a tree, with room for what the tests write. */
async function makeDisk(tree: string, disk: string): Promise<void> {
  await insist([
    'mke2fs',
    '-q',
    '-t',
    'ext4',
    '-L',
    'root',
    '-E',
    'lazy_itable_init=0,root_owner=0:0',
    '-d',
    tree,
    disk,
    '1200M',
  ]);
}

/** Writes an executable file of root into a filesystem that is not mounted. */
async function writeInto(disk: string, file: string, path: string): Promise<void> {
  const commands = [`write ${file} ${path}`, `sif ${path} mode 0100755`, `sif ${path} uid 0`, `sif ${path} gid 0`];
  for (const command of commands) await insist(['debugfs', '-w', '-R', command, disk]);
}
