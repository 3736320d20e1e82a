import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeClosure } from '../support/closures';
import { type TestMachine, withMachine } from '../support/machine';

const script = resolve(import.meta.dir, '../../src/hooks/boot.sh');

interface Boot {
  readonly status: number;
  readonly stderr: string;
  readonly record: Readonly<Record<string, unknown>> | undefined;
}

/** What the script that runs before PID 1 does on a machine whose root is in its place. */
async function boot(machine: TestMachine, cmdline = ''): Promise<Boot> {
  const { status, stdout, stderr } = await machine.run([
    'bash',
    '-c',
    `mount --bind /dev/null /dev/kmsg
     for each in /run/activate/gen/* /run/wrappers; do umount -l "$each" 2>/dev/null; done
     find /run -xdev -mindepth 1 -delete
     printf '%s\\n' '${cmdline}' >/run/cmdline
     mount --bind /run/cmdline /proc/cmdline
     HOOK=init dash ${script}  >&2
     status=$?
     umount /proc/cmdline
     cat /run/activate/boot.json 2>/dev/null
     exit $status`,
  ]);
  return { status, stderr, record: stdout === '' ? undefined : (JSON.parse(stdout) as Record<string, unknown>) };
}

/** Two generations that are told apart by /etc/which, and each of which has a path of its own. */
async function withTwo(task: (machine: TestMachine) => Promise<void>, flags: readonly string[] = []): Promise<void> {
  await withMachine({}, async (machine) => {
    for (const name of ['one', 'two']) {
      writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, name, {
        'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/copied"\nplace = "copy"\n',
        'etc/which': `${name}\n`,
        'etc/copied': `${name}\n`,
        [`etc/only-${name}`]: name,
        'etc/direct': { link: name },
      });
      await machine.activate('switch', `/closures/${name}`, ...flags);
    }
    await task(machine);
  });
}

async function shown(machine: TestMachine): Promise<string> {
  return machine.shell('cat /etc/which /etc/copied; readlink /etc/direct; ls /etc | grep only');
}

const ONE = 'one\none\none\nonly-one\n';
const TWO = 'two\ntwo\ntwo\nonly-two\n';

/** Boots with a terminal as the console, at which somebody types. */
async function bootAtConsole(machine: TestMachine, shell: string, typed: string): Promise<string> {
  const inside = `
    mount --bind /dev/null /dev/kmsg
    find /run -xdev -mindepth 1 -delete
    echo activate.interactive=1 activate.timeout=3 >/run/cmdline
    mount --bind /run/cmdline /proc/cmdline
    mount --bind "$(tty)" /dev/console
    HOOK=init ${shell} ${script} 2>/dev/null
    umount -l /dev/console /proc/cmdline || :`;
  await machine.shell(`mkdir -p /var/console; cat >/var/console/run <<'END'\n${inside}\nEND`);
  const typing = `(sleep 1; printf '${typed}'; sleep 4) | script -qec 'bash /var/console/run' /dev/null`;
  return machine.shell(`${typing} >/var/console/seen; cat /var/console/seen; cat /run/activate/boot.json`);
}

