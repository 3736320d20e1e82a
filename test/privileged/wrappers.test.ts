import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { openMachine, type TestMachine, withMachine } from '../support/machine';

const SWITCHES = Number(process.env['SWITCHES'] ?? 100);
const KILLS = Number(process.env['KILLS'] ?? 20);
const READERS = 2;
const BIN = '/run/wrappers/bin';

/** Two closures whose wrappers differ in content alone: both have what readers look for. */
const BOTH = `
for which in a b; do
  mkdir -p /var/$which/etc /var/$which/bin
  echo $which >/var/$which/etc/version
  for name in id held; do cp /usr/bin/id /var/$which/bin/$name; echo $which >>/var/$which/bin/$name; done
  cat >/var/$which/activation.toml <<END
schema = 1
[[wrapper]]
name = "id"
source = "bin/id"
[[wrapper]]
name = "held"
source = "bin/held"
capabilities = "cap_net_raw+ep"
END
done
`;

interface Reading {
  readonly looks: number;
  readonly runs: number;
  readonly failures: readonly string[];
}

async function startReader(machine: TestMachine): Promise<Reading> {
  const reader = join(import.meta.dir, '../support/wrapper-reader.pl');
  const command = ['perl', reader, '/run/enough', `${BIN}/id`, `${BIN}/held`];
  const { status, stdout, stderr } = await machine.run(command, { user: 'nobody' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Reading;
}

const LIST = `find -L ${BIN} -type f -printf '%f %m %U:%G\\n' | sort; getcap ${BIN}/*`;

describe('wrappers', () => {
  test('are never missing, nor of another mode, owner or capability, however often the link moves', async () => {
    await withMachine({}, async (machine) => {
      await machine.shell(BOTH);
      await machine.activate('switch', '/var/a');
      const readers = Array.from({ length: READERS }, () => startReader(machine));
      for (let count = 0; count < SWITCHES; count += 1)
        await machine.activate('switch', count === 0 ? '/var/b' : String(1 + (count % 2 === 0 ? 1 : 0)));
      await machine.shell('touch /run/enough');
      const readings = await Promise.all(readers);
      expect(readings.flatMap(({ failures }) => failures)).toEqual([]);
      const looks = readings.reduce((sum, reading) => sum + reading.looks, 0);
      const runs = readings.reduce((sum, reading) => sum + reading.runs, 0);
      console.log(`${looks} looks and ${runs} runs by ${READERS} readers during ${SWITCHES} switches`);
      expect(Math.min(looks, runs)).toBeGreaterThan(0);
      const left = (await machine.shell('ls /run/wrappers; findmnt -no TARGET | grep -c wrappers')).split('\n');
      expect(left).toHaveLength(5);
      await machine.activate('gc', '--keep', '5');
      expect((await machine.shell('ls /run/wrappers')).trim().split('\n')).toHaveLength(2);
    });
  }, 300_000);

  test('are all old or all new after a kill, and a resume', async () => {
    await withMachine({}, async (machine) => {
      await machine.shell(BOTH);
      await machine.activate('switch', '/var/a');
      await machine.activate('switch', '/var/b');
      const wanted = await machine.shell(LIST);
      const digests: Record<string, string> = {};
      for (const which of ['a', 'b']) digests[which] = await machine.shell(`cat /var/${which}/bin/* | sha256sum`);
      const begun = performance.now();
      await machine.activate('switch', '1');
      const tookMs = performance.now() - begun;
      const ends: Record<string, number> = {};
      for (let count = 0; count < KILLS; count += 1) {
        const live = JSON.parse(await machine.activate('status', '--json')) as { live: number };
        const running = machine.start(['activate', 'switch', String(3 - live.live)]);
        await Bun.sleep(((count + 0.5) / KILLS) * tookMs);
        running.kill('SIGKILL');
        await running.finished;
        const { state } = JSON.parse(await machine.activate('resume', '--json', '--wait', '60')) as { state: string };
        ends[state] = (ends[state] ?? 0) + 1;
        const { live: now } = JSON.parse(await machine.activate('status', '--json')) as { live: number };
        expect(await machine.shell(LIST)).toBe(wanted);
        expect(await machine.shell(`cat ${BIN}/* | sha256sum`)).toBe(digests[now === 1 ? 'a' : 'b'] ?? '');
        expect((await machine.attempt(['verify'])).stdout).toContain('as recorded.');
        const names = (await machine.shell('ls -A /run/wrappers')).trim().split('\n');
        expect(names.filter((name) => !/^(?:bin|gen-\d+(?:\.\w+)?)$/u.test(name))).toEqual([]);
        expect(names.length).toBeLessThanOrEqual(3);
      }
      console.log(`killed: ${JSON.stringify(ends)}`);
      await machine.activate('rollback', '0');
      expect(await machine.shell('ls /run; findmnt -no TARGET | grep wrappers || true')).not.toContain('wrappers');
    });
  }, 300_000);

  test('can be fifty, and give their rights', async () => {
    await withMachine({}, async (machine) => {
      await machine.shell('mkdir -p /var/c/etc; echo schema = 1 >/var/c/activation.toml');
      await machine.shell(
        `for n in $(seq 50); do printf '[[wrapper]]\\nname = "id%d"\\nsource = "/usr/bin/id"\\n' $n; done >>/var/c/activation.toml`,
      );
      await machine.activate('switch', '/var/c');
      const outcome = await machine.run([`${BIN}/id50`], { user: 'nobody' });
      expect(outcome.stdout).toContain('euid=0(root)');
      expect(await machine.shell(`ls ${BIN} | wc -l; find -L ${BIN} -perm 4755 | wc -l`)).toBe('50\n50\n');
    });
  }, 60_000);

  test('that are in use do not keep everything from being given back', async () => {
    await withMachine({}, async (machine) => {
      await machine.shell(`mkdir -p /var/c/etc; cat >/var/c/activation.toml <<'END'
schema = 1
[[wrapper]]
name = "sleep"
source = "/usr/bin/sleep"
END`);
      await machine.activate('switch', '/var/c');
      const running = machine.start([`${BIN}/sleep`, '60'], { workingDirectory: '/run/wrappers' });
      await Bun.sleep(100);
      await machine.activate('rollback', '0');
      expect(await machine.shell('ls /run')).not.toContain('wrappers');
      running.kill('SIGKILL');
      await running.finished;
    });
  }, 60_000);
});

describe('wrappers of images and bundles', () => {
  const IMAGE = `
mkdir -p /var/image/etc /var/image/bin
cp /usr/bin/id /var/image/bin/id
ln -s id /var/image/bin/held
cat >/var/image/activation.toml <<'END'
schema = 1
[[wrapper]]
name = "id"
source = "bin/id"
[[wrapper]]
name = "held"
source = "bin/held"
capabilities = "cap_net_raw+ep"
END
`;
  const wanted = 'held 755 0:0\nid 4755 0:0\n/run/wrappers/bin/held cap_net_raw=ep\n';

  test.each<[string, string, readonly string[]]>([
    ['a squashfs image', 'mksquashfs /var/image /var/it -quiet -no-progress >/dev/null', []],
    ['an erofs image', 'mkfs.erofs /var/it /var/image >/dev/null 2>&1', []],
    ['an image in memory', 'mksquashfs /var/image /var/it -quiet -no-progress >/dev/null', ['--resident']],
    ['a bundle', 'activate generate /var/image --output /var/it >/dev/null', []],
    ['a bundle with a squashfs image', 'activate generate /var/image --image squashfs --output /var/it >/dev/null', []],
    ['a bundle with an erofs image', 'activate generate /var/image --image erofs --output /var/it >/dev/null', []],
    ['a bundle in memory', 'activate generate /var/image --output /var/it >/dev/null', ['--resident']],
  ])(
    '%s: are made, given up, and come back',
    async (_, make, flags) => {
      await withMachine({}, async (machine) => {
        await machine.shell(`${IMAGE}${make}; mkdir -p /var/plain/etc`);
        expect(await machine.activate('diff', '--name-status', '/var/it')).toContain(`A\t${BIN}/held\nA\t${BIN}/id\n`);
        await machine.activate('switch', '/var/it', ...flags);
        expect(await machine.shell(LIST)).toBe(wanted);
        expect(JSON.parse(await machine.activate('verify', '--json'))).toMatchObject({ wrong: [] });
        await machine.activate('switch', '/var/plain');
        expect(await machine.shell('ls /run')).not.toContain('wrappers');
        expect(await machine.activate('diff', '--name-status', '1')).toContain(`A\t${BIN}/held\nA\t${BIN}/id\n`);
        await machine.activate('rollback');
        expect(await machine.shell(LIST)).toBe(wanted);
        expect(await machine.activate('switch', '/var/it', ...flags)).toContain('nothing to do');
      });
    },
    60_000,
  );

  test('an image of a closure in a store has its programs in it, a bundle that leads to the store has not', async () => {
    await withMachine({}, async (machine) => {
      await machine.shell(`mkdir -p /nix/store/0-x/etc /nix/store/0-y/bin; ln -s /nix/store/0-y /nix/store/0-x/sw
cp /usr/bin/id /nix/store/0-y/bin/id; ln -s /nix/store/0-y/bin/id /nix/store/0-x/etc/id
printf 'schema = 1\n[[wrapper]]\nname = "id"\nsource = "sw/bin/id"\n' >/nix/store/0-x/activation.toml`);
      await machine.activate('generate', '/nix/store/0-x', '--output', '/var/link');
      expect(await machine.shell('head -1 /var/link/manifest.json')).toContain('"source":"/nix/store/0-y/bin/id"');
      await machine.activate('generate', '/nix/store/0-x', '--image', 'squashfs', '--output', '/var/it');
      expect(await machine.shell('head -1 /var/it/manifest.json')).toContain('"source":".activate/wrappers/id"');
      await machine.activate('switch', '/var/link');
      expect(await machine.shell(LIST)).toStartWith('id 4755 0:0\n');
      await machine.activate('rollback', '0');
      await machine.shell('rm -r /nix/store/0-y');
      await machine.activate('switch', '/var/it');
      expect(await machine.shell(LIST)).toStartWith('id 4755 0:0\n');
    });
  }, 60_000);

  test('a bundle whose program is another is refused', async () => {
    await withMachine({}, async (machine) => {
      await machine.shell(
        `${IMAGE}activate generate /var/image --output /var/it; echo x >>/var/it/overlay/.activate/wrappers/id`,
      );
      const { status, stderr } = await machine.attempt(['switch', '/var/it']);
      expect([status, stderr]).toEqual([65, expect.stringContaining('the bundle is damaged') as unknown as string]);
    });
  });
});

describe('wrappers that cannot be made', () => {
  let machine: TestMachine;
  beforeAll(async () => {
    machine = await openMachine();
    await machine.shell('mkdir -p /var/c/etc /var/plain/etc /usr/nowhere 2>/dev/null || true; echo x >/var/c/etc/x');
    await machine.activate('switch', '/var/plain');
  });
  afterAll(async () => machine.close());

  async function refuse(wrapper: string, args: readonly string[] = []): Promise<[number, string]> {
    await machine.shell(`cat >/var/c/activation.toml <<'END'\nschema = 1\n[[wrapper]]\nname = "x"\n${wrapper}\nEND`);
    const look = 'find /etc /run /var/lib/activate | sort; cat /proc/mounts';
    const before = await machine.shell(look);
    const { status, stderr } = await machine.attempt(['switch', '/var/c', ...args]);
    expect(await machine.shell(look)).toBe(before);
    return [status, stderr];
  }

  test.each<[string, string, number, string]>([
    ['a source that is missing', 'source = "/nowhere/x"', 65, '/nowhere/x: the source of the wrapper x is not there'],
    ['one of the closure that is missing', 'source = "bin/x"', 65, 'bin/x: the source of the wrapper x is not there'],
    ['a source that is a directory', 'source = "/usr"', 65, '/usr: a wrapper is made from a regular file, and this is'],
    [
      'an unknown capability',
      'source = "/usr/bin/id"\ncapabilities = "cap_x+ep"',
      65,
      'there is no capability "cap_x"',
    ],
    ['an unknown user', 'source = "/usr/bin/id"\nowner = "who"', 65, 'there is no user or group "who"'],
  ])('%s: nothing is written', async (_, wrapper, status, message) => {
    const [ended, said] = await refuse(wrapper);
    expect([ended, said]).toEqual([status, expect.stringContaining(message) as unknown as string]);
  });

  test.each<[string, string, string]>([
    [
      'somebody else’s wrappers',
      'mkdir /run/wrappers; ln -s /run/wrappers/x /run/wrappers/bin',
      "/run/wrappers/bin: it is or lies in a directory of somebody else's wrappers",
    ],
    [
      'a mount with nosuid',
      'mkdir /run/wrappers; mount -t tmpfs -o nosuid x /run/wrappers',
      '/run/wrappers: it is or lies in a mount with nosuid',
    ],
    ['a file', 'touch /run/wrappers', "/run/wrappers: it is or lies in a directory of somebody else's wrappers"],
    ['a directory that others may write', 'mkdir -m 1777 /run/wrappers', '/run/wrappers: it is or lies in a directory'],
  ])('%s in their place: refused, nothing is written', async (_, prepare, message) => {
    await machine.shell(prepare);
    try {
      const [status, said] = await refuse('source = "/usr/bin/id"');
      expect([status, said]).toEqual([3, expect.stringContaining(message) as unknown as string]);
      expect(said).toContain('Wrappers need /run/wrappers for themselves');
    } finally {
      await machine.shell('umount /run/wrappers 2>/dev/null || true; rm -rf /run/wrappers');
    }
  });

  test('without setcap: refused, nothing is written', async () => {
    await machine.shell(`mkdir -p /var/path; for program in systemd-tmpfiles mount umount cp; do
      ln -sf $(command -v $program) /var/path/; done`);
    await machine.shell(`cat >/var/c/activation.toml <<'END'
schema = 1
[[wrapper]]
name = "x"
source = "/usr/bin/id"
capabilities = "cap_net_raw+ep"
END`);
    const activate = (await machine.shell('command -v activate')).trim();
    const { status, stderr } = await machine.run(['env', 'PATH=/var/path', activate, 'switch', '/var/c']);
    expect([status, stderr]).toEqual([
      3,
      'activate: setcap is not installed\nInstall the Debian package libcap2-bin.\n',
    ]);
  });

  test('what a generation’s are made from is gone: refused, and what is live stays', async () => {
    await machine.shell('cp /usr/bin/id /var/c/bin-id; mkdir -p /nix/store/0-x/etc /nix/store/0-x/bin');
    await machine.shell(`ln -s /nix/store/0-x/bin/id /nix/store/0-x/etc/id; cp /usr/bin/id /nix/store/0-x/bin/id
      printf 'schema = 1\\n[[wrapper]]\\nname = "id"\\nsource = "bin/id"\\n' >/nix/store/0-x/activation.toml`);
    await machine.activate('switch', '/nix/store/0-x');
    expect(await machine.shell(`cat /var/lib/activate/live/manifest.json | head -1`)).toContain(
      '"source":"/nix/store/0-x/bin/id"',
    );
    await machine.activate('switch', '1');
    await machine.shell('echo other >>/nix/store/0-x/bin/id');
    const { status, stderr } = await machine.attempt(['switch', '2']);
    expect([status, stderr]).toEqual([3, expect.stringContaining('is not what was recorded') as unknown as string]);
    await machine.shell('rm /nix/store/0-x/bin/id');
    expect((await machine.attempt(['switch', '2'])).stderr).toContain('is gone');
    expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({ live: 1, drifted: [] });
  });
});
