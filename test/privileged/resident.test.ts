import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { writeContents } from '../support/closures';
import { imageOn, kinds, mountedOn } from '../support/images';
import { openMachine, type TestMachine } from '../support/machine';

const STATE = '/var/lib/activate';
const LARGE_BYTES = 3_000_000;

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  mkdirSync(machine.on('/var/images'));
  for (const name of ['one', 'two'])
    writeContents(machine.on(`/var/images/${name}`), {
      'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/copied"\nplace = "copy"\n',
      'etc/shown': `${name}\n`,
      'etc/copied': { file: `${name}\n`, mode: 0o600 },
      'etc/large': name.repeat(LARGE_BYTES / 3),
      'etc/deep/er/file': `${name}\n`,
      'etc/direct': { link: 'shown' },
    });
});
afterEach(async () => machine.close());

interface Status {
  readonly mounts: Readonly<Record<number, { readonly mounted: boolean; readonly memoryBytes?: number }>>;
}

async function memoryOf(number: number): Promise<number | undefined> {
  const { mounts } = JSON.parse(await machine.activate('status', '--json')) as Status;
  return mounts[number]?.memoryBytes;
}

const carriers = [...kinds, 'tree'] as const;

function closureOf(carrier: (typeof carriers)[number], name: string): string {
  return carrier === 'tree' ? `/var/images/${name}` : imageOn(machine, carrier, `/var/images/${name}`);
}

describe.each([...carriers])('a copy in memory of a closure that is %s', (carrier) => {
  test('is read in full when the disk with the state and the closure is gone', async () => {
    const closure = closureOf(carrier, 'one');
    // A disk of its own, which holds the closure and the state.
    await machine.shell(`
      truncate -s 64M /tmp/disk-$$
      mkfs.ext4 -q /tmp/disk-$$
      mkdir -p /run/disk
      mount -o loop /tmp/disk-$$ /run/disk
      rm /tmp/disk-$$
      mkdir /run/disk/state /run/disk/images
      cp -a ${closure} /run/disk/images/closure
      mount --bind /run/disk/state ${STATE}
      mkdir /var/lib/images; mount --bind /run/disk/images /var/lib/images
    `);
    await machine.activate('switch', '/var/lib/images/closure', '--resident');
    const visible = await machine.visible();
    const large = await machine.shell('sha256sum /etc/large');
    await machine.shell(`
      umount --lazy ${STATE} /var/lib/images /run/disk
      echo 3 >/proc/sys/vm/drop_caches
    `);
    expect(await machine.shell(`ls -A ${STATE} /var/lib/images`)).toBe(`${STATE}:\n\n/var/lib/images:\n`);
    expect(await machine.visible()).toEqual(visible);
    expect(await machine.shell('sha256sum /etc/large; cat /etc/shown /etc/copied /etc/direct /etc/deep/er/file')).toBe(
      `${large}${'one\n'.repeat(4)}`,
    );
  });

  test('is read-only, in as much memory as status says, which a rollback gives back', async () => {
    const mounts = await mountedOn(machine);
    await machine.activate('switch', closureOf(carrier, 'one'), '--resident');
    const sizeBytes = (await memoryOf(1)) ?? 0;
    expect(sizeBytes).toBeGreaterThan(LARGE_BYTES);
    expect(sizeBytes).toBeLessThan(LARGE_BYTES * 1.1);
    expect(await machine.activate('status')).toMatch(/^overlay .* 2\.\d MiB of memory, mounted/mu);
    const options = await machine.shell('findmnt --noheadings --output FSTYPE,OPTIONS /run/activate/gen/1');
    expect(options).toMatch(/^tmpfs +ro,nosuid,nodev/u);
    for (const write of ['echo x >>/etc/shown', 'touch /run/activate/gen/1/x', 'rm /run/activate/gen/1/etc/shown']) {
      const { status, stderr } = await machine.run(['sh', '-c', write]);
      expect({ write, isFailed: status !== 0, stderr }).toEqual({
        write,
        isFailed: true,
        stderr: expect.stringContaining('Read-only file system') as string,
      });
    }
    await machine.activate('switch', closureOf(carrier, 'two'));
    expect(await memoryOf(1)).toBeUndefined();
    expect((await mountedOn(machine)).filter((mount) => mount.includes('tmpfs'))).toEqual(
      mounts.filter((mount) => mount.includes('tmpfs')),
    );
    await machine.activate('rollback');
    expect(await memoryOf(1)).toBe(sizeBytes);
    await machine.activate('rollback', '0');
    expect(await mountedOn(machine)).toEqual(mounts);
  });

  test('that does not fit into memory leaves everything as it was', async () => {
    await machine.activate('switch', closureOf(carrier, 'two'));
    const before = { etc: machine.etc(), mounts: await mountedOn(machine), visible: await machine.visible() };
    // What cp is told to write to ends early.
    const { status, stderr } = await machine.run([
      'prlimit',
      '--fsize=1000000',
      'activate',
      'switch',
      closureOf(carrier, 'one'),
      '--resident',
    ]);
    expect({ status, stderr }).toEqual({
      status: 4,
      stderr: expect.stringContaining('everything was undone') as string,
    });
    expect({ etc: machine.etc(), mounts: await mountedOn(machine), visible: await machine.visible() }).toEqual(before);
    expect(await machine.activate('verify')).toContain('as recorded');
  });
});