describe('a boot', () => {
  test('shows the default and changes nothing where it was live', async () => {
    await withTwo(async (machine) => {
      const { status, record } = await boot(machine, 'quiet');
      expect({ status, record }).toEqual({
        status: 0,
        record: { schema: 1, hook: 'init', wanted: 2, chosen: 2, why: 'the default', passed: [], brought: false },
      });
      expect(await shown(machine)).toBe(TWO);
      expect(await machine.activate('resume')).toContain('nothing to do');
      expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({ live: 2, default: 2, booted: 2 });
    });
  });

  test.each([
    [
      'a missing tree',
      'chattr -R -f -i /var/lib/activate/generations/2/tree || :; rm -r /var/lib/activate/generations/2/tree',
      'what it shows is not there',
    ],
    [
      'a missing generation',
      'chattr -R -f -i /var/lib/activate/generations/2 || :; rm -r /var/lib/activate/generations/2',
      'it is not there',
    ],
    [
      'a default that leads nowhere',
      'ln -sfn generations/99 /var/lib/activate/default; chattr -R -f -i /var/lib/activate/generations/2 || :; rm -r /var/lib/activate/generations/2',
      'it is not there',
    ],
    [
      'a boot list that is not whole',
      'truncate -s -3 /var/lib/activate/generations/2/boot/entries.sh',
      'its boot list is missing or damaged',
    ],
    ['no tries left', 'echo 0 >/var/lib/activate/generations/2/tries', 'it has no tries left'],
    [
      'a newer record',
      "sed -i 's/^g 1/g 2/' /var/lib/activate/generations/2/boot/entries.sh",
      'it was made by a newer activate',
    ],
  ])('with %s shows the generation before, links and all, and says so', async (_, damage, why) => {
    await withTwo(async (machine) => {
      await machine.shell(damage);
      const { status, record } = await boot(machine);
      expect(status).toBe(0);
      expect(record).toMatchObject({ chosen: 1, why: 'what was wanted cannot be shown', brought: true });
      expect(record?.['passed']).toEqual([{ generation: record?.['wanted'], why }]);
      expect(await shown(machine)).toBe(ONE);
      await machine.attempt(['resume']);
      expect(await shown(machine)).toBe(ONE);
      expect(await machine.shell('find /etc -name ".activate.*"')).toBe('');
      expect((await machine.attempt(['verify'])).status).toBe(0);
      expect(await machine.activate('status')).toContain(why);
    });
  });

  test.each([
    ['damaged', 'printf x | dd of="$image" bs=1 seek=3000 conv=notrunc status=none', 'its image is damaged'],
    ['truncated', 'truncate -s 2048 "$image"', 'its image is damaged'],
    ['missing', 'rm "$image"', 'its image is not there'],
  ])('with an image that is %s shows the generation before', async (_, damage, why) => {
    await withMachine({}, async (machine) => {
      for (const name of ['one', 'two']) {
        writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, name, {
          'etc/which': name,
          [`etc/only-${name}`]: 'x',
        });
        await machine.activate('generate', `/closures/${name}`, '--output', `/var/${name}`, '--image', 'squashfs');
        await machine.activate('switch', `/var/${name}`);
      }
      expect((await boot(machine)).record).toMatchObject({ chosen: 2, brought: false });
      expect(await machine.shell('cat /etc/which; ls /etc | grep only')).toBe('twoonly-two\n');
      await machine.shell(
        `image=/var/lib/activate/generations/2/image.squashfs; umount /run/activate/gen/2; chattr -i "$image"; ${damage}`,
      );
      const { record } = await boot(machine);
      expect(record).toMatchObject({ wanted: 2, chosen: 1, passed: [{ generation: 2, why }] });
      expect(await machine.shell('cat /etc/which; ls /etc | grep only')).toBe('oneonly-one\n');
    });
  });

  test.each(['tree', 'squashfs'])('makes the copy in memory of a %s again', async (kind) => {
    await withMachine({}, async (machine) => {
      const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
      writeClosure(sandbox, 'one', { 'etc/which': 'one', 'etc/dir/file': { file: 'x', mode: 0o600 } });
      const image = kind === 'tree' ? [] : ['--image', kind];
      await machine.activate('generate', '/closures/one', '--output', '/var/one', ...image);
      await machine.activate('switch', '/var/one', '--resident');
      const before = await machine.visible();
      expect((await boot(machine)).record).toMatchObject({ chosen: 1, passed: [] });
      expect(await machine.visible()).toEqual(before);
      expect(await machine.shell('findmnt -no FSTYPE,OPTIONS /run/activate/gen/1')).toMatch(/^tmpfs +ro,/u);
      expect(await machine.activate('switch', '1')).toContain('nothing to do');
    });
  });

  test('has what wrappers need in the system that is about to start', async () => {
    await withMachine({}, async (machine) => {
      writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, 'one', {
        'activation.toml': 'schema = 1\n[[wrapper]]\nname = "who"\nsource = "/usr/bin/id"\nmode = "4755"\n',
        'etc/which': 'one',
      });
      await machine.activate('switch', '/closures/one');
      expect((await boot(machine)).status).toBe(0);
      expect(
        await machine.shell('cd /run/systemd/system; find . -type f -o -type l | sort; readlink /run/tmpfiles.d/*'),
      ).toBe(
        './local-fs.target.wants/run-wrappers.mount\n./run-wrappers.mount\n' +
          './systemd-tmpfiles-setup.service.requires/run-wrappers.mount\n' +
          '/var/lib/activate/generations/1/tmpfiles.d/activate.conf\n',
      );
    });
  });

  test('shows what the kernel command line asks for', async () => {
    await withTwo(async (machine) => {
      expect((await boot(machine, 'activate.generation=1')).record).toMatchObject({
        wanted: 1,
        chosen: 1,
        brought: true,
      });
      expect(await shown(machine)).toBe(ONE);
      expect((await boot(machine, 'activate.generation=previous')).record).toMatchObject({
        wanted: 1,
        chosen: 1,
        brought: false,
      });
      expect((await boot(machine, 'activate.generation=77')).record).toMatchObject({ wanted: 77, chosen: 2 });
      expect(await shown(machine)).toBe(TWO);
      expect((await boot(machine, 'activate.generation=../../etc')).record).toMatchObject({ wanted: 2, chosen: 2 });
      const off = await boot(machine, 'activate.mode=off');
      expect({ ...off, stderr: off.stderr.includes('off, as the kernel command line says') }).toEqual({
        status: 0,
        stderr: true,
        record: undefined,
      });
    });
  });

  // The last one as the init wrapper does it, whose number is not that of the shell which reads the script.
  test.each(['dash', 'busybox sh', `dash -c '(. "$0")'`])(
    'asks at the console where that is wanted, and goes on without an answer (%s)',
    async (shell) => {
      await withTwo(async (machine) => {
        const asked = await bootAtConsole(machine, shell, '1\\n');
        expect(asked).toContain('the generations, the newest last:');
        expect(asked).toContain('"wanted":1,"chosen":1,"why":"chosen on the console"');
        expect(await shown(machine)).toBe(ONE);
        expect(await bootAtConsole(machine, shell, '')).toContain('"wanted":2,"chosen":2,"why":"the default"');
        expect(await bootAtConsole(machine, shell, 'x\\n')).toContain('"wanted":2,"chosen":2,"why":"the default"');
      });
    },
  );

  test('holds what is shown against the manifest where that is asked for', async () => {
    await withTwo(async (machine) => {
      expect((await boot(machine, 'activate.verify=1')).record).toMatchObject({ chosen: 2, passed: [] });
      await machine.shell('f=/var/lib/activate/generations/2/tree/etc/which; chattr -i $f; echo too >$f');
      expect((await boot(machine)).record).toMatchObject({ chosen: 2 });
      const { record } = await boot(machine, 'activate.verify=1');
      expect(record).toMatchObject({
        chosen: 1,
        passed: [{ generation: 2, why: 'what it shows is not what was recorded' }],
      });
    });
  });

  test('counts tries down, and a generation without any is shown where it is asked for', async () => {
    await withTwo(async (machine) => {
      await machine.activate('switch', '2', '--trial', '2');
      expect((await boot(machine)).record).toMatchObject({ chosen: 2, trial: 1 });
      expect((await boot(machine)).record).toMatchObject({ chosen: 2, trial: 0 });
      expect((await boot(machine)).record).toMatchObject({ chosen: 1 });
      expect((await boot(machine, 'activate.generation=2')).record).toMatchObject({ chosen: 2 });
      expect(await shown(machine)).toBe(TWO);
    });
  });

  test('makes what is missing in /etc', async () => {
    await withTwo(async (machine) => {
      const before = await machine.visible();
      await machine.shell('rm -r /etc/which /etc/copied');
      expect((await boot(machine)).status).toBe(0);
      expect(await machine.visible()).toEqual(before);
      await machine.shell('find /etc -mindepth 1 -delete');
      expect((await boot(machine)).status).toBe(0);
      expect(await shown(machine)).toBe(TWO);
      await machine.shell('rm /etc/copied /etc/which');
      await machine.activate('switch', '2', '--on-drift', 'keep');
      await machine.shell('rm /etc/only-two');
      expect((await boot(machine)).status).toBe(0);
      expect(await machine.shell('ls /etc | grep -e copied -e which -e only')).toBe('only-two\n');
    });
  });

  test("brings what is in a directory that is somebody else's, and follows no link there", async () => {
    await withMachine({}, async (machine) => {
      const seen: string[] = [];
      const look = async (): Promise<string> =>
        machine.shell('cd /etc/theirs; find . -printf "%p %y %m %U:%G %l\\n" | sort; cat conf; cat /etc/hosts');
      for (const name of ['one', 'two']) {
        writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, name, {
          'etc/theirs': { directory: 0o750, uid: 1234 },
          'etc/theirs/conf': { file: `${name}\n`, mode: 0o640, uid: 1234, gid: 1235 },
          'etc/theirs/same': { file: 'same\n', mode: 0o600, uid: 1234 },
          [`etc/theirs/${name}`]: { directory: 0o711, uid: 1234 },
          [`etc/theirs/${name}/inside`]: { file: name, mode: 0o444, gid: 1235 },
          'etc/theirs/link': { link: name },
        });
        await machine.activate('switch', `/closures/${name}`);
        seen.push(await look());
      }
      await machine.shell('ln -s /etc/hosts /etc/theirs/.activate.boot.new');
      for (const [cmdline, wanted] of [
        ['activate.generation=1', seen[0]],
        ['', seen[1]],
      ] as const) {
        expect((await boot(machine, cmdline)).status).toBe(0);
        // What was put aside is `resume`'s.
        const lines = (await look()).split('\n').filter((line) => !line.includes('.activate.boot.'));
        expect(lines).toEqual(expect.arrayContaining((wanted ?? '').split('\n')));
        await machine.activate('resume');
        expect(await look()).toBe(wanted ?? '');
      }
      expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({ live: 2, drifted: [] });
    });
  });

  test('never goes on onto links that lead nowhere', async () => {
    await withTwo(async (machine) => {
      await machine.shell('chattr -R -f -i /var/lib/activate || :; rm -r /var/lib/activate/generations/*/tree');
      const { status, stderr, record } = await boot(machine);
      expect({ status, record }).toEqual({ status: 1, record: undefined });
      expect(stderr).toContain('no generation can be shown');
      await machine.shell('rm -r /var/lib/activate/*');
      const lost = await boot(machine);
      expect({ status: lost.status, said: lost.stderr.includes('there is no record of any generation') }).toEqual({
        status: 1,
        said: true,
      });
      await machine.shell('find /etc -type l -lname "/run/filesystem-overlay/*" -delete');
      expect(await boot(machine)).toEqual({ status: 0, stderr: '', record: undefined });
    });
  });

  test('gives back what `test` showed on a machine where nothing is the default', async () => {
    await withMachine({}, async (machine) => {
      const before = machine.etc();
      writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, 'one', {
        'etc/which': 'one',
        'etc/hosts': 'mine',
      });
      await machine.activate('test', '/closures/one', '--on-conflict', 'backup');
      expect((await boot(machine)).record).toMatchObject({ wanted: 0, chosen: 0, brought: true });
      expect(readFileSync(machine.on('/etc/hosts'), 'utf8')).toBe('127.0.0.1 localhost\n');
      await machine.activate('resume');
      expect(machine.etc()).toEqual(before);
      expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({ live: 0, default: 0 });
    });
  });
});
