import { lutimesSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { type Contents, writeContents } from '../closures';
import { spawnSync } from 'node:child_process';

/** Files that take blocks of their own, and many that take inodes. */
function bulk(text: string): Contents {
  const many = Array.from({ length: 24 }, (_, index) => [`etc/many.d/${index}`, `${text} ${index}\n`] as const);
  return {
    ...Object.fromEntries(many),
    'etc/large': text.repeat(3_000),
    'etc/copied-large': text.repeat(2_000),
    'etc/copied.d/one': `${text}\n`,
    'etc/copied.d/two': { file: `${text}\n`, mode: 0o600, uid: 12, gid: 12 },
  };
}

const policy = `schema = 1

[[path]]
match = "/etc/copied*"
place = "copy"

[[path]]
match = "/etc/copied.d/**"
place = "copy"

[[path]]
match = "/etc/seeded*"
place = "seed"
`;

/** What the machine has: some of it is taken over by a closure, the rest is nobody's business. */
const machineEtc: Contents = {
  own: 'own\n',
  'own.d/file': { file: 'own\n', mode: 0o600, uid: 12 },
  'own.d/link': { link: '../own' },
  taken: { file: 'taken from the machine\n', mode: 0o640, uid: 12, gid: 12 },
  'taken.d/file': 'in a directory that is taken over\n',
  'taken.d/deep/file': { file: 'deep in it\n', mode: 0o4755 },
  'taken.d/large': 'of the machine\n'.repeat(5_000),
  'taken.d/link': { link: '/nowhere' },
  'taken-link': { link: 'own' },
  'adopted.d': { directory: 0o700, uid: 12 },
  'adopted.d/own': 'own, in a directory that closures use\n',
  'turned.d/own': 'taken over by the second closure alone\n',
};

const first: Contents = {
  'activation.toml': policy,
  ...bulk('first'),
  'etc/taken': 'first\n',
  'etc/taken-link': { link: '/first' },
  'etc/adopted.d/shown': 'first\n',
  'etc/copied': 'first\n',
  'etc/stays': 'the same in both\n',
  'etc/seeded': 'a seed\n',
  'etc/link': { link: 'first' },
  'etc/goes': 'first alone\n',
  'etc/goes.d/deep/file': 'first alone\n',
  'etc/copied-goes': 'first alone\n',
  'etc/file-to-directory': 'first\n',
  'etc/copied-to-directory': 'first\n',
  'etc/directory-to-file/one': 'first\n',
  'etc/directory-to-file/deep/two': 'first\n',
  'etc/directory-to-link/one': 'first\n',
  'etc/link-to-directory': { link: 'stays' },
  'etc/directory-to-copied/one': 'first\n',
};

const second: Contents = {
  'activation.toml': policy,
  ...bulk('second'),
  'etc/taken': 'second\n',
  'etc/taken.d': 'second: a file in place of a directory of the machine\n',
  'etc/turned.d': { link: 'adopted.d' },
  'etc/adopted.d/shown': 'second\n',
  'etc/adopted.d/deep/shown': 'second\n',
  'etc/copied': 'second\n',
  'etc/stays': 'the same in both\n',
  'etc/seeded': 'another seed\n',
  'etc/seeded-late': 'another seed\n',
  'etc/link': { link: 'second' },
  'etc/comes': 'second alone\n',
  'etc/comes.d/deep/file': 'second alone\n',
  'etc/copied-comes': 'second alone\n',
  'etc/file-to-directory/one': 'second\n',
  'etc/copied-to-directory/one': 'second\n',
  'etc/directory-to-file': 'second\n',
  'etc/directory-to-link': { link: 'adopted.d' },
  'etc/link-to-directory/one': 'second\n',
  'etc/directory-to-copied': 'second\n',
};

/** Writes the machine's own /etc: with old times, an ACL and other attributes, so that more than content can be lost. */
export function writeMachineEtc(etc: string): void {
  writeContents(etc, machineEtc);
  let seconds = 1_100_000_000;
  for (const [name, content] of Object.entries(machineEtc)) {
    seconds += 1;
    const isLink = typeof content !== 'string' && 'link' in content;
    (isLink ? lutimesSync : utimesSync)(join(etc, name), seconds, seconds);
  }
  const { status } = spawnSync('setfattr', ['-n', 'user.note', '-v', 'of the machine', join(etc, 'taken')]);
  if (status !== 0) throw new Error('no extended attributes here');
}

/** Writes two closures that differ in every way in which a path can differ, as `first` and `second` below a directory. */
export function writeDiskClosures(directory: string): void {
  for (const [name, contents] of Object.entries({ first, second })) {
    mkdirSync(join(directory, name), { recursive: true });
    writeContents(join(directory, name), contents);
  }
}
