import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { copyRealEtc, mutateTree } from '../support/debian';
import { openMachine, switchAsPreviewed, type TestMachine, type Visible } from '../support/machine';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

const FIRST = '/var/closures/first';
const SECOND = '/var/closures/second';

let source = '';
beforeAll(() => {
  source = makeTemporaryDirectory();
  copyRealEtc(join(source, 'first'));
  copy(join(source, 'first'), join(source, 'second'));
  console.log(`${mutateTree(join(source, 'second')).length} paths differ between the two trees`);
});
afterAll(() => removeTree(source));

async function openWithClosures(etc?: string): Promise<TestMachine> {
  const machine = await openMachine(etc === undefined ? {} : { etc });
  mkdirSync(machine.on('/var/closures'));
  for (const closure of [FIRST, SECOND]) copy(join(source, closure.split('/').at(-1) ?? ''), machine.on(closure));
  return machine;
}

function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', '--', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** Resolves users in a loop while a task runs, as every program does, and insists that it never fails. */
async function whileUsersResolve(machine: TestMachine, task: () => Promise<unknown>): Promise<void> {
  const script =
    'n=0; until [ -e /run/enough ]; do getent passwd root >/dev/null && id root >/dev/null || exit 1; n=$((n+1)); done; echo $n';
  const loop = machine.start(['sh', '-c', script]);
  await task();
  await machine.shell('touch /run/enough');
  const { status, stdout, stderr } = await loop.finished;
  await machine.shell('rm /run/enough');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(Number(stdout)).toBeGreaterThan(0);
  expect(await machine.shell('getent passwd root | cut -d: -f1; id -un')).toBe('root\nroot\n');
}

describe('the tree of a machine, on that machine itself,', () => {
  let machine: TestMachine;
  let before: Seen[] = [];
  let visibleBefore: Visible = {};
  let withFirst: Seen[] = [];
  beforeAll(async () => {
    machine = await openWithClosures(join(source, 'first/etc'));
    before = machine.etc();
    visibleBefore = await machine.visible();
  });
  afterAll(async () => machine.close());

  test('is taken over without a conflict, and no program sees a difference', async () => {
    await whileUsersResolve(machine, async () => machine.activate('switch', FIRST));
    withFirst = machine.etc();
    expect(Object.keys(visibleBefore).length).toBeGreaterThan(1_000);
    expect(await machine.visible()).toEqual(visibleBefore);
    const links = withFirst.filter(({ linkText }) => linkText?.startsWith('/run/filesystem-overlay/'));
    console.log(`${withFirst.length} paths, ${links.length} of them links to the generation`);
    expect(links.length).toBeGreaterThan(250);
  });

  test('becomes its second version', async () => {
    await whileUsersResolve(machine, async () => switchAsPreviewed(machine, 'switch', SECOND));
    const now = await machine.visible(SECOND);
    const was = Object.entries(visibleBefore);
    // Where the second version has nothing, the machine's own is back; its directories keep their mode and owner.
    const back = was.filter(([path]) => ancestors(path).every((each) => now[each]?.startsWith('directory') ?? true));
    const stay = was.filter(([path, what]) => what.startsWith('directory') && now[path]?.startsWith('directory'));
    expect(await machine.visible()).toEqual({ ...Object.fromEntries(back), ...now, ...Object.fromEntries(stay) });
  });

  test('comes back exactly as it was', async () => {
    await whileUsersResolve(machine, async () => switchAsPreviewed(machine, 'switch', FIRST));
    expect(compareSnapshots(withFirst, machine.etc(), { times: true })).toEqual([]);
  });

  test('leaves the machine as it was on rollback to generation 0', async () => {
    await whileUsersResolve(machine, async () => machine.activate('rollback', '0'));
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
  });
});

describe('the tree of a machine, on one with hardly anything in /etc,', () => {
  let machine: TestMachine;
  let before: Seen[] = [];
  let visibleBefore: Visible = {};
  let withFirst: Seen[] = [];
  beforeAll(async () => {
    machine = await openWithClosures();
    before = machine.etc();
    visibleBefore = await machine.visible();
  });
  afterAll(async () => machine.close());

  const own = ['/etc/passwd', '/etc/group', '/etc/hostname', '/etc/machine-id'];

  /** What a tree has to look like here: but for the accounts and the like, which stay the machine's. */
  async function visibleOf(closure: string): Promise<Visible> {
    const kept = own.map((path) => [path, visibleBefore[path] ?? ''] as const);
    const wanted = Object.entries({ ...(await machine.visible(closure)), ...Object.fromEntries(kept) });
    return Object.fromEntries(wanted.filter(([path]) => path !== '/etc/.pwd.lock'));
  }

  test('is shown in full', async () => {
    await whileUsersResolve(machine, async () =>
      switchAsPreviewed(machine, 'switch', FIRST, '--on-conflict', 'backup'),
    );
    withFirst = machine.etc();
    expect(await machine.visible()).toEqual(await visibleOf(FIRST));
  });

  test('becomes its second version', async () => {
    await whileUsersResolve(machine, async () => switchAsPreviewed(machine, 'switch', SECOND));
    expect(await machine.visible()).toEqual(await visibleOf(SECOND));
  });

  test('comes back exactly as it was', async () => {
    await whileUsersResolve(machine, async () => switchAsPreviewed(machine, 'switch', FIRST));
    expect(compareSnapshots(withFirst, machine.etc(), { times: true })).toEqual([]);
  });

  test('leaves the machine as it was on rollback to generation 0, and the seeds that it made', async () => {
    await whileUsersResolve(machine, async () => switchAsPreviewed(machine, 'rollback', '0'));
    const accounts = ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].flatMap((name) => [name, `${name}-`]);
    const seeds = new Set([...accounts, 'adjtime', 'resolv.conf', 'mtab', 'fstab', 'ssh'].map((name) => `/${name}`));
    const closure = takeSnapshot(join(source, 'first/etc'));
    const had = new Set(before.map(({ path }) => path));
    const stay = closure.filter(
      ({ path }) => !had.has(path) && (seeds.has(path) || /^\/ssh\/ssh_host_.*_key(?:\.pub)?$/u.test(path)),
    );
    const hasHostKeys = stay.some(({ path }) => path.startsWith('/ssh/'));
    const left = stay.filter(({ path }) => path !== '/ssh' || hasHostKeys);
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual(
      left.map(({ path, kind }) => `${path}: appeared (${kind})`),
    );
  });
});

function ancestors(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}
