import { expect, test } from 'bun:test';
import { mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type TestMachine, withMachine } from '../support/machine';
import { inShort, startWatchOn, waitFor, watchesOf } from '../support/watching';

const MEMORY_MIB = 150;

/** Writes a closure, by default of a file and a copy, and makes it live. */
async function switchTo(
  machine: TestMachine,
  files: Readonly<Record<string, string>> = { motd: 'motd\n', copy: 'copy\n' },
): Promise<void> {
  const closure = `/var/closure-${crypto.randomUUID()}`;
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(machine.on(`${closure}/etc/${name}`.replace(/\/[^/]*$/u, '')), { recursive: true });
    writeFileSync(machine.on(`${closure}/etc/${name}`), text);
  }
  writeFileSync(
    machine.on(`${closure}/activation.toml`),
    'schema = 1\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n',
  );
  await machine.activate('switch', closure);
}

/** What the kernel counts for a process, such as `VmHWM`, the most memory it ever had. */
function statusOf(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'mu').exec(text)?.[1]);
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

test('a service sees drift as it happens, knows the switches of others, and ends quickly with 0', async () => {
  await withMachine({}, async (machine) => {
    await switchTo(machine);
    const { until, end, lines, messages } = await startWatchOn(machine);
    const begun = performance.now();
    rmSync(machine.on('/etc/motd'));
    await until((seen) => seen.length === 2);
    console.log(`drift is said after ${Math.round(performance.now() - begun)} ms`);
    await switchTo(machine, { motd: 'second\n', 'new/file': 'x\n' });
    await until((seen) => seen.at(-1)?.['generation'] === 2 && seen.at(-1)?.event === 'right');
    symlinkSync('/elsewhere', machine.on('/etc/new/file.new'));
    renameSync(machine.on('/etc/new/file.new'), machine.on('/etc/new/file'));
    await until((seen) => inShort(seen).at(-1) === 'drift /etc/new/file');
    const ended = performance.now();
    expect(await end()).toBe(0);
    expect(performance.now() - ended).toBeLessThan(5000);
    expect(inShort(lines())).toEqual([
      'watching',
      'drift /etc/motd',
      'watching',
      'right /etc/motd',
      'drift /etc/new/file',
    ]);
    expect(messages()).toBe('');
  });
});

test('a program that writes its file again and again is not fought', async () => {
  await withMachine({}, async (machine) => {
    await switchTo(machine);
    const { until, end, lines } = await startWatchOn(machine, ['--repair']);
    const script = 'while :; do echo mine >/etc/copy; sleep 0.002; done';
    const writer = machine.start(['bash', '-c', script]);
    await until((seen) => seen.some(({ event }) => event === 'held back'));
    // Meanwhile other paths are put right.
    for (const round of ['first', 'second']) {
      rmSync(machine.on('/etc/motd'), { force: true });
      await until((seen) => inShort(seen).includes(round === 'first' ? 'repaired /etc/motd' : 'held back /etc/motd'));
    }
    writer.kill('SIGKILL');
    await writer.finished;
    expect(await end()).toBe(0);
    const count = (event: string): number => inShort(lines()).filter((line) => line === event).length;
    // Where it is written in the very moment in which it is put right, that is undone.
    expect(count('repaired /etc/copy') + count('failed /etc/copy')).toBeWithin(0, 2);
    expect(count('repaired /etc/motd')).toBe(1);
    const held = lines().flatMap(({ event, seconds }) => (event === 'held back' ? [seconds as number] : []));
    expect(held.filter((seconds) => seconds < 1 || seconds > 60)).toEqual([]);
    const backups = (await machine.activate('backups')).split('\n').filter((line) => line.includes('/etc/copy'));
    expect(backups.length).toBeLessThan(2);
  });
});

