import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { insist } from './running';

/** What an administrator wrote into /etc besides what the packages left there: something for each program that reads it early. */
const files: Readonly<Record<string, string>> = {
  hostname: 'orion\n',
  'machine-id': '5ca1ab1e0ddba11c0ffee0ddba11d00d\n',
  hosts: '127.0.0.1 localhost\n127.0.1.1 orion\n192.0.2.7 db.example\n',
  fstab: '/dev/nvme0n1 / ext4 errors=remount-ro 0 1\nscratch /srv/scratch tmpfs size=4M,nosuid 0 0\n',
  'locale.conf': 'LANG=C.UTF-8\nLC_TIME=POSIX\n',
  'default/locale': 'LANG=C.UTF-8\n',
  environment: 'SITE=orion\n',
  'sysctl.d/50-site.conf': 'kernel.panic = 17\nvm.swappiness = 23\n',
  'modules-load.d/site.conf': 'dm_mod\n',
  'modprobe.d/site.conf': 'options loop max_loop=3\n',
  'tmpfiles.d/site.conf': 'd /run/site 0750 redis redis -\nf /run/site/made 0640 redis redis - made\\x20at\\x20boot\n',
  'sysusers.d/site.conf': 'u site-batch 450 "made at boot" /nonexistent\n',
  'udev/rules.d/70-site.rules':
    'SUBSYSTEM=="block", KERNEL=="nvme0n1", SYMLINK+="site-root", ENV{ACTIVATE_TEST}="yes"\n',
  'systemd/system.conf.d/site.conf':
    '[Manager]\nDefaultTimeoutStopSec=41s\nManagerEnvironment=SITE_MANAGER=yes\nDefaultEnvironment=SITE_UNITS=yes\n',
  'systemd/journald.conf.d/site.conf': '[Journal]\nStorage=persistent\nSystemMaxUse=16M\n',
  'systemd/logind.conf.d/site.conf': '[Login]\nKillUserProcesses=yes\n',
  'systemd/system/site.service':
    '[Unit]\nDescription=What this site runs\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "echo $SITE_UNITS >/run/site-ran"\n[Install]\nWantedBy=multi-user.target\nAlias=location.service\n',
  'systemd/system/site-early.service':
    '[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=sysinit.target\n',
  'systemd/system/site-broken.service':
    '[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n',
  'systemd/system/site-tick.timer': '[Timer]\nOnBootSec=1d\n[Install]\nWantedBy=timers.target\n',
  'systemd/system/site-tick.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  'systemd/system/redis-server.service.d/site.conf': '[Service]\nNice=3\nEnvironment=SITE=orion\n',
  'systemd/system-preset/10-site.preset': 'disable *\n',
  'ssh/sshd_config.d/site.conf': 'Port 2222\nPasswordAuthentication no\n',
  'sudoers.d/site': 'alice ALL=(root) NOPASSWD: /usr/bin/id\n',
  'cron.d/site': '0 3 * * * root true\n',
  'pam.d/site': '#%PAM-1.0\nauth required pam_deny.so\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
};

const links: Readonly<Record<string, string>> = {
  localtime: '/usr/share/zoneinfo/Etc/UTC',
  'systemd/system/default.target': '/usr/lib/systemd/system/multi-user.target',
  'systemd/system/location.service': 'site.service',
  'systemd/system/multi-user.target.wants/site.service': '/etc/systemd/system/site.service',
  'systemd/system/multi-user.target.wants/site-broken.service': '../site-broken.service',
  'systemd/system/sysinit.target.wants/site-early.service': '/etc/systemd/system/site-early.service',
  'systemd/system/timers.target.wants/site-tick.timer': '/etc/systemd/system/site-tick.timer',
  'systemd/system/systemd-timesyncd.service': '/dev/null',
};

/** Rarely in time on an emulated machine, or they look for the network, or do something at midnight. */
const disabled = ['apt-daily', 'apt-daily-upgrade', 'e2scrub_all', 'fstrim', 'dpkg-db-backup', 'logrotate'].map(
  (name) => `timers.target.wants/${name}.timer`,
);
const slow = ['multi-user.target.wants/e2scrub_reap.service'];

/** Makes /etc of a Debian tree that of an ordinary small server. */
export async function settle(root: string): Promise<void> {
  const etc = join(root, 'etc');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(etc, path)), { recursive: true });
    writeFileSync(join(etc, path), text);
  }
  for (const [path, linkText] of Object.entries(links)) {
    mkdirSync(dirname(join(etc, path)), { recursive: true });
    rmSync(join(etc, path), { force: true });
    symlinkSync(linkText, join(etc, path));
  }
  for (const name of [...disabled, ...slow]) rmSync(join(etc, 'systemd/system', name), { force: true });
  chmodSync(join(etc, 'sudoers.d/site'), 0o440);
  await insist([
    'chroot',
    root,
    'useradd',
    '--create-home',
    '--uid',
    '1234',
    '--groups',
    'sudo',
    '--shell',
    '/bin/bash',
    'alice',
  ]);
}
