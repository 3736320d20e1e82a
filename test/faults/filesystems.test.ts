import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { writeMachineEtc } from '../support/disks/closures';
import { differences, type Look } from '../support/disks/look';
import { BACKUP, type DiskMachine, FIRST, openDiskMachine, SECOND, unmountScript } from '../support/disks/disks';
import { removeTree } from '../support/sandbox';
import { compareSnapshots, type Seen } from '../support/snapshot';

const ROOT = '/var/machine';
/** The second closure without what takes the place of a directory of the machine. */
const GENTLE = '/var/closures/gentle';
const IMAGE = '/var/images/filesystem';

/** Shell commands that mount a filesystem at `$place`; the machine's own /etc is in it already, or is written then. */
const filesystems: Readonly<Record<string, string>> = {
  tmpfs: 'mount -t tmpfs none $place',
  ext4: `truncate -s 16M ${IMAGE}; mkfs.ext4 -q ${IMAGE}; mount -o loop ${IMAGE} $place; rmdir $place/lost+found`,
  xfs: `truncate -s 320M ${IMAGE}; mkfs.xfs -q -f ${IMAGE}; mount -o loop ${IMAGE} $place`,
  btrfs: `truncate -s 120M ${IMAGE}; mkfs.btrfs -q -f ${IMAGE}; mount -o loop ${IMAGE} $place`,
};

let machine: DiskMachine;
beforeAll(async () => {
  machine = await openDiskMachine();
});
afterAll(async () => machine.close());

/** Mounts a filesystem as a tree, or as its /etc alone, for the length of a task. */
async function withFilesystem(script: string, place: string, task: () => Promise<void>): Promise<void> {
  await machine.shell(`mkdir -p ${ROOT}${place}; place=${ROOT}${place}; ${script}`);
  try {
    await machine.shell(`mkdir -p ${ROOT}/etc ${ROOT}/run ${ROOT}/var/lib`);
    await task();
  } finally {
    await machine.shell(unmountScript(ROOT));
    removeTree(machine.on(ROOT));
    removeTree(machine.on(IMAGE));
  }
}

/** To a closure, to another, back, and back to nothing. */
async function tellStory(own: Look, closure: string): Promise<void> {
  await machine.insistAt(ROOT, 'switch', FIRST, ...BACKUP);
  const first = machine.lookAt(ROOT);
  expect(await machine.insistAt(ROOT, 'switch', FIRST, ...BACKUP)).toContain('nothing to do');
  await machine.insistAt(ROOT, 'switch', closure, ...BACKUP);
  const second = machine.lookAt(ROOT);
  await machine.insistAt(ROOT, 'rollback');
  const again = machine.lookAt(ROOT);
  const { backups } = again.roles;
  expect(
    differences(
      { ...withLateSeed(first, second), roles: { ...first.roles, generations: '1 2', backups }, times: true },
      again,
    ),
  ).toEqual([]);
  await machine.insistAt(ROOT, 'rollback', '0');
  const left = machine.lookAt(ROOT);
  expect(compareSnapshots(own.etc, withoutSeeds(left), { times: true })).toEqual([]);
  expect(left.litter).toEqual([]);
}

function withoutSeeds({ etc }: Look): Seen[] {
  return etc.filter(({ path }) => !path.startsWith('/seeded'));
}

/** A seed stays, whichever closure is live. */
function withLateSeed(first: Look, second: Look): Look {
  const seed = '/etc/seeded-late';
  const etc = second.etc.filter(({ path }) => `/etc${path}` === seed);
  return { ...first, etc: [...first.etc, ...etc], shown: { ...first.shown, [seed]: second.shown[seed] ?? '' } };
}

describe.each(Object.entries(filesystems))('on %s', (_, script) => {
  test.each([
    ['the whole tree', ''],
    ['/etc alone', '/etc'],
    ['the state alone', '/var/lib'],
  ])('as %s, all comes and goes as it should', async (_place, place) => {
    await withFilesystem(script, place, async () => {
      writeMachineEtc(machine.through(`${ROOT}/etc`));
      await tellStory(machine.lookAt(ROOT), SECOND);
    });
  });
});

describe.each([
  ['the whole tree', '', '/etc'],
  ['/etc alone', '/etc', ''],
])('on overlayfs as %s', (_, place, etc) => {
  async function withOverlay(options: string, task: () => Promise<void>): Promise<void> {
    for (const name of ['lower', 'upper', 'work']) {
      removeTree(machine.on(`/var/images/${name}`));
      mkdirSync(machine.on(`/var/images/${name}`));
    }
    writeMachineEtc(machine.on(`/var/images/lower${etc}`));
    const layers = 'lowerdir=/var/images/lower,upperdir=/var/images/upper,workdir=/var/images/work';
    await withFilesystem(`mount -t overlay none -o ${layers},${options} $place`, place, task);
  }

  test('all comes and goes as it should where directories of the lower layer can be renamed', async () => {
    await withOverlay('redirect_dir=on', async () => tellStory(machine.lookAt(ROOT), SECOND));
  });

  test('all comes and goes as it should where no directory of the lower layer is taken over', async () => {
    await machine.shell(`rm -rf ${GENTLE}; cp -a ${SECOND} ${GENTLE}; rm ${GENTLE}/etc/taken.d ${GENTLE}/etc/turned.d`);
    await withOverlay('redirect_dir=off', async () => tellStory(machine.lookAt(ROOT), GENTLE));
  });

  test('a directory of the lower layer that cannot be renamed is named, and everything undone', async () => {
    await withOverlay('redirect_dir=off', async () => {
      const own = machine.lookAt(ROOT);
      for (const from of ['nothing', FIRST]) {
        if (from !== 'nothing') await machine.insistAt(ROOT, 'switch', from, ...BACKUP);
        const before = machine.lookAt(ROOT);
        const { status, stdout, stderr } = await machine.activateAt(ROOT, 'switch', SECOND, ...BACKUP);
        expect({ status, stdout, wrong: differences({ ...before, times: true }, machine.lookAt(ROOT)) }).toEqual({
          status: 4,
          stdout: '',
          wrong: [],
        });
        expect(stderr).toContain('/etc/taken.d: ');
        expect(stderr).toContain('everything was undone');
        expect(stderr).toContain('overlay');
      }
      await machine.insistAt(ROOT, 'rollback', '0');
      expect(compareSnapshots(own.etc, withoutSeeds(machine.lookAt(ROOT)), { times: true })).toEqual([]);
    });
  });
});
