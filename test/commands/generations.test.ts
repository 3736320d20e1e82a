import { describe, expect, test } from 'bun:test';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { testFor } from '../support/overlay';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const STATE = '/var/lib/activate';

/** Which generation is live and default, from the links, and what /etc/motd shows. */
function state(sandbox: Sandbox): readonly [live: string, next: string, motd: string] {
  const read = (role: string): string =>
    existsSync(sandbox.on(`${STATE}/${role}`)) ? readlinkSync(sandbox.on(`${STATE}/${role}`)) : '0';
  const pointer = sandbox.on('/run/filesystem-overlay');
  const motd = takeSnapshot(sandbox.on('/run')).some(({ path }) => path === '/filesystem-overlay')
    ? readFileSync(sandbox.on(`${readlinkSync(pointer)}/etc/motd`), 'utf8')
    : '';
  return [read('live').replace('generations/', ''), read('default').replace('generations/', ''), motd];
}

/** Where a generation shows what it does. */
function overlayOf(sandbox: Sandbox, number: number): string {
  const text = readFileSync(sandbox.on(`${STATE}/generations/${number}/generation.json`), 'utf8');
  return (JSON.parse(text) as { overlay: string }).overlay;
}

/** Closures `1`, `2` …, of which each has another motd. */
function withClosures(count: number, task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  return withSandbox(async (sandbox) => {
    for (let number = 1; number <= count; number += 1)
      writeClosure(sandbox, String(number), { 'etc/motd': `${number}\n`, [`etc/only-${number}`]: '' });
    await task(sandbox);
  });
}

function live(number: number, changed: number): RegExp {
  return new RegExp(
    `^Generation ${number} is live: ${changed} paths? changed in [\\d.]+ m?s, the swap [\\d.]+ m?s\\.\n$`,
  );
}

describe('test', () => {
  test('shows a closure now, and the next boot what it would have', async () => {
    await withClosures(2, async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/1');
      expect(await activate('test', 'closures/2')).toMatch(live(2, 3));
      expect(state(sandbox)).toEqual(['2', '1', '2\n']);
      expect(await activate('test', 'closures/2')).toBe('Generation 2 is live already; nothing to do.\n');
      expect(await activate('status')).toMatch(/^live {5}generation 2, made .*\ndefault {2}generation 1, made /u);
      expect(await activate('switch', 'closures/2')).toMatch(live(2, 0));
      expect(state(sandbox)).toEqual(['2', '2', '2\n']);
    });
  });

  test('on a new machine leaves the next boot with nothing', async () => {
    await withClosures(1, async (sandbox) => {
      await insistOn(sandbox)('test', 'closures/1');
      expect(state(sandbox)).toEqual(['1', '0', '1\n']);
      expect(await insistOn(sandbox)('status')).toContain('default  generation 0: nothing is managed\n');
    });
  });
});

