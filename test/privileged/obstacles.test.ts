import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openMachine, type TestMachine } from '../support/machine';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

interface Obstacle {
  readonly what: string;
  /** Shell commands; `$etc` is the directory. */
  readonly put: string;
  readonly takeAway: string;
  /** The paths that the message names, and what it says of them. */
  readonly named: readonly string[];
}

const immutable = 'it is or lies in an immutable place';
const appendOnly = 'it is or lies in an append-only place';

/** Paths of the second closure that the first one does not have, or that have other content there. */
const everything = ['copied', 'dir.d/copied', 'dir.d/new', 'goes', 'new.d', 'taken', 'taken.d', 'turns'];

const obstacles: readonly Obstacle[] = [
  {
    what: 'a mount point at a path that is taken over',
    put: 'mount -t tmpfs none $etc/taken.d',
    takeAway: 'umount $etc/taken.d',
    named: ['/etc/taken.d: it is or lies in a mount point'],
  },
  {
    what: 'a file that is a mount point',
    put: 'mount --bind $etc/own $etc/taken',
    takeAway: 'umount $etc/taken',
    named: ['/etc/taken: it is or lies in a mount point'],
  },
  {
    what: 'a mount point in a directory that is taken over',
    put: 'mkdir -p $etc/taken.d/deep/er; mount -t tmpfs none $etc/taken.d/deep/er',
    takeAway: 'umount $etc/taken.d/deep/er; rm -r $etc/taken.d/deep',
    named: ['/etc/taken.d: there is a mount point inside'],
  },
  {
    what: 'a mount point at a copy that is replaced',
    put: 'mount --bind $etc/own $etc/copied',
    takeAway: 'umount $etc/copied',
    named: ['/etc/copied: it is or lies in a mount point'],
  },
  {
    what: 'an immutable file of the machine',
    put: 'chattr +i $etc/taken',
    takeAway: 'chattr -i $etc/taken',
    named: [`/etc/taken: ${immutable}`],
  },
  {
    what: 'an append-only file of the machine',
    put: 'chattr +a $etc/taken',
    takeAway: 'chattr -a $etc/taken',
    named: [`/etc/taken: ${appendOnly}`],
  },
  {
    what: 'an immutable copy of ours',
    put: 'chattr +i $etc/copied',
    takeAway: 'chattr -i $etc/copied',
    named: [`/etc/copied: ${immutable}`],
  },
  {
    what: 'an immutable directory',
    put: 'chattr +i $etc/dir.d',
    takeAway: 'chattr -i $etc/dir.d',
    named: [`/etc/dir.d/copied: ${immutable}`, `/etc/dir.d/new: ${immutable}`],
  },
  {
    what: 'an append-only directory',
    put: 'chattr +a $etc/dir.d',
    takeAway: 'chattr -a $etc/dir.d',
    named: [`/etc/dir.d/copied: ${appendOnly}`, `/etc/dir.d/new: ${appendOnly}`],
  },
  {
    what: 'an immutable directory that is taken over',
    put: 'chattr +i $etc/taken.d',
    takeAway: 'chattr -i $etc/taken.d',
    named: [`/etc/taken.d: ${immutable}`],
  },
  {
    what: 'an immutable /etc',
    put: 'chattr +i $etc',
    takeAway: 'chattr -i $etc',
    named: ['copied', 'goes', 'new.d', 'taken', 'taken.d', 'turns'].map((name) => `/etc/${name}: ${immutable}`),
  },
  {
    what: 'a read-only /etc',
    put: 'mount --bind $etc $etc; mount -o remount,bind,ro $etc',
    takeAway: 'umount $etc',
    named: everything.map((name) => `/etc/${name}: it is or lies in a read-only filesystem`),
  },
  {
    what: 'a read-only directory',
    put: 'mount --bind $etc/dir.d $etc/dir.d; mount -o remount,bind,ro $etc/dir.d',
    takeAway: 'umount $etc/dir.d',
    named: ['copied', 'new'].map((name) => `/etc/dir.d/${name}: it is or lies in a read-only filesystem`),
  },
];

const policy = 'schema = 1\n\n[[path]]\nmatch = "copied"\nplace = "copy"\n';
const etc = { taken: 'own\n', 'taken.d/file': 'own\n', 'dir.d/own': 'own\n', own: 'own\n' };
const first = { copied: 'first\n', 'dir.d/copied': 'first\n', goes: 'first\n', stays: 'first\n', turns: 'first\n' };
const second = {
  copied: 'second\n',
  'dir.d/copied': 'second\n',
  'dir.d/new': 'second\n',
  'new.d/file': 'second\n',
  stays: 'second\n',
  taken: 'second\n',
  'taken.d': 'second\n',
  'turns/file': 'second\n',
};

function write(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
}

describe.each([
  ['/', ''],
  ['a directory that --root names', '/var/machine'],
])('on %s', (_, root) => {
  let machine: TestMachine;
  const flags = root === '' ? [] : ['--root', root];
  beforeAll(async () => {
    machine = await openMachine({ mounts: ['/etc'] });
    write(machine.on(`${root}/etc`), etc);
    write(machine.on('/var/first/etc'), first);
    write(machine.on('/var/second/etc'), second);
    for (const name of ['first', 'second']) writeFileSync(machine.on(`/var/${name}/activation.toml`), policy);
    mkdirSync(machine.on(`${root}/run`), { recursive: true });
    await machine.activate('switch', '/var/first', ...flags);
  });
  afterAll(async () => machine.close());

  function see(): { etc: Seen[]; state: Seen[] } {
    const state = takeSnapshot(machine.on(`${root}/var/lib/activate`), { inodes: true });
    return { etc: takeSnapshot(machine.on(`${root}/etc`), { inodes: true }), state };
  }

  test.each(obstacles)('$what is refused before anything is written', async ({ put, takeAway, named }) => {
    await machine.shell(`etc=${root}/etc; ${put}`);
    const before = see();
    const { status, stdout, stderr } = await machine.attempt([
      'switch',
      '/var/second',
      '--on-conflict',
      'backup',
      ...flags,
    ]);
    const after = see();
    await machine.shell(`etc=${root}/etc; ${takeAway}`);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    const lines = stderr.split('\n').filter((line) => line.startsWith('  /'));
    expect(lines.map((line) => line.trim())).toEqual([...named]);
    expect(compareSnapshots(before.etc, after.etc, { times: true })).toEqual([]);
    expect(compareSnapshots(before.state, after.state, { times: true })).toEqual([]);
  });

  test('nothing stands in the way afterwards', async () => {
    await machine.activate('switch', '/var/second', '--on-conflict', 'backup', ...flags);
    await machine.activate('rollback', ...flags);
    await machine.activate('rollback', '0', ...flags);
    const files = Object.keys(etc).map((name) => `/${name}`);
    const left = new Set(takeSnapshot(machine.on(`${root}/etc`)).map(({ path }) => path));
    expect(files.filter((path) => !left.has(path))).toEqual([]);
  });
});
