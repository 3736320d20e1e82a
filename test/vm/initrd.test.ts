import { afterAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { alterDisk } from '../support/vm/damage';
import { bootWith, installOf } from '../support/vm/hooks';
import { type MachineFiles, machineFiles } from '../support/vm/image';
import { plainInitrd } from '../support/vm/initrds';
import { boot, type Booted, type BootOptions, type Disk, FEW_SERVICES, forkDisk } from '../support/vm/qemu';
import { bootRecordIn, KEEP_BOOT_RECORD, noteRoles, roles, rolesIn } from '../support/vm/roles';
import { insist } from '../support/vm/running';

// A machine with /var, and so the generations, on a filesystem of its own whose module its initrd lacks: XFS, mounted by the
// initrd as its fstab says. The closure has the module taken along, and an action before anything is mounted.

const LIMIT_MS = 3_600_000;
const scratch = makeTemporaryDirectory();
afterAll(() => removeTree(scratch));

interface Managed {
  readonly machine: MachineFiles;
  readonly root: Disk;
  readonly state: Disk;
  /** The add-on of the generation, with the module. */
  readonly addOn: string;
  readonly first: Booted;
}

let managing: Promise<Managed> | undefined;
const managed = async (): Promise<Managed> => (managing ??= manage());

/** The action succeeds where the machine has a third disk. */
const POLICY = 'schema = 1\n[initrd]\nmodules = ["xfs"]\nbefore-mount = [["sh", "-c", "test -b /dev/nvme0n5"]]\n';

async function manage(): Promise<Managed> {
  const machine = await machineFiles('bookworm');
  const state: Disk = { file: join(scratch, 'state.raw'), format: 'raw' };
  await insist(['truncate', '--size=400M', state.file]);
  await insist(['mkfs.xfs', '-q', state.file]);
  const move = `
    mkdir ../state && mount -o loop '${state.file}' ../state && cp -a var/. ../state/ && find var -mindepth 1 -delete
    echo '/dev/nvme0n4 /var xfs defaults,x-initrd.mount 0 0' >>etc/fstab
    umount ../state
  `;
  const root = await alterDisk({ file: machine.disk, format: 'raw' }, move, scratch);
  const closure = join(scratch, 'closure');
  await insist(['sh', '-euc', `mkdir '${closure}' && cp -a etc '${closure}/etc'`], { cwd: machine.root });
  await insist(['sh', '-euc', `echo '/dev/nvme0n4 /var xfs defaults,x-initrd.mount 0 0' >>'${closure}/etc/fstab'`]);
  writeFileSync(join(closure, 'activation.toml'), POLICY);
  const run = [
    'set -e',
    installOf.addon,
    'activate switch "$PWD/closure"',
    'base64 /var/lib/activate/generations/1/boot/addon.cpio >"$RESULTS/addon"',
  ];
  const first = await boot(machine, root, {
    writes: 'keep',
    append: FEW_SERVICES,
    disks: [state],
    payload: { closure },
    run: run.join('\n'),
  });
  expect({ ended: first.ended, status: first.status, stderr: first.results['stderr'] }).toEqual({
    ended: 'run',
    status: 0,
    stderr: expect.any(String),
  });
  const addOn = join(scratch, 'addon.cpio');
  writeFileSync(addOn, Buffer.from(first.results['addon'] ?? '', 'base64'));
  return { machine, root, state, addOn, first };
}

const LOOK = [
  KEEP_BOOT_RECORD,
  noteRoles('roles'),
  'findmnt --noheadings --output SOURCE,FSTYPE /var >"$RESULTS/var"',
  'find -L /etc -type l',
].join('\n');
const EMERGENCY = 'findmnt --noheadings /sysroot >"$RESULTS/root"; cat /proc/modules >"$RESULTS/modules"; true';

/** Boots it with disks of its own, so that boots do not see each other. */
async function bootIt(
  options: BootOptions,
  also: 'with the third disk' | 'without it' = 'with the third disk',
): Promise<Booted> {
  const { machine, root, state } = await managed();
  const third: Disk = { file: join(scratch, `${crypto.randomUUID()}.raw`), format: 'raw' };
  await insist(['truncate', '--size=1M', third.file]);
  const disks = [await forkDisk(state, scratch), ...(also === 'without it' ? [] : [third])];
  return boot(machine, root, { disks, append: `ro ${FEW_SERVICES}`, run: LOOK, emergency: EMERGENCY, ...options });
}

function expectManaged(booted: Booted): void {
  expect({ ended: booted.ended, console: booted.ended === 'run' ? '' : booted.console }).toEqual({
    ended: 'run',
    console: '',
  });
  expect(bootRecordIn(booted)).toMatchObject({ hook: 'initrd', wanted: 1, chosen: 1, passed: [] });
  expect(rolesIn(booted, 'roles')).toEqual(roles(1, 1, 1));
  expect(booted.results['var']?.split(/\s+/u)).toEqual(['/dev/nvme0n4', 'xfs', '']);
  expect(booted.results['stdout']).toBe('');
}

describe('/var on a filesystem of its own', () => {
  test.concurrent(
    'is mounted with a module that the add-on brings, after the action before the mount',
    async () => {
      const { machine, addOn } = await managed();
      expectManaged(await bootIt({ initrds: [await plainInitrd(machine), addOn] }));
    },
    LIMIT_MS,
  );

  test.concurrent(
    'cannot be mounted without that module, and the boot ends in a shell',
    async () => {
      const { machine } = await managed();
      const booted = await bootIt(await bootWith(machine, 'addon'));
      expect(booted.ended).toBe('emergency');
      expect(booted.results['modules']).not.toContain('xfs');
    },
    LIMIT_MS,
  );

  test.concurrent(
    'is not mounted where the action before the mount fails, and the boot ends in a shell',
    async () => {
      const { machine, addOn } = await managed();
      const booted = await bootIt({ initrds: [await plainInitrd(machine), addOn] }, 'without it');
      expect(booted.ended).toBe('emergency');
      expect(booted.results['root']).toBe('');
      expect(booted.results['failed-units']).toContain('activate-before-mount.service');
    },
    LIMIT_MS,
  );

  test.concurrent.each(['dracut', 'initramfs-tools'] as const)(
    'is mounted by an initrd that %s made',
    async (hook) => {
      const { machine } = await managed();
      expectManaged(await bootIt(await bootWith(machine, hook)));
    },
    LIMIT_MS,
  );
});