describe('boot', () => {
  test('changes what the next boot shows, and nothing now', async () => {
    await withClosures(2, async (sandbox) => {
      const activate = activateOn(sandbox);
      await activate('switch', 'closures/1');
      const before = takeSnapshot(sandbox.on('/etc'), { inodes: true });
      expect(await activate('boot', 'closures/2')).toEqual({
        status: 0,
        stdout: expect.stringMatching(
          /^Generation 2 is what the next boot shows; generation 1 stays live \([\d.]+ m?s\)\.\n$/u,
        ) as string,
        stderr: '',
      });
      expect(takeSnapshot(sandbox.on('/etc'), { inodes: true })).toEqual(before);
      expect(state(sandbox)).toEqual(['1', '2', '1\n']);
      expect(readFileSync(sandbox.on(`${STATE}/default/tmpfiles.d/activate.conf`), 'utf8')).toContain(
        `L+ /run/filesystem-overlay - - - - ${overlayOf(sandbox, 2)}\n`,
      );
      expect(await activate('boot', '2')).toMatchObject({
        status: 0,
        stdout: 'Generation 2 is what the next boot shows already; nothing to do.\n',
      });
      expect((await activate('boot', '1')).stdout).toStartWith(
        'Generation 1 is what the next boot shows; generation 1',
      );
      expect(state(sandbox)).toEqual(['1', '1', '1\n']);
      expect((await activate('switch', '2')).stdout).toMatch(live(2, 3));
      expect(state(sandbox)).toEqual(['2', '2', '2\n']);
    });
  });

  test('of the same closure again is the same generation', async () => {
    await withClosures(2, async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/1');
      await activate('boot', 'closures/2');
      expect(await activate('boot', 'closures/2')).toBe(
        'Generation 2 is what the next boot shows already; nothing to do.\n',
      );
      expect(await activate('switch', 'closures/2')).toMatch(live(2, 3));
    });
  });

  test('0 is refused while something is live: its links would dangle after the boot', async () => {
    await withClosures(1, async (sandbox) => {
      await insistOn(sandbox)('switch', 'closures/1');
      expect(await insistOn(sandbox)('boot', '0').then(String, String)).toContain('boot 0: status 3');
      expect(state(sandbox)).toEqual(['1', '1', '1\n']);
    });
  });
});

describe('rollback', () => {
  test('goes back one by one, down to nothing', async () => {
    await withClosures(3, async (sandbox) => {
      const activate = insistOn(sandbox);
      writeContents(sandbox.root, { 'etc/motd': { file: 'own\n', mode: 0o600 } });
      const seen = [takeSnapshot(sandbox.on('/etc'))];
      for (const closure of ['1', '2', '3']) {
        await activate('switch', `closures/${closure}`, '--on-conflict', 'backup');
        seen.push(takeSnapshot(sandbox.on('/etc')));
      }
      for (const [number, before] of [...seen.entries()].toReversed().slice(1)) {
        expect(await activate('rollback')).toStartWith(`Generation ${number} `);
        expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
        expect(state(sandbox).slice(0, 2)).toEqual([String(number), String(number)]);
      }
      expect((await activateOn(sandbox)('rollback')).status).toBe(2);
      expect(await activate('switch', '3', '--on-conflict', 'backup')).toContain('Generation 3 is live: ');
      expect(compareSnapshots(seen[3] ?? [], takeSnapshot(sandbox.on('/etc')), { times: false })).toEqual([]);
    });
  });

  test('to a number goes there, forward as well', async () => {
    await withClosures(3, async (sandbox) => {
      const activate = insistOn(sandbox);
      for (const closure of ['1', '2', '3']) await activate('switch', `closures/${closure}`);
      expect(await activate('rollback', '1')).toMatch(live(1, 3));
      expect(await activate('rollback', '3')).toMatch(live(3, 3));
      expect(await activate('rollback', '3')).toBe('Generation 3 is live already; nothing to do.\n');
      expect(await activate('rollback', '0')).toStartWith('Generation 0 (nothing managed) is live: 2 paths changed');
      expect(await activate('rollback', '0')).toBe('Generation 0 (nothing managed) is live already; nothing to do.\n');
    });
  });
});

describe('list', () => {
  testFor(
    ['tree'],
    'it shows what the overlay is',
    'has a line for each generation, and says which is what',
    async () => {
      await withClosures(3, async (sandbox) => {
        const activate = insistOn(sandbox);
        expect(await activate('list')).toBe('There are no generations: nothing is managed.\n');
        for (const closure of ['1', '2', '3']) await activate('switch', `closures/${closure}`);
        await activate('test', '2');
        writeContents(sandbox.root, { 'run/activate/boot.json': '{"schema": 1, "chosen": 1}' });
        const lines = (await activate('list')).split('\n');
        const at = String.raw`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d`;
        const closures = sandbox.on('/closures');
        const rows = [
          'number  made                 format  overlay  paths  role     closure',
          `1       ${at}  tree    tree     3      booted   ${closures}/1`,
          `2       ${at}  tree    tree     3      live     ${closures}/2`,
          `3       ${at}  tree    tree     3      default  ${closures}/3`,
          '',
        ];
        expect(lines).toEqual(rows.map((row) => expect.stringMatching(new RegExp(`^${row}$`)) as string));
        expect(await activate('status')).toMatch(/^booted {3}generation 1, made /mu);
        expect(JSON.parse(await activate('list', '--json'))).toMatchObject({
          schema: 1,
          live: 2,
          default: 3,
          booted: 1,
          generations: [
            { number: 1, roles: ['booted'], format: 'tree', paths: 3 },
            { number: 2, roles: ['live'] },
            { number: 3, roles: ['default'] },
          ],
        });
      });
    },
  );
});

