import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openMachine, switchAsPreviewed, type TestMachine } from '../support/machine';
import { buildNixClosure, etcClosureExpression, nixosClosures } from '../support/nix';
import { etcWith, visibleOf, withoutTime } from '../support/nixos-shape';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';
import { writeSmallEtc } from '../support/small-etc';

/** A closure as a whole system, and as its etc alone. */
const shapes = [
  ['a toplevel', (_: TestMachine, path: string) => path],
  ['an etc derivation', (machine: TestMachine, path: string) => dirname(readlinkSync(machine.on(join(path, 'etc'))))],
] as const;

let source = '';
beforeAll(() => {
  source = makeTemporaryDirectory();
  mkdirSync(join(source, 'etc'));
  writeSmallEtc(join(source, 'etc'));
});
afterAll(() => removeTree(source));

describe.each(shapes)('a NixOS closure, given as %s,', (_, shapeOf) => {
  let machine: TestMachine;
  let before: Seen[] = [];
  let withA: Seen[] = [];
  let withB: Seen[] = [];
  let [a, b] = ['', ''];
  beforeAll(async () => {
    machine = await openMachine({ etc: join(source, 'etc') });
    a = shapeOf(machine, await buildNixClosure(machine, etcClosureExpression(nixosClosures.a)));
    b = shapeOf(machine, await buildNixClosure(machine, etcClosureExpression(nixosClosures.b)));
    before = machine.etc();
  });
  afterAll(async () => machine.close());

  test('is refused where the machine has files of its own, and nothing is written', async () => {
    const { status, stdout, stderr } = await machine.attempt(['switch', a]);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    const named = stderr.split('\n').filter((line) => line.startsWith('  /'));
    expect(named.map((line) => line.slice(2, line.indexOf(': ')))).toEqual([
      '/etc/hosts',
      '/etc/localtime',
      '/etc/motd',
      '/etc/pam.d/login',
      '/etc/sudoers.d/admins',
      '/etc/systemd/system',
      '/etc/with space',
    ]);
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
    expect(takeSnapshot(machine.on('/var/lib/activate')).map(({ path }) => path)).toEqual(['/']);
  });

  test('is shown in full, and nothing else of /etc is changed', async () => {
    await switchAsPreviewed(machine, 'switch', a, '--on-conflict', 'backup');
    withA = machine.etc();
    expect(withA.map(withoutTime)).toEqual(etcWith(before, nixosClosures.a));
    expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.a));
    expect(untouched(withA)).toEqual(untouched(before));
  });

  test('is replaced by the next one', async () => {
    await switchAsPreviewed(machine, 'switch', b, '--on-conflict', 'backup');
    withB = machine.etc();
    expect(withB.map(withoutTime)).toEqual(etcWith(before, nixosClosures.b));
    expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.b));
    expect(untouched(withB)).toEqual(untouched(before));
  });

  test('comes back exactly as it was', async () => {
    await switchAsPreviewed(machine, 'switch', a);
    expect(compareSnapshots(withA, machine.etc(), { times: true })).toEqual([]);
  });

  test('gives way to the generation before on rollback, and to any that is named', async () => {
    await machine.activate('rollback', '--on-conflict', 'backup');
    expect(compareSnapshots(withB, machine.etc(), { times: true })).toEqual([]);
    await switchAsPreviewed(machine, 'rollback', '1');
    expect(compareSnapshots(withA, machine.etc(), { times: true })).toEqual([]);
    await switchAsPreviewed(machine, 'switch', '2', '--on-conflict', 'backup');
    expect(compareSnapshots(withB, machine.etc(), { times: true })).toEqual([]);
  });

  test('leaves the machine as it was on rollback to generation 0', async () => {
    await switchAsPreviewed(machine, 'rollback', '0');
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
    const run = takeSnapshot(machine.on('/run')).map(({ path }) => path);
    expect(run).toEqual(['/', '/activate', '/activate/lock']);
  });

  test('can be switched to again afterwards', async () => {
    await switchAsPreviewed(machine, 'switch', a, '--on-conflict', 'backup');
    expect(machine.etc().map(withoutTime)).toEqual(etcWith(before, nixosClosures.a));
    await switchAsPreviewed(machine, 'rollback', '0');
    expect(compareSnapshots(before, machine.etc(), { times: true })).toEqual([]);
  });
});

/** What no closure names, with times. */
function untouched(seen: readonly Seen[]): Seen[] {
  const named = new Set(
    Object.values(nixosClosures).flatMap(({ files }) => Object.keys(files).map((name) => `/${name}`)),
  );
  const isBelowNamed = (path: string): boolean => [...named].some((each) => path.startsWith(`${each}/`));
  return seen.filter(({ path, kind }) => kind !== 'directory' && !named.has(path) && !isBelowNamed(path));
}
