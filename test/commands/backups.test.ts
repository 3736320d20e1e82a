import { describe, expect, test } from 'bun:test';
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { seal } from '../support/seal';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

/**
 * A machine whose own /etc/motd (backup 1) and /etc/conf.d (2) were taken over, and whose edit of /etc/motd (3) was put
 * aside by the second switch.
 */
async function withBackups(task: (sandbox: Sandbox, etc: string[]) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    writeFileSync(sandbox.on('/etc/motd'), 'own\n');
    chmodSync(sandbox.on('/etc/motd'), 0o640);
    utimesSync(sandbox.on('/etc/motd'), 1e9, 1e9);
    mkdirSync(sandbox.on('/etc/conf.d'));
    writeFileSync(sandbox.on('/etc/conf.d/own'), 'x\n');
    const before = seeEtc(sandbox);
    const activate = insistOn(sandbox);
    const one = writeClosure(sandbox, 'one', { 'etc/motd': 'ours\n', 'etc/conf.d': 'a file\n' });
    await activate('switch', one, '--on-conflict', 'backup');
    rmSync(sandbox.on('/etc/motd'));
    writeFileSync(sandbox.on('/etc/motd'), 'edited\n');
    await activate('switch', writeClosure(sandbox, 'two', { 'etc/motd': 'newer\n', 'etc/conf.d': 'a file\n' }));
    await task(sandbox, before);
  });
}

function seeEtc(sandbox: Sandbox): string[] {
  return takeSnapshot(sandbox.on('/etc')).map((seen) => JSON.stringify(seen));
}

function motd(sandbox: Sandbox): string {
  return readFileSync(sandbox.on('/etc/motd'), 'utf8');
}

describe('activate backups', () => {
  test('lists what was taken out of the way: when, why, for which generation, and from where', async () => {
    await withBackups(async (sandbox) => {
      const said = await insistOn(sandbox)('backups');
      const rows = said.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/gu, 'TIME').split('\n');
      expect(rows.map((row) => row.replaceAll(/ {2,}/gu, '|'))).toEqual([
        'number|made|what|generation|path',
        "1|TIME|the machine's own, to come back|1|/etc/conf.d",
        "2|TIME|the machine's own, to come back|1|/etc/motd",
        '3|TIME|a change of ours|2|/etc/motd',
        '',
      ]);
      const { backups } = JSON.parse(await insistOn(sandbox)('backups', '--json')) as { backups: object[] };
      expect(backups[2]).toMatchObject({
        number: 3,
        path: '/etc/motd',
        reason: 'drifted',
        generation: 2,
        use: 'spare',
      });
    });
  });

  test('says so where there is none', async () => {
    await withSandbox(async (sandbox) => {
      expect(await insistOn(sandbox)('backups')).toBe('There are no backups.\n');
    });
  });
});

describe('activate backups diff', () => {
  test('shows what restoring would change, of files and of directories', async () => {
    await withBackups(async (sandbox) => {
      const activate = insistOn(sandbox);
      expect(await activate('backups', 'diff', '3')).toContain('-newer\n+edited\n');
      expect(await activate('backups', 'diff', '1')).toContain('+++ b/etc/conf.d/own\n@@ -0,0 +1 @@\n+x\n');
      // Not everyone may read it.
      expect(await activate('backups', 'diff', '2')).toContain('content withheld');
      expect(await activate('backups', 'diff', '2', '--show-secrets')).toContain('-newer\n+own\n');
    });
  });
});

describe('activate backups restore', () => {
  test('puts a change back, keeps what was there, and keeps the path from then on', async () => {
    await withBackups(async (sandbox) => {
      const activate = insistOn(sandbox);
      expect(await activate('backups', 'restore', '3')).toBe(
        '/etc/motd: backup 3 is back; what was there is backup 4.\n',
      );
      expect(motd(sandbox)).toBe('edited\n');
      expect(await activate('status')).toContain('  kept: /etc/motd\n');
      await activate('switch', writeClosure(sandbox, 'three', { 'etc/motd': 'newest\n' }));
      expect(motd(sandbox)).toBe('edited\n');
      await activate('switch', '2', '--on-drift', 'backup');
      expect(lstatSync(sandbox.on('/etc/motd')).isSymbolicLink()).toBe(true);
    });
  });

  test("puts the machine's own back, for good", async () => {
    await withBackups(async (sandbox, before) => {
      const activate = insistOn(sandbox);
      await activate('backups', 'restore', '2');
      expect([motd(sandbox), lstatSync(sandbox.on('/etc/motd')).mode & 0o7777]).toEqual(['own\n', 0o640]);
      await activate('switch', '1');
      expect(motd(sandbox)).toBe('own\n');
      await activate('rollback', '0');
      expect(seeEtc(sandbox)).toEqual(before);
    });
  });

  test('puts back what is managed no more', async () => {
    await withBackups(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('rollback', '0');
      await activate('backups', 'restore', '3');
      expect(motd(sandbox)).toBe('edited\n');
      expect((await activate('backups')).split('\n')).toHaveLength(3);
      await activate('backups', 'restore', '4');
      expect(motd(sandbox)).toBe('own\n');
    });
  });

  test.each([
    ['a number that is none', ['9'], 2, 'activate: there is no backup 9\nSee `activate backups`.\n'],
    ['no number', ['x'], 2, "error: command-argument value 'x' is invalid"],
  ])('refuses %s', async (_, argv, status, message) => {
    await withBackups(async (sandbox) => {
      const before = takeSnapshot(sandbox.root);
      const ran = await activateOn(sandbox)('backups', 'restore', ...argv);
      expect([ran.status, ran.stderr.includes(message.replace(/^error: /u, ''))]).toEqual([status, true]);
      expect(compareSnapshots(before, takeSnapshot(sandbox.root), { times: true })).toEqual([]);
    });
  });

  test('refuses where the directory is gone', async () => {
    await withBackups(async (sandbox) => {
      const record = sandbox.on('/var/lib/activate/backups/3/backup.json');
      const { seal: _, ...backup } = JSON.parse(readFileSync(record, 'utf8')) as Record<string, unknown>;
      writeFileSync(record, seal({ ...backup, path: '/etc/gone/motd' }));
      const { status, stderr } = await activateOn(sandbox)('backups', 'restore', '3');
      expect(status).toBe(3);
      expect(stderr).toContain('/etc/gone: the directory that it was in is not there');
    });
  });
});

describe('activate backups prune', () => {
  test('removes what is named, or old, and never what is to come back', async () => {
    await withBackups(async (sandbox, before) => {
      const activate = insistOn(sandbox);
      const refused = await activateOn(sandbox)('backups', 'prune', '3', '2');
      expect([refused.status, refused.stderr]).toEqual([
        3,
        `activate: ${sandbox.root}/etc/motd: backup 2 is the machine's own, and comes back on rollback\nIt goes with \`activate rollback\`, or \`activate backups restore\` puts it back now.\n`,
      ]);
      expect(await activate('backups', 'prune', '--older-than', '1d')).toBe('0 backups removed.\n');
      expect(await activate('backups', 'prune', '--keep', '1')).toBe('0 backups removed.\n');
      expect(await activate('backups', 'prune', '--keep', '0')).toBe('1 backup removed: 3\n'.replace('\n', '.\n'));
      expect((await activateOn(sandbox)('backups', 'prune')).status).toBe(2);
      await activate('rollback', '0');
      expect(seeEtc(sandbox)).toEqual(before);
    });
  });
});
