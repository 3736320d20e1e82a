import { describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { activateOn, insistOn, runActivate } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';
import { INITRAMFS, makeMachine, RECORD, UNITS } from '../support/hook-machine';

interface Document {
  readonly hook: string;
  readonly state: string;
  readonly files: readonly { readonly path: string; readonly action: string }[];
}

async function installed(sandbox: Sandbox, ...flags: readonly string[]): Promise<Document> {
  return JSON.parse(await insistOn(sandbox)('install', '--json', ...flags)) as Document;
}

describe('install', () => {
  test('puts what it says on the machine, and nothing the second time', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, '/usr/bin/dracut');
      const before = takeSnapshot(sandbox.root, { inodes: true });
      const planned = await installed(sandbox, '--dry-run');
      expect(compareSnapshots(before, takeSnapshot(sandbox.root, { inodes: true }), { times: true })).toEqual([]);
      expect(planned).toMatchObject({ hook: 'dracut', state: 'planned' });
      const done = await installed(sandbox);
      expect(done).toEqual({ ...planned, state: 'installed' });
      for (const { path } of done.files) expect(existsSync(sandbox.on(path))).toBe(true);
      expect(lstatSync(sandbox.on('/usr/lib/activate/boot')).mode & 0o7777).toBe(0o755);
      expect(readlinkSync(sandbox.on(`${UNITS}/initrd-cleanup.service.requires/activate-initrd.service`))).toBe(
        '../activate-initrd.service',
      );
      expect(existsSync(sandbox.on('/etc/systemd'))).toBe(false);
      expect(await installed(sandbox)).toMatchObject({ state: 'nothing to do' });
      expect(await insistOn(sandbox)('install')).toBe(
        [
          'The hook is dracut (initrds made by dracut), as it is installed; nothing to do.',
          'Have the initrds made anew.',
          '  dracut --regenerate-all --force',
          '',
        ].join('\n'),
      );
    });
  });

  test.each<[string, string[], string[], string]>([
    ['where initramfs-tools is', INITRAMFS, [], '/usr/share/initramfs-tools/scripts/init-bottom/activate'],
    [
      'where a boot loader has an initrd',
      ['/usr/bin/kernel-install'],
      [],
      '/usr/lib/kernel/install.d/60-activate.install',
    ],
    ['where no initrd is', [], [], '/usr/lib/activate/init'],
    ['as it was asked for', INITRAMFS, ['--oneshot'], `${UNITS}/sysinit.target.wants/activate-boot.service`],
  ])('%s is the hook for it', async (_, paths, flags, file) => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, ...paths);
      writeContents(sandbox.root, { 'boot/loader/entries/a.conf': 'linux /l\ninitrd /i\n' });
      const { files } = await installed(sandbox, ...flags);
      expect(files.map(({ path }) => path)).toContain(file);
    });
  });

  test('has a service behind it, for boots in which it does not run', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, '/usr/bin/dracut');
      await installed(sandbox);
      const unit = (): string => readFileSync(sandbox.on(`${UNITS}/activate-boot.service`), 'utf8');
      expect(existsSync(sandbox.on(`${UNITS}/sysinit.target.wants/activate-boot.service`))).toBe(true);
      expect(unit()).toMatch(/^ConditionPathIsSymbolicLink=\/var\/lib\/activate\/default$/mu);
      expect(unit()).toMatch(/^ExecCondition=.*is-active sysinit\.target/mu);
      expect(unit()).toMatch(/^Environment=.* HOOK=fallback$/mu);
      // It comes before them all: to wait for one would be a cycle in every boot.
      expect(unit()).not.toContain('RequiresMountsFor');
      await installed(sandbox, '--oneshot');
      expect(unit()).not.toMatch(/SymbolicLink|fallback|@/u);
      expect(unit()).toMatch(/^RequiresMountsFor=\/var\/lib\/activate \/run$/mu);
      expect(unit()).toMatch(/^Environment=.* HOOK=oneshot$/mu);
    });
  });

  test('takes the hook before away', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, '/usr/bin/dracut');
      const before = takeSnapshot(sandbox.on('/usr'));
      const activate = insistOn(sandbox);
      await activate('install', '--init-wrapper');
      const { files } = await installed(sandbox, '--oneshot');
      expect(files.filter(({ action }) => action === 'remove').map(({ path }) => path)).toEqual([
        '/usr/lib/activate/init',
      ]);
      expect(existsSync(sandbox.on('/usr/lib/activate/init'))).toBe(false);
      expect(await activate('uninstall')).toContain('The hook oneshot is gone: ');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/usr')), { times: false })).toEqual([]);
    });
  });

  test.each<[string, (sandbox: Sandbox) => void, RegExp]>([
    [
      'a file of somebody else',
      (sandbox) => writeContents(sandbox.root, { 'usr/lib/activate/boot': 'mine\n' }),
      /usr\/lib\/activate\/boot: a file that activate did not install is there: it is in the way\n/u,
    ],
    [
      'a file that another user could change',
      (sandbox) =>
        writeContents(sandbox.root, {
          'usr/lib/activate': { directory: 0o755 },
          'usr/lib/activate/bless': { link: '/tmp/x' },
        }),
      /usr\/lib\/activate\/bless: a link that activate did not install is there: it is in the way\n/u,
    ],
    [
      'a link above',
      (sandbox) => {
        mkdirSync(sandbox.on('/opt'));
        symlinkSync('/opt', sandbox.on('/usr/lib/activate'));
      },
      /usr\/lib\/activate: a symlink is in place of a directory/u,
    ],
  ])('is refused, and nothing changed, where %s is in the way', async (_, prepare, said) => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      prepare(sandbox);
      const before = takeSnapshot(sandbox.on('/usr'));
      const { status, stderr } = await activateOn(sandbox)('install');
      expect(status).toBe(3);
      expect(stderr).toMatch(said);
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/usr')), { times: false })).toEqual([]);
      expect(existsSync(sandbox.on(RECORD))).toBe(false);
    });
  });

  test('puts back what is missing, and refuses what somebody changed', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const activate = activateOn(sandbox);
      await activate('install');
      unlinkSync(sandbox.on('/usr/lib/activate/init'));
      await activate('switch', writeClosure(sandbox, 'one', { 'etc/motd': '' }));
      expect((await activate('status')).stdout).toContain('  changed: /usr/lib/activate/init\n');
      expect((await activate('install')).stdout).toContain(': 1 file changed.\n');
      chmodSync(sandbox.on('/usr/lib/activate/init'), 0o700);
      expect(await activate('install')).toMatchObject({
        status: 3,
        stderr: `activate: ${sandbox.on('/usr/lib/activate/init')}: somebody changed what was installed here: it is in the way\nMove it away. Nothing was changed.\n`,
      });
    });
  });

  test.each<[string, string[], string]>([
    ['two hooks', ['--oneshot', '--init-wrapper'], 'activate: a machine has one boot hook\n'],
    [
      'initrds of another machine',
      ['--rebuild', '--oneshot'],
      'activate: the initrds of another tree cannot be made here\n',
    ],
  ])('is wrong usage with %s', async (_, flags, said) => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const { status, stderr } = await activateOn(sandbox)('install', ...flags);
      expect(status).toBe(2);
      expect(stderr).toStartWith(said);
    });
  });

  test('wants an initrd where fstab has /var', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      writeContents(sandbox.root, { 'etc/fstab': '/dev/sda2 /var ext4 x-initrd.mount\n' });
      const { status, stderr } = await activateOn(sandbox)('install', '--oneshot');
      expect(status).toBe(3);
      expect(stderr).toStartWith('activate: /var: it holds the state of activate and is a filesystem of its own');
      await insistOn(sandbox)('install', '--initrd', 'addon');
    });
  });

  test.each<[string, string[], string[]]>([
    [
      'dracut',
      ['/usr/bin/dracut'],
      ['/usr/lib/activate/before-mount', '/usr/lib/dracut/dracut.conf.d/51-activate-closure.conf'],
    ],
    [
      'initramfs-tools',
      INITRAMFS,
      ['/usr/lib/activate/before-mount', '/usr/share/initramfs-tools/scripts/local-top/activate-before-mount'],
    ],
    ['init', [], []],
  ])('with %s has what the closure wants in an initrd', async (hook, paths, files) => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox, ...paths);
      const activate = insistOn(sandbox);
      const policy = 'schema = 1\n[initrd]\nbefore-mount = [["true"]]\n';
      await activate('install');
      await activate('switch', writeClosure(sandbox, 'one', { 'activation.toml': policy, 'etc/motd': '' }));
      const later = await installed(sandbox);
      expect(later.hook).toBe(hook);
      const made = later.files.filter(({ action, path }) => action === 'create' && !path.includes('/systemd/'));
      expect(made.map(({ path }) => path)).toEqual(files);
      await activate('switch', writeClosure(sandbox, 'two', { 'etc/motd': '' }));
      await activate('install');
      for (const file of files) expect(existsSync(sandbox.on(file))).toBe(false);
    });
  });

  test('refuses a oneshot while there are links that are read before it', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const activate = activateOn(sandbox);
      await activate('switch', writeClosure(sandbox, 'one', { 'etc/crypttab': '', 'etc/motd': '' }));
      expect(await activate('install', '--oneshot')).toMatchObject({
        status: 3,
        stderr: expect.stringMatching(
          /^activate: generation 1 has links that are read before this hook has run: \/etc\/crypttab\n/u,
        ) as string,
      });
      await insistOn(sandbox)('install');
      expect((await activate('status')).stdout).toContain(
        'hook     init: an init that starts the real one; this boot began without it\n',
      );
    });
  });
});

