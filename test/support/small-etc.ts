import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lutimesSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Text, and the mode and owner where they are not those of most files. */
type SmallFile = readonly [text: string, mode?: number, uid?: number, gid?: number];

const directories: Readonly<Record<string, readonly [mode: number, uid: number, gid: number]>> = {
  'polkit-1/rules.d': [0o700, 102, 0],
  'sudoers.d': [0o750, 0, 0],
  'ssl/private': [0o710, 0, 42],
};

const files: Readonly<Record<string, SmallFile>> = {
  passwd: [
    'root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nalice:x:1000:1000:Alice:/home/alice:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  ],
  group: ['root:x:0:\ndaemon:x:1:\nshadow:x:42:\nalice:x:1000:\nnogroup:x:65534:\n'],
  shadow: ['root:*:19000:0:99999:7:::\nalice:!:19000:0:99999:7:::\n', 0o640, 0, 42],
  hostname: ['small\n'],
  'machine-id': ['0123456789abcdef0123456789abcdef\n', 0o444],
  hosts: ['127.0.0.1 localhost small\n'],
  motd: ["The machine's own welcome\n"],
  fstab: ['# nothing\n'],
  'nsswitch.conf': ['passwd: files\ngroup: files\n'],
  'profile.d/local.sh': ['export EDITOR=vi\n'],
  'profile.d/new.sh': ['export NEW=own\n'],
  'pam.d/login': ['auth required pam_permit.so\n'],
  'pam.d/other': ['auth required pam_deny.so\n'],
  'sudoers.d/README': ['# be careful\n', 0o440],
  'sudoers.d/admins': ['alice ALL=(ALL) ALL\n', 0o440],
  'ssh/sshd_config': ['PermitRootLogin no\n'],
  'ssh/ssh_host_ed25519_key': ['a key\n', 0o600],
  'ssl/private/key': ['a key\n', 0o640, 0, 42],
  'polkit-1/rules.d/50-local.rules': ['// rules\n', 0o600, 102, 0],
  'systemd/system.conf': ['[Manager]\n'],
  'systemd/system/local.service': ['[Service]\nExecStart=/bin/true\n'],
  'with space': ["the machine's own\n", 0o600],
  'odd/ names/100%': ['odd\n'],
  'odd/executable': ['#!/bin/sh\n', 0o4755, 1, 1],
};

const links: Readonly<Record<string, string>> = {
  'os-release': '../usr/lib/os-release',
  localtime: '/usr/share/zoneinfo/America/New_York',
  'resolv.conf': '../run/resolv.conf',
  'systemd/system/multi-user.target.wants/local.service': '/etc/systemd/system/local.service',
  'odd/dangling': 'no where',
};

/** Writes the /etc of a small machine that somebody has worked on: every time is another one, and in the past. */
export function writeSmallEtc(etc: string): void {
  const put = (name: string, write: (path: string) => void): void => {
    const path = join(etc, name);
    mkdirSync(dirname(path), { recursive: true });
    write(path);
  };
  for (const [name, [text, mode = 0o644, uid = 0, gid = 0]] of Object.entries(files)) {
    put(name, (path) => {
      writeFileSync(path, text);
      chownSync(path, uid, gid);
      chmodSync(path, mode);
    });
  }
  for (const [name, linkText] of Object.entries(links)) put(name, (path) => symlinkSync(linkText, path));
  for (const [name, [mode, uid, gid]] of Object.entries(directories)) {
    chownSync(join(etc, name), uid, gid);
    chmodSync(join(etc, name), mode);
  }
  addAttributes(etc);
  const all = readdirSync(etc, { recursive: true }).map(String).toSorted().toReversed();
  for (const [index, name] of all.entries()) lutimesSync(join(etc, name), 1_000_000_000, 1_000_000_000.5 + index);
}

/** An attribute and an access control list, which come back as well. */
function addAttributes(etc: string): void {
  const commands = [
    ['setfattr', '-n', 'user.colour', '-v', 'red', join(etc, 'motd')],
    ['setfacl', '-m', 'u:1000:rw', join(etc, 'hosts')],
  ];
  for (const command of commands) {
    const { status, stderr } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }
}
