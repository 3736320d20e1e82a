import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type TestMachine, withMachine, openMachine } from '../support/machine';

const RECORD = '/var/lib/activate/default';
const BIN = '/run/wrappers/bin';
const LIST = `find -L ${BIN} -type f -printf '%f %m %U:%G\\n' | sort; getcap ${BIN}/*; cat ${BIN}/* | sha256sum`;

/** A closure whose wrappers need everything: setuid, setgid, another owner, capabilities, one from its own tree. */
const CLOSURE = `
mkdir -p /var/c/etc "/var/c/my bin"
for name in "i d" group held; do cp /usr/bin/id "/var/c/my bin/$name"; done
cat >/var/c/activation.toml <<'END'
schema = 1
[[wrapper]]
name = "id"
source = "my bin/i d"
[[wrapper]]
name = "group"
source = "my bin/group"
mode = "2750"
owner = "daemon"
group = "shadow"
[[wrapper]]
name = "held"
source = "my bin/held"
capabilities = "cap_net_raw,cap_net_admin+ep"
END
`;

/** A bundle is made for any machine: names of users mean nothing there. */
const NUMBERS = `
sed -i 's/"daemon"/1/; s/"shadow"/42/' /var/c/activation.toml
`;

/** What the units and the snippet do at a boot, in the order that the units say; /run has nothing in it but the lock. */
const BOOT = `
cd RECORD
mkdir -p /run/wrappers
value() { sed -n "s/^$1=//p" systemd/run-wrappers.mount; }
mount -t "$(value Type)" -o "$(value Options)" "$(value What)" "$(value Where)"
systemd-tmpfiles --create "$PWD/tmpfiles.d/activate.conf"
sed -n 's/^ExecStart=//p' systemd/activate-wrappers.service | sh -e
`;

function bootFrom(record: string): string {
  return BOOT.replace('RECORD', record);
}

describe('the boot of wrappers, without activate', () => {
  let machine: TestMachine;
  let wanted = '';
  beforeAll(async () => {
    machine = await openMachine();
    await machine.shell(CLOSURE);
    await machine.activate('switch', '/var/c');
    wanted = await machine.shell(LIST);
  });
  afterAll(async () => machine.close());

  const loseRun = 'umount /run/wrappers; find /run -mindepth 1 -delete';

  test('makes the same as a switch, and they give their rights', async () => {
    await machine.shell(loseRun);
    await machine.shell(bootFrom(RECORD));
    expect(await machine.shell(LIST)).toBe(wanted);
    expect(wanted).toContain('id 4755 0:0');
    expect(wanted).toContain('group 2750 1:42');
    expect(wanted).toContain('held cap_net_admin,cap_net_raw=ep');
    const { stdout } = await machine.run([`${BIN}/id`], { user: 'nobody' });
    expect(stdout).toContain('euid=0(root)');
    expect(JSON.parse(await machine.activate('verify', '--json'))).toMatchObject({ wrong: [] });
    expect(await machine.activate('switch', '/var/c')).toContain('nothing to do');
  });

  test('changes nothing a second time', async () => {
    const look = `find /run/wrappers -printf '%p %i %m %U:%G %T@\\n' | sort; ${LIST}`;
    const before = await machine.shell(look);
    await machine.shell(`systemd-tmpfiles --create ${RECORD}/tmpfiles.d/activate.conf`);
    expect(await machine.shell(look)).toBe(before);
  });

  test('works from a bundle, which is then switched to', async () => {
    await machine.activate('rollback', '0');
    await machine.shell(NUMBERS);
    await machine.activate('generate', '/var/c', '--output', '/var/bundle');
    await machine.shell('find /run -mindepth 1 -delete');
    await machine.shell(bootFrom('/var/bundle'));
    expect(await machine.shell(LIST)).toBe(wanted);
    expect(await machine.shell('readlink /run/wrappers/bin')).toBe('gen-0\n');
    await machine.activate('switch', '/var/c');
    expect(await machine.shell(LIST)).toBe(wanted);
    await machine.activate('rollback', '0');
    expect(await machine.shell('ls /run')).not.toContain('wrappers');
  });

  test('has units that systemd takes', async () => {
    const { status, stdout, stderr } = await machine.run([
      'systemd-analyze',
      'verify',
      '--man=no',
      '--recursive-errors=no',
      `${RECORD.replace('default', 'generations/1')}/systemd/run-wrappers.mount`,
      `${RECORD.replace('default', 'generations/1')}/systemd/activate-wrappers.service`,
    ]);
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });
});

test('a bundle with wrappers needs no root to be made, and has no program with more rights in it', async () => {
  await withMachine({}, async (machine) => {
    await machine.shell(`${CLOSURE}${NUMBERS}mkdir -m 777 /var/out`);
    const made = await machine.run(['activate', 'generate', '/var/c', '--output', '/var/out/b'], { user: 'nobody' });
    expect(made).toMatchObject({ status: 0, stderr: '' });
    expect(await machine.shell('cd /var/out/b/overlay/.activate/wrappers; stat -c "%n %a %U" *')).toBe(
      'group 755 nobody\nheld 755 nobody\nid 755 nobody\n',
    );
    await machine.activate('generate', '/var/c', '--output', '/var/root');
    const text = 'cat manifest.json systemd/*; sed s,/var/out/b,/var/root, tmpfiles.d/activate.conf';
    expect(await machine.shell(`cd /var/out/b; ${text}`)).toBe(await machine.shell(`cd /var/root; ${text}`));
  });
}, 60_000);

test('a bundle is the same wherever it is made: it has no program of the machine that makes it', async () => {
  await withMachine({}, async (machine) => {
    await machine.shell(`${CLOSURE}sed -i 's,"my bin/group","/usr/bin/id",' /var/c/activation.toml`);
    const { status, stderr } = await machine.attempt(['generate', '/var/c', '--output', '/var/out']);
    expect([status, stderr.split('\n')[0]]).toEqual([
      65,
      'activate: /usr/bin/id: the source of the wrapper group is not in the closure',
    ]);
    expect(await machine.shell('ls -A /var/out 2>/dev/null || true')).toBe('');
  });
});
