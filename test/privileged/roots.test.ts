import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { type Contents, writeClosure } from '../support/closures';
import { openMachine, type TestMachine } from '../support/machine';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

/** The machine's own /usr and /root are not for tests: everything is below a root directory. */
const ROOT = '/var/machine';
const ROOTS = ['/etc', '/opt/x', '/root/.ssh', '/usr/local/bin'];

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  for (const directory of ['etc', 'opt/x', 'root/.ssh', 'usr/local/bin', 'run', 'var/lib'])
    mkdirSync(machine.on(`${ROOT}/${directory}`), { recursive: true });
  await machine.shell(`chmod 700 ${ROOT}/root ${ROOT}/root/.ssh; echo own >${ROOT}/usr/local/bin/own`);
});
afterEach(async () => machine.close());

const policy = `schema = 1
roots = ${JSON.stringify(ROOTS)}
[[path]]
match = "/root/.ssh/**"
mode = "0600"
`;

function closure(name: string, text: string): string {
  const contents: Contents = {
    'activation.toml': policy,
    'etc/file': text,
    'opt/x/sub/file': text,
    'opt/x/link': { link: `to-${name}` },
    'root/.ssh': { directory: 0o700 },
    'root/.ssh/authorized_keys': text,
    'usr/local/bin/tool': { file: `#!/bin/sh\necho ${text}`, mode: 0o755 },
    'usr/local/bin/README': text,
  };
  writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, name, contents);
  return `/closures/${name}`;
}

const seen = (): Seen[] => ROOTS.flatMap((root) => takeSnapshot(machine.on(ROOT + root)));
const activate = async (...args: string[]): Promise<string> => machine.activate('--root', ROOT, ...args);

/** What a program reads whose `/` is the root directory. */
const cat = async (path: string): Promise<string> =>
  machine.shell(`link=$(readlink ${ROOT}${path}) && pointer=$(readlink ${ROOT}/run/filesystem-overlay)
    cat "${ROOT}$pointer\${link#/run/filesystem-overlay}"`);

test.each(['of one filesystem', 'each a filesystem of its own'])('roots beyond /etc, %s', async (where) => {
  if (where !== 'of one filesystem')
    await machine.shell(`for each in ${ROOTS.map((root) => ROOT + root).join(' ')}; do
      cp -a $each /var/kept; mount -t tmpfs -o mode=0755 tmpfs $each; cp -a /var/kept/. $each; rm -r /var/kept; done`);
  const [one, two] = [closure('one', 'one\n'), closure('two', 'two\n')];
  const before = seen();
  await activate('switch', one);
  expect(await cat('/usr/local/bin/tool')).toContain('one');
  expect(await cat('/opt/x/sub/file')).toBe('one\n');
  expect(await machine.shell(`stat -c '%a %F' ${ROOT}/root/.ssh/authorized_keys ${ROOT}/root/.ssh`)).toBe(
    '600 regular file\n700 directory\n',
  );
  const shown = seen();
  await activate('switch', two);
  expect(await cat('/usr/local/bin/README')).toBe('two\n');
  expect(await machine.shell(`cat ${ROOT}/root/.ssh/authorized_keys; readlink ${ROOT}/opt/x/link`)).toBe(
    'two\nto-two\n',
  );
  await activate('verify');
  await activate('rollback');
  expect(compareSnapshots(shown, seen(), { times: true })).toEqual([]);
  await activate('rollback', '0');
  expect(compareSnapshots(before, seen(), { times: false })).toEqual([]);
});

test.each(['/', '/proc/sys', '/run', '/run/x', '/nix', '/var/lib', '/var/lib/activate/x', '/dev', '/sys'])(
  'the root %s is refused by name',
  async (root) => {
    const path = closure('bad', 'bad\n');
    await machine.shell(`printf 'schema = 1\\nroots = ["${root}"]\\n' >${path}/activation.toml`);
    const before = seen();
    const { status, stderr } = await machine.attempt(['--root', ROOT, 'switch', path]);
    expect(status).toBe(65);
    expect(stderr).toContain(`${root} is never a root`);
    expect(compareSnapshots(before, seen(), { times: true })).toEqual([]);
  },
);
