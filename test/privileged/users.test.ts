import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { writeContents } from '../support/closures';
import { openMachine, switchAsPreviewed, type TestMachine } from '../support/machine';
import { buildNixClosure, etcClosureExpression } from '../support/nix';

const TREE = '/var/closures/tree';
const PASSWORD = '$6$rounds=1000$salt$hash';

let machine: TestMachine;
beforeAll(async () => {
  machine = await openMachine();
  await machine.shell(`printf 'alice:x:1000:1000::/:/bin/sh\\n' >>/etc/passwd
    printf 'alice:x:1000:\\n' >>/etc/group
    printf 'alice:%s:19000::::::\\n' '${PASSWORD}' >/etc/shadow
    chmod 600 /etc/shadow
    install -m 600 /dev/null /etc/.pwd.lock`);
});
afterAll(async () => machine.close());

function writeTree(lines: string): void {
  writeContents(machine.on(TREE), {
    'etc/served': { file: 'by the web server\n', mode: 0o640 },
    'usr/lib/sysusers.d/web.conf': lines,
    'activation.toml':
      'schema = 1\n[[path]]\nmatch = "/etc/served"\nowner = "web-server"\ngroup = "web-server"\nmode = "0600"\n',
  });
}

function passwords(): string {
  return readFileSync(machine.on('/etc/shadow'), 'utf8');
}

test('users are there with what is theirs, and passwords and all else stay', async () => {
  writeTree('u web-server 733 "Web server" /var/www\nm alice web-server\n');
  await switchAsPreviewed(machine, 'switch', TREE);
  expect(await machine.shell('getent passwd web-server; id -nG alice; stat -c %U:%G /etc/served')).toBe(
    'web-server:x:733:733:Web server:/var/www:/usr/sbin/nologin\nalice web-server\nweb-server:web-server\n',
  );
  expect(await machine.shell('setpriv --reuid web-server --clear-groups cat /etc/served')).toBe('by the web server\n');
  expect(passwords()).toStartWith(`alice:${PASSWORD}:19000::::::\nweb-server:!*:`);
  expect(await machine.activate('switch', TREE)).toContain('nothing to do');
});

test('a user added meanwhile by others stays, through switches and going back', async () => {
  await machine.shell("printf 'bob:x:1001:100::/:/bin/sh\\n' >>/etc/passwd");
  await machine.activate('rollback', '0');
  expect(await machine.shell('id -u bob web-server')).toBe('1001\n733\n');
  expect(passwords()).toContain(PASSWORD);
});

test('a contradiction changes nothing: 3', async () => {
  writeTree('u web-server 734\n');
  const before = machine.etc();
  const { status, stderr } = await machine.attempt(['switch', TREE]);
  expect(status).toBe(3);
  expect(stderr).toContain(
    '/etc/passwd: the closure wants user web-server with id 734 (usr/lib/sysusers.d/web.conf:1), and the machine has user web-server with id 733\n',
  );
  expect(machine.etc()).toEqual(before);
});

test('a NixOS closure says it in /etc/sysusers.d', async () => {
  const lines = 'u dynamic -\nm dynamic alice\n';
  const files = { 'sysusers.d/00-nixos.conf': { text: lines }, owned: { text: '', mode: '0600', uid: 'dynamic' } };
  const closure = await buildNixClosure(machine, etcClosureExpression({ label: 'users', files }));
  await switchAsPreviewed(machine, 'switch', closure);
  expect(await machine.shell('stat -c %U /etc/owned; id -nG dynamic')).toBe('dynamic\ndynamic alice\n');
  expect(passwords()).toContain(PASSWORD);
});

test('an empty machine gets users from the bundle, without activate', async () => {
  const bundle = '/var/bundle';
  writeContents(machine.on('/var/closures/fixed'), {
    'etc/sysusers.d/a.conf': 'u root 0 - /root\ng shadow 42\nu web 733\n',
  });
  await machine.activate('generate', '/var/closures/fixed', '--output', bundle);
  const empty = '/var/empty-machine';
  await machine.shell(`mkdir -p ${empty}/etc ${empty}/run ${empty}/var && cp -a ${bundle} ${empty}/var/bundle
    systemd-tmpfiles --root=${empty} --create ${empty}${bundle}/tmpfiles.d/activate.conf`);
  expect(
    await machine.shell(`cat ${empty}/etc/passwd; stat -c '%a %u:%g' ${empty}/etc/shadow ${empty}/etc/passwd`),
  ).toBe('root:x:0:0::/root:/bin/sh\nweb:x:733:733::/:/usr/sbin/nologin\n640 0:42\n644 0:0\n');
});

test.each(['squashfs', 'erofs'])('a %s image brings its users along', async (kind) => {
  const [closure, bundle] = [`/var/closures/${kind}`, `/var/bundle-${kind}`];
  writeContents(machine.on(closure), {
    'etc/sysusers.d/a.conf': `u root 0\ng shadow 42\nu in-${kind} ${kind.length + 700}\n`,
  });
  await machine.activate('generate', closure, '--output', bundle, '--image', kind);
  await machine.activate('switch', bundle);
  expect(await machine.shell(`id -u in-${kind}`)).toBe(`${kind.length + 700}\n`);
  const shown = '/run/filesystem-overlay/etc';
  expect(await machine.shell(`cut -d: -f1 ${shown}/passwd; stat -c '%a %u:%g' ${shown}/shadow`)).toBe(
    `root\nin-${kind}\n640 0:42\n`,
  );
  await machine.activate('rollback', '0');
});

test('nobody is lost while useradd and switches add users side by side', async () => {
  const count = 8;
  const adding = machine.start(['sh', '-euc', 'for n in $(seq 40); do useradd -M -N people$n; done']);
  for (let index = 0; index < count; index += 1) {
    const closure = `/var/closures/beside-${index}`;
    writeContents(machine.on(closure), { 'etc/sysusers.d/a.conf': `u built${index} ${750 + index}\n` });
    await machine.activate('switch', closure);
  }
  const { status, stderr } = await adding.finished;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const users = await machine.shell('cut -d: -f1 /etc/passwd | grep -E "^(people|built)" | sort -u | wc -l');
  const shadowed = await machine.shell('cut -d: -f1 /etc/shadow | grep -E "^(people|built)" | sort -u | wc -l');
  expect([Number(users), Number(shadowed)]).toEqual([40 + count, 40 + count]);
});