test('a wrapper that somebody took the rights from gets them back', async () => {
  await withMachine({}, async (machine) => {
    mkdirSync(machine.on('/var/c/bin'), { recursive: true });
    mkdirSync(machine.on('/var/c/etc'));
    writeFileSync(machine.on('/var/c/etc/motd'), 'motd\n');
    writeFileSync(machine.on('/var/c/bin/id'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(machine.on('/var/c/activation.toml'), 'schema = 1\n[[wrapper]]\nname = "id"\nsource = "bin/id"\n');
    await machine.activate('switch', '/var/c');
    const { until, end, lines } = await startWatchOn(machine, ['--repair']);
    await machine.shell('chmod 0755 /run/wrappers/bin/id');
    await until((seen) => inShort(seen).includes('repaired /run/wrappers/bin/id'));
    expect(lines()[1]).toMatchObject({ what: 'its mode is 0755, not 4755' });
    expect(await machine.shell('stat -Lc %a /run/wrappers/bin/id')).toBe('4755\n');
    await machine.shell('rm /run/wrappers/bin/id');
    await until((seen) => inShort(seen).at(-1) === 'held back /run/wrappers/bin/id');
    expect(await end()).toBe(0);
    await machine.activate('verify', '--repair');
    expect(await machine.activate('verify')).toContain('as recorded.');
  });
});

test('an image that somebody unmounts is mounted again', async () => {
  await withMachine({}, async (machine) => {
    await machine.shell('mkdir -p /var/c/etc; echo motd >/var/c/etc/motd');
    await machine.activate('generate', '--image', 'squashfs', '/var/c', '--output', '/var/b');
    await machine.activate('switch', '/var/b');
    const { until, end, lines } = await startWatchOn(machine, ['--repair']);
    await machine.shell('umount /run/activate/gen/1');
    await until((seen) => inShort(seen).includes('repaired /run/activate/gen/1'));
    expect(lines()[1]).toMatchObject({ event: 'drift', what: 'what generation 1 shows is not mounted' });
    expect(await machine.shell('cat /etc/motd')).toBe('motd\n');
    expect(await end()).toBe(0);
  });
});

test('a user who is not root is told what drifts', async () => {
  await withMachine({}, async (machine) => {
    await switchTo(machine);
    const { until, end } = await startWatchOn(machine, [], 'nobody');
    rmSync(machine.on('/etc/motd'));
    await until((seen) => inShort(seen).at(-1) === 'drift /etc/motd');
    expect(await end()).toBe(0);
  });
});

test('each of 10,000 paths that drift at once is named once, and memory stays flat', async () => {
  await withMachine({}, async (machine) => {
    const DIRECTORIES = 200;
    const FILES = 50;
    const names = Array.from({ length: DIRECTORIES }, (_, directory) =>
      Array.from({ length: FILES }, (_, file) => `d${directory}/f${file}`),
    ).flat();
    const [system, file] = ['system', 'file'].map((name) => `/nix/store/${'a'.repeat(32)}-${name}`);
    mkdirSync(machine.on('/nix/store'), { recursive: true });
    writeFileSync(machine.on(`${file}`), 'x\n');
    for (let directory = 0; directory < DIRECTORIES; directory += 1)
      mkdirSync(machine.on(`${system}/etc/d${directory}`), { recursive: true });
    for (const name of names) symlinkSync(`${file}`, machine.on(`${system}/etc/${name}`));
    await machine.activate('switch', `${system}`);
    const { until, end, lines, pid } = await startWatchOn(machine);
    expect(watchesOf(pid)).toBeWithin(DIRECTORIES, DIRECTORIES + 20);
    const storm = (linkTextOf: (name: string) => string): void => {
      for (const name of names) {
        symlinkSync(linkTextOf(name), machine.on(`/etc/${name}.new`));
        renameSync(machine.on(`/etc/${name}.new`), machine.on(`/etc/${name}`));
      }
    };
    storm(() => '/elsewhere');
    await until((seen) => seen.length > names.length);
    storm(() => '/somewhere/else');
    const overlay = readlinkSync(machine.on('/run/filesystem-overlay'));
    rmSync(machine.on('/run/filesystem-overlay'));
    await until((seen) => seen.at(-1)?.path === '/run/filesystem-overlay');
    storm((name) => `/run/filesystem-overlay/etc/${name}`);
    symlinkSync(overlay, machine.on('/run/filesystem-overlay'));
    await until((seen) => seen.filter(({ event }) => event === 'right').length > names.length);
    const mostMiB = statusOf(pid, 'VmHWM') / 1024;
    console.log(`${names.length} paths drifted at once: watch took ${Math.round(mostMiB)} MiB at most`);
    expect(mostMiB).toBeLessThan(MEMORY_MIB);
    const drifted = lines().flatMap(({ event, path }) => (event === 'drift' ? [path ?? ''] : []));
    const expected = [...names.map((name) => `/etc/${name}`), '/run/filesystem-overlay'];
    expect(drifted.toSorted()).toEqual(expected.toSorted());
    // It does nothing while nothing happens; the runtime tidies up a little at first.
    const before = ticksOf(pid);
    await Bun.sleep(2000);
    expect(ticksOf(pid) - before).toBeLessThan(20);
    expect(await end()).toBe(0);
  });
}, 240_000);

test.each([
  ['max_inotify_watches', 6, 'fs.inotify.max_user_watches'],
  ['max_inotify_instances', 0, 'fs.inotify.max_user_instances'],
])('where %s is %d it says which limit to raise', async (limit, value, sysctl) => {
  await withMachine({}, async (machine) => {
    await switchTo(machine, { 'a/x': 'x\n', 'b/x': 'x\n', 'c/x': 'x\n' });
    // A user namespace has limits of its own; those of the machine stay.
    const script = `echo ${value} >/proc/sys/user/${limit}; exec activate --root / watch --json`;
    const { pid, kill, finished } = machine.start(['unshare', '--user', '--map-root-user', 'bash', '-c', script]);
    if (value === 0) {
      const { status, stderr, stdout } = await finished;
      expect([status, stderr]).toEqual([74, expect.stringContaining(sysctl)]);
      expect(stdout).toContain('"code":"IO"');
      return;
    }
    // It goes on with what it can watch.
    await waitFor(
      () => watchesOf(pid) === value,
      () => `${watchesOf(pid)} watches`,
    );
    const before = ticksOf(pid);
    await Bun.sleep(1000);
    expect(ticksOf(pid) - before).toBeLessThan(30);
    kill('SIGTERM');
    const { status, stdout } = await finished;
    const lines = stdout.trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line) as { event: string; hint?: string });
    expect([status, events.map(({ event }) => event)]).toEqual([0, ['unwatched', 'watching']]);
    expect(events[0]?.hint).toContain(`sysctl -w ${sysctl}=`);
  });
});
