import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { writeMachineEtc } from '../support/disks/closures';
import type { Look } from '../support/disks/look';
import { BACKUP, type DiskMachine, FIRST, openDiskMachine, SECOND } from '../support/disks/disks';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

const ROOT = '/var/machine';

let machine: DiskMachine;
let own: Look;
beforeEach(async () => {
  machine = await openDiskMachine();
  await machine.shell(`mkdir -p ${ROOT}/etc ${ROOT}/run ${ROOT}/var/lib; mount -t tmpfs none ${ROOT}/run`);
  writeMachineEtc(machine.through(`${ROOT}/etc`));
  own = machine.lookAt(ROOT);
  await machine.insistAt(ROOT, 'switch', FIRST, ...BACKUP);
});
afterEach(async () => machine.close());

interface Obstacle {
  readonly what: string;
  /** Shell commands; `$state` and `$run` are directories of the tree. */
  readonly put: string;
  readonly takeAway: string;
}

const places = {
  state: 'the state directory',
  'state/generations': 'generations',
  'state/generations/1': 'a generation',
  'state/backups': 'backups',
  run: '/run',
};

const flags: readonly Obstacle[] = Object.entries(places).flatMap(([place, name]) =>
  (['i', 'a'] as const).map((flag) => ({
    what: `${name} with the flag ${flag}`,
    put: `chattr +${flag} $${place}`,
    takeAway: `chattr -${flag} $${place}`,
  })),
);

const obstacles: readonly Obstacle[] = [
  ...flags,
  ...['state', 'state/generations', 'state/backups', 'run'].map((place) => ({
    what: `a read-only ${place}`,
    put: `mount --bind $${place} $${place}; mount -o remount,bind,ro $${place}`,
    takeAway: `umount $${place}`,
  })),
  {
    what: 'a backup with the flag i',
    put: 'chattr -R +i $state/backups/1',
    takeAway: 'chattr -R -i $state/backups/1',
  },
];

const variables = `state=${ROOT}/var/lib/activate; run=${ROOT}/run`;

/** All of the tree; what is in the lock is a note for people. */
function see(): Seen[] {
  return takeSnapshot(machine.through(ROOT), { inodes: true }).filter(({ path }) => path !== '/run/activate/lock');
}

const attempts = [
  ['switch', SECOND, ...BACKUP],
  ['rollback', '0'],
].map((args) => ({ verb: args[0], args }));

describe.each([...obstacles])('$what', ({ put, takeAway }) => {
  test.each(attempts)('does not leave a $verb half done', async ({ args }) => {
    await machine.shell(`${variables}; ${put}`);
    const before = see();
    const { status, stderr } = await machine.activateAt(ROOT, ...args);
    const changed = compareSnapshots(before, see(), { times: true }).slice(0, 5);
    await machine.shell(`${variables}; ${takeAway}`);
    // What is done already, and not yet tidied up, is said to be unfinished.
    if (status === 5) await machine.insistAt(ROOT, 'resume');
    else if (status !== 0) {
      expect({ stderr, changed }).toEqual({ stderr, changed: [] });
      expect([3, 4, 74, 77]).toContain(status);
    }
    expect(machine.lookAt(ROOT).litter).toEqual([]);
    await machine.insistAt(ROOT, 'switch', SECOND, ...BACKUP);
    await machine.insistAt(ROOT, 'rollback', '0');
    const etc = machine.lookAt(ROOT).etc.filter(({ path }) => !path.startsWith('/seeded'));
    expect(compareSnapshots(own.etc, etc, { times: true })).toEqual([]);
  });
});

describe('a mount', () => {
  test('in a directory of ours that is given up keeps that directory, and nothing behind it is touched', async () => {
    await machine.shell(`mount -t tmpfs none ${ROOT}/etc/goes.d/deep; echo precious >${ROOT}/etc/goes.d/deep/precious`);
    const { status, stderr } = await machine.activateAt(ROOT, 'switch', SECOND, ...BACKUP);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(
      await machine.shell(`cat ${ROOT}/etc/goes.d/deep/precious; findmnt -no FSTYPE ${ROOT}/etc/goes.d/deep`),
    ).toBe('precious\ntmpfs\n');
    await machine.shell(`umount ${ROOT}/etc/goes.d/deep`);
  });

  describe('in an old generation', () => {
    const covered = `${ROOT}/var/lib/activate/generations/1/tree/etc/many.d/1`;
    beforeEach(async () => {
      await machine.insistAt(ROOT, 'switch', SECOND, ...BACKUP);
      await machine.shell(`mount --bind ${ROOT}/etc/own ${covered}`);
    });

    test('keeps that generation', async () => {
      const before = see();
      const { status } = await machine.activateAt(ROOT, 'gc', '--keep', '0');
      const changed = compareSnapshots(before, see(), { times: true }).slice(0, 5);
      expect({ status, changed }).toEqual({ status: 74, changed: [] });
    });

    test('is in the way of nothing else', async () => {
      await machine.activateAt(ROOT, 'gc', '--keep', '0');
      await machine.insistAt(ROOT, 'switch', FIRST, ...BACKUP);
      await machine.insistAt(ROOT, 'rollback', '0');
    });
  });
});

test.each(attempts)('without /proc a $verb writes nothing: not even the runtime works then', async ({ args }) => {
  const before = see();
  const { status } = await machine.run([
    'unshare',
    '--mount',
    'sh',
    '-c',
    'umount --lazy /proc; exec "$@"',
    'sh',
    'activate',
    ...args,
    '--root',
    ROOT,
  ]);
  expect(status).not.toBe(0);
  expect(compareSnapshots(before, see(), { times: true })).toEqual([]);
});
