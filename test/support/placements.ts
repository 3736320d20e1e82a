import { chmodSync, chownSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const policy = `schema = 1

[[path]]
match = "/etc/secret"
place = "copy"
mode = "0400"
owner = 12
group = "daemon"

[[path]]
match = "/etc/copied"
place = "copy"

[[path]]
match = "/etc/seeded"
place = "seed"

[[path]]
match = "/etc/seeded-private"
place = "seed"
mode = "0600"

[[path]]
match = "/etc/shown-link"
place = "link"

[[path]]
match = "/etc/named.d"
place = "directory"
mode = "0750"
group = 42

[[path]]
match = "/etc/whole"
place = "link"

[[path]]
match = "/etc/skipped*"
place = "skip"
`;

/** Text, and the mode and owner where they are not those of most files. */
const files: Readonly<Record<string, readonly [text: string, mode?: number, uid?: number, gid?: number]>> = {
  passwd: ['root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\ntheirs:x:12:12::/:/bin/false\n'],
  group: ['root:x:0:\ndaemon:x:1:\nshadow:x:42:\ntheirs:x:12:\n'],
  shadow: ['root:*:1:0:99999:7:::\n', 0o640, 0, 42],
  hosts: ['127.0.0.1 localhost\n'],
  private: ['of root alone\n', 0o600],
  executable: ['#!/bin/sh\n', 0o4755, 0, 42],
  secret: ['a secret\n'],
  copied: ['a copy\n', 0o640, 12, 12],
  seeded: ['a seed\n', 0o664, 0, 12],
  'seeded-private': ['a seed\n'],
  'named.d/file': ['in a named directory\n'],
  'plain.d/deep/file': ['deep\n'],
  'whole/one': ['one\n'],
  'whole/deep/two': ['two\n'],
  'skipped/file': ['not to be seen\n'],
  'skipped-file': ['not to be seen\n'],
  'sudoers.d/admins': ['%wheel ALL=(ALL) ALL\n', 0o440],
  'theirs.d/own': ['of another user\n', 0o600, 12, 12],
  'theirs.d/deep/own': ['of another user\n', 0o644, 12, 12],
  ' odd %h "names" \\x41 *': ['odd\n'],
  empty: [''],
};

const links: Readonly<Record<string, string>> = {
  localtime: '/usr/share/zoneinfo/Europe/Berlin',
  'shown-link': 'hosts',
  'plain.d/up': '../hosts',
  'odd-link': ' %h "no where" \\',
};

const directories: Readonly<Record<string, readonly [mode: number, uid: number, gid: number]>> = {
  'empty.d': [0o700, 0, 42],
  'plain.d/deep': [0o2755, 0, 12],
  'theirs.d': [0o710, 12, 0],
  'theirs.d/deep': [0o755, 12, 12],
};

/** Writes a tree closure with every placement that a policy can ask for, and paths that are hard to write in a snippet. */
export function writePlacements(closure: string): void {
  const etc = join(closure, 'etc');
  mkdirSync(etc, { recursive: true });
  writeFileSync(join(closure, 'activation.toml'), policy);
  for (const [name, [text, mode = 0o644, uid = 0, gid = 0]] of Object.entries(files)) {
    const path = join(etc, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    chownSync(path, uid, gid);
    chmodSync(path, mode);
    utimesSync(path, 1_000_000_000, 1_000_000_000);
  }
  for (const [name, linkText] of Object.entries(links)) symlinkSync(linkText, join(etc, name));
  for (const [name, [mode, uid, gid]] of Object.entries(directories)) {
    mkdirSync(join(etc, name), { recursive: true });
    chownSync(join(etc, name), uid, gid);
    chmodSync(join(etc, name), mode);
  }
}
