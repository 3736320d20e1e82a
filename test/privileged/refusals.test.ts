import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openMachine, type TestMachine } from '../support/machine';
import { writePlacements } from '../support/placements';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

const CLOSURE = '/var/closure';
const BIG = '/var/big';

/** What changes a machine. */
const writing = [
  ['switch', CLOSURE],
  ['test', CLOSURE],
  ['boot', CLOSURE],
  ['rollback', '0'],
  ['resume'],
  ['gc', '--keep', '1'],
].map((args) => ({ name: args[0], args }));

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  mkdirSync(machine.on(CLOSURE));
  writePlacements(machine.on(CLOSURE));
});
afterEach(async () => machine.close());

/** Everything that belongs to the machine alone: /etc, /run, /var, /nix. */
function everything(): Seen[] {
  return takeSnapshot(machine.root, { inodes: true });
}

/** Enough to take a while. */
function writeBig(): void {
  mkdirSync(machine.on(`${BIG}/etc/many`), { recursive: true });
  for (let index = 0; index < 3_000; index += 1)
    writeFileSync(machine.on(join(BIG, 'etc/many', String(index))), `${index}\n`);
}

describe('while another activation runs', () => {
  test.each(writing)('$name is refused, and nothing is written', async ({ args }) => {
    await machine.shell('mkdir /run/activate; touch /run/activate/lock');
    const holder = machine.start([
      'flock',
      '--no-fork',
      '/run/activate/lock',
      'sh',
      '-c',
      'echo >/run/held; exec sleep 1000',
    ]);
    while (!takeSnapshot(machine.on('/run')).some(({ path }) => path === '/held')) await Bun.sleep(1);
    const before = everything();
    const finished = await machine.attempt(args);
    const after = everything();
    holder.kill('SIGKILL');
    await holder.finished;
    expect({ ...finished, stderr: finished.stderr.replace(/process \d+/u, 'process PID') }).toEqual({
      status: 75,
      stdout: '',
      stderr:
        'activate: /run/activate/lock: another activation is running: process PID, sleep 1000\nWait for it to finish, or use --wait SECONDS.\n',
    });
    expect(compareSnapshots(before, after, { times: true })).toEqual([]);
  });

  test('of two that are started at once one is refused, and the other done in full', async () => {
    writeBig();
    const both = await Promise.all([machine.attempt(['switch', BIG]), machine.attempt(['switch', BIG])]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([0, 75]);
    expect(await machine.shell('cat /etc/many/2999; ls /etc/many | wc -l')).toBe('2999\n3000\n');
  });

  test('diff, status and list work', async () => {
    await machine.activate('switch', CLOSURE, '--on-conflict', 'backup');
    const holder = machine.start(['flock', '--no-fork', '/run/activate/lock', 'sleep', '1000']);
    for (const args of [['diff', CLOSURE], ['status'], ['list']]) await machine.activate(...args);
    holder.kill('SIGKILL');
  });
});

describe('whoever is not root', () => {
  test('sees what a switch would change, and what could not be read; nothing at all is written', async () => {
    await machine.shell(`chmod 755 ${CLOSURE}/etc/empty.d ${CLOSURE}/etc/theirs.d`);
    const before = everything();
    const { status, stdout, stderr } = await machine.attempt(['diff', CLOSURE, '--name-status'], { user: 'nobody' });
    expect(compareSnapshots(before, everything(), { times: true })).toEqual([]);
    expect(status).toBe(0);
    const asRoot = await machine.activate('diff', CLOSURE, '--name-status');
    expect(stdout).toBe(asRoot);
    const unread = stderr.split('\n').filter((line) => line.startsWith('not read: '));
    expect(unread.map((line) => line.split(': ')[1])).toEqual([
      '/etc/copied',
      '/etc/private',
      '/etc/shadow',
      '/etc/sudoers.d/admins',
      '/etc/theirs.d/own',
    ]);
  });

  test('may ask for status and list on a machine that is managed', async () => {
    await machine.activate('switch', CLOSURE, '--on-conflict', 'backup');
    const before = everything();
    const status = await machine.attempt(['status', '--json'], { user: 'nobody' });
    expect({ status: status.status, stderr: status.stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(status.stdout)).toMatchObject({ live: 1, default: 1, pointer: 'right', drifted: [] });
    expect(await machine.attempt(['list'], { user: 'nobody' })).toMatchObject({ status: 0, stderr: '' });
    expect((await machine.attempt(['diff', '1'], { user: 'nobody' })).status).toBe(0);
    expect(compareSnapshots(before, everything(), { times: true })).toEqual([]);
  });

  test.each(writing)('may not $name, and nothing is written', async ({ args }) => {
    const before = everything();
    expect(await machine.attempt(args, { user: 'nobody' })).toEqual({
      status: 77,
      stdout: '',
      stderr: 'activate: only root may change this machine\nRun it as root, or try it with --root DIR.\n',
    });
    expect(compareSnapshots(before, everything(), { times: true })).toEqual([]);
  });
});

test('without systemd-tmpfiles a switch is refused, and nothing is written but the lock', async () => {
  const before = everything().filter(({ path }) => !path.startsWith('/run'));
  await machine.shell('mkdir /run/bin; ln -s $(command -v activate) $(command -v cp) /run/bin');
  const finished = await machine.run([
    'env',
    'PATH=/run/bin',
    'activate',
    'switch',
    CLOSURE,
    '--on-conflict',
    'backup',
  ]);
  expect(finished).toEqual({
    status: 3,
    stdout: '',
    stderr: 'activate: systemd-tmpfiles is not installed\nInstall the Debian package systemd.\n',
  });
  const after = everything().filter(({ path }) => !path.startsWith('/run'));
  expect(compareSnapshots(before, after, { times: true })).toEqual([]);
});

describe('where there is no space', () => {
  const full = [
    ['for records', '/var/lib/activate', 1],
    ['in /etc', '/etc', 1],
  ] as const;

  test.each(full)('%s, everything is undone', async (_, directory, megabytes) => {
    writeBig();
    await machine.shell(`
      cp -a ${directory} /var/original
      truncate -s ${megabytes}M /var/disk
      mkfs.ext4 -q -N 1024 /var/disk
      mount -o loop /var/disk ${directory}
      rmdir ${directory}/lost+found
      cp -a /var/original/. ${directory}
    `);
    const look = async (): Promise<string> =>
      machine.shell(
        'cd /; find etc var/lib/activate ! -path var/lib/activate/generations -printf "%p %y %m %U %G %l\\n" | sort; sha256sum $(find etc -type f | sort)',
      );
    const before = await look();
    const { status, stdout, stderr } = await machine.attempt(['switch', BIG, '--on-conflict', 'backup']);
    const after = await look();
    await machine.shell(`umount ${directory}`);
    expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
    expect(stderr).toContain('No space left on device');
    expect(after).toBe(before);
  });
});
