import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';
import { INITRAMFS, makeMachine, RECORD, UNITS } from '../support/hook-machine';

describe('uninstall', () => {
  test('removes exactly what was installed', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, ...INITRAMFS);
      writeContents(sandbox.root, {
        [`${UNITS.slice(1)}/multi-user.target.wants/other.service`]: { link: '../other.service' },
      });
      const before = takeSnapshot(sandbox.on('/usr'));
      const activate = insistOn(sandbox);
      await activate('install');
      expect(await activate('uninstall')).toMatch(
        /^The hook initramfs-tools is gone: \d+ files removed\.\nHave the initrds made anew\.\n {2}update-initramfs -u -k all\n$/u,
      );
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/usr')), { times: false })).toEqual([]);
      expect(existsSync(sandbox.on(RECORD))).toBe(false);
      expect(await activate('uninstall')).toBe('No hook is installed; nothing to do.\n');
    });
  });

  test('leaves what somebody changed, and what was there before', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const theirs = readFileSync(`${import.meta.dir}/../../tmpfiles/activate-directories.conf`, 'utf8');
      writeContents(sandbox.root, { 'usr/lib/tmpfiles.d/activate-directories.conf': theirs });
      const activate = insistOn(sandbox);
      await activate('install');
      writeFileSync(sandbox.on('/usr/lib/activate/init'), 'mine\n');
      expect(await activate('uninstall')).toContain('/usr/lib/activate/init: somebody changed it, so it stays\n');
      expect(readFileSync(sandbox.on('/usr/lib/activate/init'), 'utf8')).toBe('mine\n');
      expect(existsSync(sandbox.on('/usr/lib/activate/boot'))).toBe(false);
      expect(existsSync(sandbox.on('/usr/lib/tmpfiles.d/activate-directories.conf'))).toBe(true);
    });
  });

  test('is refused while the kernel is told to start what would go', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, '/usr/bin/dracut');
      const activate = activateOn(sandbox);
      await activate('install', '--init-wrapper');
      writeContents(sandbox.root, { 'etc/default/grub': 'GRUB_CMDLINE_LINUX="quiet init=/usr/lib/activate/init"\n' });
      for (const argv of [['uninstall'], ['install', '--initrd', 'dracut']])
        expect(await activate(...argv)).toEqual({
          status: 3,
          stdout: '',
          stderr:
            'activate: /etc/default/grub: the kernel is told to start /usr/lib/activate/init, and panics without it\nTake init=/usr/lib/activate/init off the kernel command line, and reboot, first.\n',
        });
      expect(existsSync(sandbox.on('/usr/lib/activate/init'))).toBe(true);
      writeFileSync(sandbox.on('/etc/default/grub'), 'GRUB_CMDLINE_LINUX="quiet"\n');
      expect((await activate('uninstall')).status).toBe(0);
    });
  });

  test('is refused while the next boot needs it', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const activate = activateOn(sandbox);
      await activate('install');
      await activate('switch', writeClosure(sandbox, 'one', { 'etc/motd': '' }));
      expect(await activate('uninstall')).toEqual({
        status: 3,
        stdout: '',
        stderr:
          'activate: generation 1 is live: without a hook the next boot would find links that lead nowhere\nGive everything back first: `activate rollback 0`. With --force the hook goes all the same.\n',
      });
      expect((await activate('uninstall', '--force')).status).toBe(0);
    });
  });
});
