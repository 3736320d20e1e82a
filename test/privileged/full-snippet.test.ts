import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { copyRealEtc } from '../support/debian';
import { openMachine, type TestMachine } from '../support/machine';
import { buildNixClosure, etcClosureExpression, nixosClosures } from '../support/nix';
import { writePlacements } from '../support/placements';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

const CLOSURE = '/var/closures/tree';
const BUNDLE = '/var/bundle';
const RECORD = '/var/lib/activate/generations/1';
const SNIPPET = `${BUNDLE}/tmpfiles.d/activate.conf`;

const quiet = { status: 0, stdout: '', stderr: '' };

/** Puts a closure into a machine, and says where. */
const closures: readonly [string, (machine: TestMachine) => string | Promise<string>][] = [
  ['a NixOS closure', buildNumbered],
  ['a tree with every placement', (machine) => put(machine, writePlacements)],
  ['the tree of this machine', (machine) => put(machine, copyRealEtc)],
];

/** Names of users mean nothing on an empty /etc. */
async function buildNumbered(machine: TestMachine): Promise<string> {
  const { label, files } = nixosClosures.a;
  const numbered = { ...files, 'named-owner': { text: 'of a daemon\n', mode: '0640', uid: '+0', gid: '+1' } };
  return buildNixClosure(machine, etcClosureExpression({ label, files: numbered }));
}

function put(machine: TestMachine, write: (directory: string) => void): string {
  mkdirSync(machine.on('/var/closures'));
  write(machine.on(CLOSURE));
  return CLOSURE;
}

describe.each(closures)('the full snippet of %s', (_, putInto) => {
  let machine: TestMachine;
  let closure = '';
  beforeAll(async () => {
    machine = await openMachine();
    closure = await putInto(machine);
  });
  afterAll(async () => machine.close());

  async function startOver(): Promise<void> {
    await machine.shell('find /etc -mindepth 1 -delete; rm -f /run/filesystem-overlay');
    expect(machine.etc().length).toBe(1);
  }

  async function runSnippet(): Promise<void> {
    expect(await machine.run(['systemd-tmpfiles', '--create', SNIPPET])).toEqual(quiet);
  }

  test('makes the same of an empty /etc as a switch does', async () => {
    await machine.activate('generate', closure, '--output', BUNDLE);
    await startOver();
    await runSnippet();
    const [made, visible] = [machine.etc(), await machine.visible()];
    await startOver();
    await machine.activate('switch', closure);
    expect(made.length).toBeGreaterThan(15);
    expect(compareSnapshots(made, machine.etc(), { times: false })).toEqual([]);
    expect(await machine.visible()).toEqual(visible);
  });

  test('is kept with the generation, too', async () => {
    const before = machine.etc();
    await startOver();
    expect(await machine.run(['systemd-tmpfiles', '--create', `${RECORD}/tmpfiles.d/activate.conf`])).toEqual(quiet);
    expect(compareSnapshots(before, machine.etc(), { times: false })).toEqual([]);
  });

  test('changes nothing a second time', async () => {
    const before = seeInodes();
    await runSnippet();
    expect(compareSnapshots(before, seeInodes(), { times: true })).toEqual([]);
  });

  test('changes nothing of what the machine changed meanwhile', async () => {
    await machine.shell(CHANGES);
    const before = seeInodes();
    await runSnippet();
    expect(compareSnapshots(before, seeInodes(), { times: true })).toEqual([]);
  });

  function seeInodes(): Seen[] {
    return takeSnapshot(machine.on('/etc'), { inodes: true });
  }
});

/**
 * Other content in all that is a file, and something else in place of every third link.
 *
 * Other modes and owners, too, but not where the closure names them: those a snippet sets each time.
 */
const CHANGES = `
cd /etc
find . -type f | sort >/run/files
while IFS= read -r file; do echo changed >>"$file"; done </run/files
find . -type f ! -name secret ! -name seeded-private ! -name named-owner ! -name token ! -name admins >/run/files
while IFS= read -r file; do chmod 0604 "$file"; chown 7:8 "$file"; done </run/files
find . -type l | sort | sed -n 0~3p >/run/links
while IFS= read -r link; do rm "$link"; echo "the machine's own" >"$link"; done </run/links
`;