function generations(sandbox: Sandbox): string[] {
  return readdirSync(sandbox.on(`${STATE}/generations`)).toSorted();
}

describe('gc', () => {
  test('keeps the newest, and what is live, default or booted', async () => {
    await withClosures(6, async (sandbox) => {
      const activate = insistOn(sandbox);
      for (const closure of ['1', '2', '3', '4', '5', '6']) await activate('switch', `closures/${closure}`);
      await activate('switch', '4');
      await activate('test', '2');
      writeContents(sandbox.root, { 'run/activate/boot.json': '{"schema": 1, "chosen": 1}' });
      expect(await activate('gc', '--keep', '1')).toBe('2 generations removed: 3, 5.\n');
      expect(generations(sandbox)).toEqual(['1', '2', '4', '6']);
      expect(await activate('gc', '--keep', '1')).toBe('0 generations removed.\n');
      expect(JSON.parse(await activate('gc', '--keep', '0', '--json'))).toEqual({ schema: 1, removed: [6] });
      expect(generations(sandbox)).toEqual(['1', '2', '4']);
      expect(await activate('status')).toContain(' 0 drifted');
      expect(await activate('rollback')).toMatch(live(1, 3));
    });
  });

  test('removes only what is older than it is told', async () => {
    await withClosures(3, async (sandbox) => {
      const activate = insistOn(sandbox);
      for (const closure of ['1', '2', '3']) await activate('switch', `closures/${closure}`);
      expect(await activate('gc', '--older-than', '1d')).toBe('0 generations removed.\n');
      expect(await activate('gc', '--older-than', '0m', '--keep', '2')).toBe('1 generation removed: 1.\n');
      expect(await activate('gc', '--older-than', '0m')).toBe('1 generation removed: 2.\n');
    });
  });

  test('leaves originals that are to come back', async () => {
    await withClosures(2, async (sandbox) => {
      writeContents(sandbox.root, { 'etc/motd': { file: 'own\n', mode: 0o600, uid: 3 } });
      const before = takeSnapshot(sandbox.on('/etc'));
      await insistOn(sandbox)('switch', 'closures/1', '--on-conflict', 'backup');
      await insistOn(sandbox)('switch', 'closures/2');
      await insistOn(sandbox)('gc', '--keep', '0');
      await insistOn(sandbox)('rollback', '0');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
    });
  });
});

test('status says when the pointer does not show what is live, and a switch puts that right', async () => {
  await withClosures(2, async (sandbox) => {
    const activate = insistOn(sandbox);
    await activate('switch', 'closures/1');
    await activate('switch', 'closures/2');
    const pointer = sandbox.on('/run/filesystem-overlay');
    for (const [script, word] of [
      [`ln -sfn ${overlayOf(sandbox, 1)} ${pointer}`, 'wrong'],
      [`rm ${pointer}`, 'missing'],
    ] as const) {
      Bun.spawnSync(['sh', '-c', script]);
      expect(await activate('status')).toContain(
        `The pointer /run/filesystem-overlay is ${word}: \`activate switch 2\` puts it right.\n`,
      );
      expect(await activate('switch', '2')).toMatch(live(2, 0));
      expect(state(sandbox)).toEqual(['2', '2', '2\n']);
    }
  });
});