describe('with a oneshot', () => {
  test('what is read before it becomes a copy', async () => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const activate = insistOn(sandbox);
      await activate('install', '--oneshot');
      await activate(
        'switch',
        writeClosure(sandbox, 'one', { 'etc/crypttab': 'x\n', 'etc/modprobe.d/a.conf': '', 'etc/motd': '' }),
      );
      const kinds = ['/etc/crypttab', '/etc/modprobe.d/a.conf', '/etc/motd'].map((path) =>
        lstatSync(sandbox.on(path)).isFile(),
      );
      expect(kinds).toEqual([true, true, false]);
    });
  });

  test.each(['switch', 'test', 'boot'])('%s is refused where a policy wants links there', async (verb) => {
    await withSandbox(async (sandbox) => {
      makeMachine(sandbox);
      const activate = activateOn(sandbox);
      await insistOn(sandbox)('install', '--oneshot');
      const closure = writeClosure(sandbox, 'one', {
        'etc/crypttab': 'x\n',
        'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/crypttab"\nplace = "link"\n',
      });
      const { status, stderr } = await activate(verb, closure);
      expect(status).toBe(3);
      expect(stderr).toStartWith(
        'activate: the boot hook, oneshot, shows generations after these have been read, and they would be links: /etc/crypttab\n',
      );
      expect(existsSync(sandbox.on('/etc/crypttab'))).toBe(false);
    });
  });
});

