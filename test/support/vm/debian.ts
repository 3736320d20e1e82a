import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache';
import { insist } from './running';

/** The Debian whose programs a machine has: bookworm comes with systemd 252, trixie with 257. */
export type Suite = 'bookworm' | 'trixie';

/** Enough that /etc is that of an ordinary small server, and what builds initrds. */
const packages = [
  'systemd systemd-sysv udev dbus kmod libpam-systemd iproute2 procps e2fsprogs',
  'openssh-server cron sudo redis-server locales logrotate',
  'dracut-core initramfs-tools',
].flatMap((line) => line.split(' '));

const left = ['man', 'doc', 'info', 'locale', 'lintian', 'bash-completion', 'zsh', 'pixmaps'];

/** Makes the tree of a suite, as its packages leave it; the directory that is returned holds `root`. */
export async function debianTree(suite: Suite): Promise<string> {
  return cached(`tree-${suite}`, [...packages, ...left, '1'], async (directory) => {
    const archive = join(directory, 'root.tar');
    await bootstrap(suite, archive);
    mkdirSync(join(directory, 'root'));
    await insist(['tar', '-xf', archive, '--numeric-owner', '-C', join(directory, 'root')]);
    rmSync(archive);
  });
}

async function bootstrap(suite: Suite, archive: string): Promise<void> {
  await insist([
    ...'mmdebstrap --quiet --mode=root --format=tar --variant=minbase'.split(' '),
    `--include=${packages.join(',')}`,
    '--aptopt=Apt::Install-Recommends "false"',
    ...left.map((each) => `--dpkgopt=path-exclude=/usr/share/${each}/*`),
    suite,
    archive,
    `deb ${await mirror()} ${suite} main`,
  ]);
}

/** The mirror that this machine itself uses, else Debian's own. */
async function mirror(): Promise<string> {
  const used = await insist([
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
    'Origin: Debian',
  ]);
  return (
    used.split('\n').find((each) => each.endsWith('/debian/') || each.endsWith('/debian')) ??
    'http://deb.debian.org/debian'
  );
}
