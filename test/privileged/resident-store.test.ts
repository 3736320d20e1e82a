import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openMachine, type TestMachine } from '../support/machine';
import { buildNixClosure, etcClosureExpression, nixosClosures } from '../support/nix';
import { visibleOf } from '../support/nixos-shape';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { writeSmallEtc } from '../support/small-etc';

let source = '';
let machine: TestMachine;
let [a, b] = ['', ''];
beforeAll(async () => {
  source = makeTemporaryDirectory();
  mkdirSync(join(source, 'etc'));
  writeSmallEtc(join(source, 'etc'));
  machine = await openMachine({ etc: join(source, 'etc') });
  a = await buildNixClosure(machine, etcClosureExpression(nixosClosures.a));
  b = await buildNixClosure(machine, etcClosureExpression(nixosClosures.b));
});
afterAll(async () => {
  await machine.close();
  removeTree(source);
});

const gen = (number: number): Promise<string> =>
  machine.shell(`findmnt -n -o FSTYPE,OPTIONS /run/activate/gen/${number} || true`);

test('a store closure in memory is read when the store is gone', async () => {
  await machine.activate('switch', a, '--resident', '--on-conflict', 'backup');
  const before = await machine.visible();
  expect(before).toMatchObject(visibleOf(nixosClosures.a));
  expect(await gen(1)).toMatch(/^tmpfs +ro,nosuid,nodev/u);
  expect(await machine.activate('status')).toMatch(/^overlay {2}store, [\d.]+ KiB of memory, mounted$/mu);
  expect(await machine.activate('verify')).toContain('as recorded');
  await machine.shell('mount -t tmpfs tmpfs /nix');
  expect(await machine.visible()).toEqual(before);
  await machine.shell('umount /nix');
});

test('the next one takes its place, and the way back makes it again', async () => {
  await machine.activate('switch', b, '--on-conflict', 'backup');
  expect(await gen(1)).toBe('');
  expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.b));
  await machine.activate('rollback');
  expect(await gen(1)).toMatch(/^tmpfs/u);
  expect(await machine.visible()).toMatchObject(visibleOf(nixosClosures.a));
  await machine.activate('rollback', '0');
  expect(await gen(1)).toBe('');
});