/** Runs commands, and keeps what they warn of. */
function listenOn(sandbox: Sandbox): { readonly said: string[]; readonly run: (...argv: string[]) => Ran } {
  const said: string[] = [];
  const warn = (message: string): void => void said.push(message);
  const log = { debug: () => undefined, info: () => undefined, warn, error: () => undefined };
  return { said, run: async (...argv) => runActivate(['--root', sandbox.root, ...argv], { log }) };
}

type Ran = ReturnType<typeof runActivate>;

test('initrds that were made before the hook are named by a switch and by status, until one is made', async () => {
  await withSandbox(async (sandbox) => {
    const { said, run } = listenOn(sandbox);
    makeMachine(sandbox, '/usr/bin/dracut', '/boot/initrd.img-6.1', '/boot/token/6.1/initrd', '/boot/vmlinuz-6.1');
    for (const name of ['initrd.img-6.1', 'token/6.1/initrd']) utimesSync(sandbox.on(`/boot/${name}`), 1e9, 1e9);
    mkdirSync(sandbox.on('/run/systemd/system'), { recursive: true });
    await run('install');
    await run('switch', writeClosure(sandbox, 'one', { 'etc/motd': '1' }));
    const what = 'dracut --regenerate-all --force` before you reboot';
    expect(said).toEqual([`the initrds were made before the boot hook was installed: \`${what}`]);
    expect((await run('status')).stdout).toContain(`  The initrds were made before it was installed: \`${what}.\n`);
    const later = Date.now() / 1000 + 9;
    utimesSync(sandbox.on('/boot/token/6.1/initrd'), later, later);
    await run('switch', writeClosure(sandbox, 'two', { 'etc/motd': '2' }));
    expect(said).toHaveLength(1);
    expect((await run('status')).stdout).not.toContain('were made before');
  });
});

test('without a hook a switch of a machine that was booted says what the next boot would find, and does it', async () => {
  await withSandbox(async (sandbox) => {
    const { said, run } = listenOn(sandbox);
    await run('switch', writeClosure(sandbox, 'one', { 'etc/motd': '1' }));
    expect(said).toEqual([]);
    mkdirSync(sandbox.on('/run/systemd/system'), { recursive: true });
    expect(await run('switch', writeClosure(sandbox, 'one', { 'etc/motd': '' }))).toMatchObject({ status: 0 });
    expect(said).toEqual([
      'no boot hook is installed: the next boot would find links that lead nowhere; `activate install` before you reboot',
    ]);
    makeMachine(sandbox);
    await run('install');
    await run('switch', writeClosure(sandbox, 'two', { 'etc/motd': '2' }));
    await run('rollback', '0');
    expect(said).toHaveLength(1);
  });
});

test('generations of an activate that knew nothing of boots get what a boot has to know of them', async () => {
  await withSandbox(async (sandbox) => {
    makeMachine(sandbox);
    const activate = insistOn(sandbox);
    for (const name of ['one', 'two']) await activate('switch', writeClosure(sandbox, name, { 'etc/which': name }));
    const read = (): Record<string, string> =>
      Object.fromEntries(
        ['1/boot/entries.sh', '1/boot/bring.sh', '2/boot/entries.sh', '2/boot/ledger.sh'].map((file) => [
          file,
          readFileSync(sandbox.on(`/var/lib/activate/generations/${file}`), 'utf8'),
        ]),
      );
    const before = read();
    for (const file of Object.keys(before)) unlinkSync(sandbox.on(`/var/lib/activate/generations/${file}`));
    await activate('install', '--init-wrapper');
    expect(read()).toEqual(before);
  });
});
