import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { cached, digestOf } from './cache';
import { debianKernel, debianTree, type Suite } from './debian';
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
const modules = [
  ...['overlayfs', 'erofs', 'squashfs', 'xfs', 'fuse', 'autofs', 'configfs', 'binfmt_misc.ko', 'nls'].map(
    (each) => `fs/${each}`,
  ),
  ...['block/loop.ko', 'block/virtio_blk.ko', 'virtio', 'md/dm-mod.ko', 'firmware/qemu_fw_cfg.ko'].map(
    (each) => `drivers/${each}`,
  ),
  ...['lib', 'crypto', 'arch/x86/crypto'],
];

/** Makes a machine of a suite: Debian with the kernel of bookworm, an administrator's /etc, and the agent of the tests in /usr. */
export async function machineFiles(suite: Suite): Promise<MachineFiles> {
  const [tree, kernel] = await Promise.all([debianTree(suite), debianKernel()]);
  const vmlinuz = readdirSync(join(kernel, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (vmlinuz === undefined) throw new Error(`${kernel}: no kernel`);
  const release = vmlinuz.slice('vmlinuz-'.length);
  const recipes = ['settings.ts', 'image.ts'].map((name) => digestOf(join(import.meta.dir, name)));
  const inputs = [basename(tree), basename(kernel), digestOf(guest), ...recipes];
  const bare = await cached(`image-${suite}`, inputs, async (directory) => {
    const root = join(directory, 'root');
    await insist(['cp', '-a', '--reflink=auto', join(tree, 'root'), root]);
    await addModules(root, { kernel, release });
    addGuest(root);
    await settle(root);
    await makeDisk(root, join(directory, 'disk'));
  });
  const whole = await cached(`machine-${suite}`, [basename(bare), digestOf(activate)], async (directory) => {
    const disk = join(directory, 'disk');
    await insist(['cp', '--sparse=always', '--reflink=auto', join(bare, 'disk'), disk]);
    await writeInto(disk, activate, '/usr/bin/activate');
  });
  return { suite, root: join(bare, 'root'), disk: join(whole, 'disk'), kernel: join(kernel, 'boot', vmlinuz), release };
}

async function addModules(root: string, from: { readonly kernel: string; readonly release: string }): Promise<void> {
  const source = join(from.kernel, 'lib/modules', from.release);
  const target = join(root, 'usr/lib/modules', from.release);
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    cpSync(join(source, name), join(target, name));
  for (const name of modules) cpSync(join(source, 'kernel', name), join(target, 'kernel', name), { recursive: true });
  cpSync(join(from.kernel, 'boot', `config-${from.release}`), join(root, 'boot', `config-${from.release}`));
  await insist(['chroot', root, 'depmod', from.release]);
}

/** All of it lies in /usr, so that /etc stays the test's own. */
function addGuest(root: string): void {
  const units = join(root, 'usr/lib/systemd/system');
  const put = (name: string, path: string, mode = 0o644): void => {
    mkdirSync(dirname(path), { recursive: true });
    cpSync(join(guest, name), path);
    chmodSync(path, mode);
  };
  for (const name of ['agent', 'describe']) put(name, join(root, 'usr/lib/vm-test', name), 0o755);
  put('vm-run.service', join(units, 'vm-run.service'));
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true });
  symlinkSync('../vm-run.service', join(units, 'multi-user.target.wants/vm-run.service'));
  for (const name of ['emergency', 'rescue']) put('emergency.conf', join(units, `${name}.service.d/vm-test.conf`));
  mkdirSync(join(root, 'srv/scratch'), { recursive: true });
  writeFileSync(join(root, 'etc/resolv.conf'), '');
}

/** Makes an ext4 filesystem of a tree, with room for what the tests write. */
export async function makeDisk(tree: string, disk: string): Promise<void> {
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
