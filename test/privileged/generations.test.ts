import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { openMachine, switchAsPreviewed, type TestMachine } from '../support/machine';
import { buildNixClosure, collectNixGarbage, etcClosureExpression, nixosClosures } from '../support/nix';
import { etcWith, visibleOf, withoutTime } from '../support/nixos-shape';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { compareSnapshots, type Seen } from '../support/snapshot';
import { writeSmallEtc } from '../support/small-etc';

let source = '';
let machine: TestMachine;
let before: Seen[] = [];
let [a, b] = ['', ''];

beforeAll(() => {
  source = makeTemporaryDirectory();
  mkdirSync(join(source, 'etc'));
  writeSmallEtc(join(source, 'etc'));
});
afterAll(() => removeTree(source));

async function setUp(): Promise<void> {
  machine = await openMachine({ etc: join(source, 'etc') });
  a = await buildNixClosure(machine, etcClosureExpression(nixosClosures.a));
  b = await buildNixClosure(machine, etcClosureExpression(nixosClosures.b));
  before = machine.etc();
}

async function tearDown(): Promise<void> {
  await machine.close();
}

/** The text of a link; `undefined` where nothing is. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(machine.on(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function links(): Record<string, string | undefined> {
  return {
    live: linkAt('/var/lib/activate/live'),
    default: linkAt('/var/lib/activate/default'),
    pointer: linkAt('/run/filesystem-overlay'),
  };
}

async function json(...args: readonly string[]): Promise<unknown> {
  return JSON.parse(await machine.activate(...args, '--json')) as unknown;
}

describe('a closure for one time only', () => {
  beforeAll(setUp);
  afterAll(tearDown);

  test('is what the next boot shows after `boot`, and nothing of /etc is changed', async () => {
    await machine.activate('boot', a, '--on-conflict', 'backup');
    expect(links()).toEqual({ live: undefined, default: 'generations/1', pointer: undefined });
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
    expect(await json('status')).toEqual({
      schema: 1,
      live: 0,
      default: 1,
      booted: null,
      boot: null,
      hook: null,
      staleHookFiles: [],
      staleInitrds: false,
      generations: [generation(1, a)],
      interrupted: null,
      content: 'there',
      pointer: 'right',
      managed: 0,
      drifted: [],
      kept: [],
      merged: [],
      mounts: {},
      reboot: null,
      columns: expect.any(Array) as unknown,
      claims: [],
      backups: 0,
      displaced: 0,
      passesOver: null,
      tries: {},
      unread: [],
      unsettled: null,
    });
  });

  test('is what /etc shows after `test`, and the next boot is as it would have been', async () => {
    await switchAsPreviewed(machine, 'test', b, '--on-conflict', 'backup');
    expect(links()).toEqual({ live: 'generations/2', default: 'generations/1', pointer: b });
    expect(machine.etc().map(withoutTime)).toEqual(etcWith(before, nixosClosures.b));
    expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.b));
  });

  test('is told from the others by `list` and `status`', async () => {
    expect(await json('list')).toEqual({
      schema: 1,
      generations: [
        { ...generation(1, a), roles: ['default'] },
        { ...generation(2, b), roles: ['live'] },
      ],
      live: 2,
      default: 1,
      booted: null,
    });
    expect(await json('status')).toMatchObject({
      live: 2,
      default: 1,
      pointer: 'right',
      drifted: [],
      kept: [],
      displaced: 9,
    });
  });

  test('that drifted is known to `status`, and put right by a switch to it', async () => {
    const withB = machine.etc();
    await machine.shell('rm /etc/motd; echo mine >/etc/motd; chmod 600 /etc/sudoers.d/admins; rm /etc/nixos/version');
    expect(await json('status')).toMatchObject({
      drifted: ['/etc/motd', '/etc/nixos/version', '/etc/sudoers.d/admins'],
    });
    await switchAsPreviewed(machine, 'test', '2');
    expect(compareSnapshots(withB, machine.etc(), { times: false })).toEqual([]);
    expect(await json('status')).toMatchObject({ live: 2, default: 1, drifted: [] });
  });

  test('stays what it is when the default becomes live, and the machine gets everything back in the end', async () => {
    await machine.activate('rollback', '--on-conflict', 'backup');
    expect(links()).toEqual({ live: 'generations/1', default: 'generations/1', pointer: a });
    await switchAsPreviewed(machine, 'rollback', '0');
    expect(links()).toEqual({ live: undefined, default: undefined, pointer: undefined });
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
  });
});

describe("a generation's closure", () => {
  beforeAll(setUp);
  afterAll(tearDown);

  test('is kept by a garbage collection while there is the generation, and no longer', async () => {
    await machine.activate('switch', a, '--on-conflict', 'backup');
    await machine.activate('switch', b, '--on-conflict', 'backup');
    const other = await buildNixClosure(machine, etcClosureExpression({ label: 'other', files: { x: { text: 'x' } } }));
    await collect();
    expect(storePathsThere(a, b, other)).toEqual([true, true, false]);
    expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.b));

    expect(await machine.activate('gc', '--keep', '1')).toBe('1 generation removed: 1.\n');
    await collect();
    expect(storePathsThere(a, b)).toEqual([false, true]);
    expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.b));
    expect(await json('list')).toMatchObject({ generations: [{ number: 2, roles: ['live', 'default'] }] });
  });

  test('is kept where it is what the next boot shows, and where it is live', async () => {
    const c = await buildNixClosure(machine, etcClosureExpression({ label: 'c', files: { motd: { text: 'c\n' } } }));
    await machine.activate('test', c);
    await machine.activate('gc', '--keep', '0');
    await collect();
    expect(storePathsThere(b, c)).toEqual([true, true]);
    expect(await machine.shell('cat /etc/motd')).toBe('c\n');
    await machine.activate('rollback', '0');
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
    expect(await machine.activate('gc', '--keep', '0')).toBe('2 generations removed: 2, 3.\n');
    await collect();
    expect(storePathsThere(b, c)).toEqual([false, false]);
  });
});

async function collect(): Promise<void> {
  const { status, stderr } = await collectNixGarbage(machine);
  if (status !== 0) throw new Error(stderr);
}

function storePathsThere(...paths: readonly string[]): boolean[] {
  return paths.map((path) => existsSync(machine.on(path)));
}

/** The record of a generation, but for what no test can know. */
function generation(number: number, closure: string): Record<string, unknown> {
  return {
    number,
    closure,
    format: 'nixos',
    overlay: closure,
    carrier: { kind: 'store', path: closure },
    resident: false,
    digest: expect.stringMatching(/^[0-9a-f]{64}$/u) as unknown,
    rules: [],
    paths: expect.any(Number) as unknown,
    created: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u) as unknown,
    version: expect.any(String) as unknown,
    addon: expect.stringMatching(/^[0-9a-f]{64}$/u) as unknown,
  };
}
