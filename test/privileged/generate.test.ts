import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, rmSync } from 'node:fs';
import { openMachine, type TestMachine } from '../support/machine';
import type { RunOptions } from '../support/namespace';
import { buildNixClosure, etcClosureExpression } from '../support/nix';
import { withoutTime } from '../support/nixos-shape';
import { writePlacements } from '../support/placements';
import { type Seen, takeSnapshot } from '../support/snapshot';

const TREE = '/var/closures/tree';
const SHUFFLED = '/var/closures/shuffled';
const OUTPUT = '/var/bundles';

let machine: TestMachine;
let nixos = '';
beforeAll(async () => {
  machine = await openMachine();
  nixos = await buildNixClosure(machine, etcClosureExpression({ label: 'x', files }));
  mkdirSync(machine.on('/var/closures'));
  writePlacements(machine.on(TREE));
  await machine.shell(`mkdir -m 1777 ${OUTPUT}`);
});
afterAll(async () => machine.close());

const files = {
  motd: { text: 'x\n' },
  'B first': { text: 'b\n', mode: '0440', uid: '+12', gid: '+34' },
  'a second': { link: '/usr/share/zoneinfo/UTC' },
  'é/ü': { text: 'x\n' },
  'systemd/system': { storeDirectory: { 'a.service': '', 'B.service': '' } },
};

/** Writes a bundle that will lie at /bundle, and returns everything about it but times, and the directory itself. */
async function generate(closure: string, options: RunOptions = {}, wrapper: readonly string[] = []): Promise<Seen[]> {
  const output = `${OUTPUT}/one`;
  const command = [...wrapper, 'activate', 'generate', closure, '--output', output, '--location', '/bundle'];
  const { status, stderr } = await machine.run(command, options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const seen = takeSnapshot(machine.on(output)).slice(1).map(withoutTime);
  await machine.shell(`rm -rf ${output}`);
  return seen;
}

const surroundings: readonly [string, RunOptions, readonly string[]][] = [
  ['another locale', { environment: { LC_ALL: 'tr_TR.UTF-8', LANG: 'C' } }, []],
  ['another time zone', { environment: { TZ: 'Pacific/Chatham' } }, []],
  ['a narrow umask', {}, ['sh', '-c', 'umask 077; exec "$@"', 'sh']],
  ['a wide umask', {}, ['sh', '-c', 'umask 000; exec "$@"', 'sh']],
  ['another working directory', { workingDirectory: '/usr' }, []],
];

describe.each([
  ['a NixOS closure', () => nixos],
  ['a tree', () => TREE],
])('the bundle of %s', (_, closure) => {
  test.each(surroundings)('is the same in %s', async (_name, options, wrapper) => {
    const usual = await generate(closure());
    expect(usual.length).toBeGreaterThan(4);
    expect(await generate(closure(), options, wrapper)).toEqual(usual);
  });
});

test('the bundle of a tree is the same in whatever order its directories are', async () => {
  const usual = await generate(TREE);
  // A tmpfs lists the newest first, where ext4 goes by the names alone.
  await machine.shell(`
    mkdir ${SHUFFLED}
    mount -t tmpfs -o mode=0755 none ${SHUFFLED}
    cd ${TREE}
    find . -type d | sort -r >/run/directories
    find . ! -type d | sort >/run/others
    tar --create --no-recursion --files-from=/run/others --files-from=/run/directories |
      tar --extract --same-permissions --directory=${SHUFFLED}
  `);
  expect(await machine.visible(SHUFFLED)).toEqual(await machine.visible(TREE));
  expect(await machine.shell(`ls -U ${SHUFFLED}/etc`)).not.toBe(await machine.shell(`ls -U ${TREE}/etc`));
  expect(await generate(SHUFFLED)).toEqual(usual);
});

test('the bundle of a closure that everybody may read is the same for every user', async () => {
  const usual = await generate(nixos);
  expect((await generate(nixos, { user: 'nobody' })).map(withoutOwner)).toEqual(usual.map(withoutOwner));
});

function withoutOwner({ uid: _uid, gid: _gid, ...seen }: Seen): unknown {
  return seen;
}

test('no bundle is made by a user who may not read all of the closure', async () => {
  const output = `${OUTPUT}/none`;
  const finished = await machine.attempt(['generate', TREE, '--output', output], { user: 'nobody' });
  expect(finished.status).toBe(77);
  expect(finished.stdout).toBe('');
  expect(finished.stderr).toMatch(/empty\.d|private/u);
  rmSync(machine.on(output), { recursive: true, force: true });
});
