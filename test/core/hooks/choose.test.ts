import { describe, expect, test } from 'bun:test';
import { ActivateError } from '../../../src/core/errors';
import { chooseHook, type MachineFacts, ownFilesystems, parseFstab } from '../../../src/core/hooks/choose';
import { type HookName, hookNames, initrdHooks } from '../../../src/core/hooks/hook';
import { path } from '../../support/entries';

const dracut = { hook: 'dracut', seen: path('/usr/bin/dracut') } as const;
const initramfs = { hook: 'initramfs-tools', seen: path('/usr/sbin/update-initramfs') } as const;
const loader = { hook: 'addon', seen: path('/boot/loader/entries') } as const;

const plain: MachineFacts = {
  makers: [],
  wired: [],
  ownFilesystems: [],
  systemdVersion: 252,
  init: path('/usr/lib/systemd/systemd'),
};

/** The hook and why, or the refusal. */
function choose(facts: Partial<MachineFacts>, asked?: HookName, installed?: HookName): string {
  try {
    const { hook, why } = chooseHook({ ...plain, ...facts }, asked, installed);
    return `${hook}: ${why}`;
  } catch (error) {
    if (!(error instanceof ActivateError)) throw error;
    expect(error.code).toBe('REFUSED');
    expect(error.hint).toEndWith('.');
    return `${error.path === undefined ? '' : `${error.path}: `}${error.message}`;
  }
}

/** /var on its own, with these options in fstab; without any it is not there. */
function separate(...options: readonly string[]): Pick<MachineFacts, 'ownFilesystems'> {
  const known = options.length === 0 ? undefined : options;
  return { ownFilesystems: [{ path: path('/var'), holds: 'the state of activate', options: known }] };
}

describe('the hook of a machine', () => {
  test.each<[string, Partial<MachineFacts>, string]>([
    ['with dracut', { makers: [dracut] }, 'dracut: /usr/bin/dracut is here'],
    ['with initramfs-tools', { makers: [initramfs] }, 'initramfs-tools: /usr/sbin/update-initramfs is here'],
    ['with a boot loader alone', { makers: [loader] }, 'addon: /boot/loader/entries is here'],
    ['with dracut and such a boot loader', { makers: [dracut, loader] }, 'dracut: /usr/bin/dracut is here'],
    ['without initrd', {}, 'init: nothing here makes initrds'],
    [
      'with both, of which kernels get one',
      { makers: [dracut, initramfs], wired: ['initramfs-tools'] },
      'initramfs-tools: /usr/sbin/update-initramfs is here',
    ],
    ['with a systemd that nobody knows', { systemdVersion: undefined }, 'init: nothing here makes initrds'],
    [
      'with /var marked in fstab',
      { makers: [dracut], ...separate('x-initrd.mount') },
      'dracut: /usr/bin/dracut is here',
    ],
    [
      'with /var in fstab',
      { makers: [initramfs], ...separate('defaults') },
      'initramfs-tools: /usr/sbin/update-initramfs is here',
    ],
    [
      'with /usr on its own',
      { makers: [dracut], ownFilesystems: [{ path: path('/usr'), holds: 'the system', options: ['ro'] }] },
      'dracut: /usr/bin/dracut is here',
    ],
  ])('%s', (_, facts, expected) => {
    expect(choose(facts)).toBe(expected);
  });

  test.each<[string, Partial<MachineFacts>, HookName | undefined, string]>([
    [
      'two makers of initrds',
      { makers: [dracut, initramfs] },
      undefined,
      'several programs make initrds here: /usr/bin/dracut, /usr/sbin/update-initramfs',
    ],
    ['an old systemd', { systemdVersion: 251 }, 'oneshot', 'systemd 251 is too old to boot like this'],
    ['no init', { init: undefined }, undefined, 'there is no init here that the wrapper could start'],
    ['no dracut', {}, 'dracut', 'dracut is not installed'],
    [
      'a oneshot with /var on its own',
      separate('x-initrd.mount'),
      'oneshot',
      '/var: it holds the state of activate and is a filesystem of its own, which is mounted too late without an initrd',
    ],
    [
      'an init with /var on its own',
      separate('x-initrd.mount'),
      undefined,
      '/var: it holds the state of activate and is a filesystem of its own, which is mounted too late without an initrd',
    ],
    [
      'dracut with /var that is not marked',
      { makers: [dracut], ...separate('defaults') },
      undefined,
      '/var: it holds the state of activate and is a filesystem of its own, which the initrd does not mount',
    ],
    [
      'initramfs-tools with /var that is not in fstab',
      { makers: [initramfs], ...separate() },
      undefined,
      '/var: it holds the state of activate and is a filesystem of its own, which the initrd does not mount',
    ],
    [
      'initramfs-tools with /var that is another directory',
      { makers: [initramfs], ...separate('bind') },
      undefined,
      '/var: it holds the state of activate and is a filesystem of its own, which the initrd does not mount',
    ],
  ])('is refused: %s', (_, facts, asked, expected) => {
    expect(choose(facts, asked)).toBe(expected);
  });

  test.each([...hookNames])('is the one that was asked for: %s', (hook) => {
    expect(choose({ makers: [dracut, initramfs] }, hook)).toBe(`${hook}: it was asked for`);
  });

  test('stays the one that is installed, while that works', () => {
    expect(choose({ makers: [dracut] }, undefined, 'oneshot')).toBe('oneshot: it is installed');
    expect(choose({ makers: [dracut] }, 'init', 'oneshot')).toBe('init: it was asked for');
    expect(choose({ makers: [dracut] }, undefined, 'initramfs-tools')).toBe('dracut: /usr/bin/dracut is here');
    expect(choose({ makers: [dracut], ...separate('x-initrd.mount') }, undefined, 'init')).toBe(
      'dracut: /usr/bin/dracut is here',
    );
  });

  test('never needs what is mounted late', () => {
    for (const hook of hookNames) {
      const isInitrd = initrdHooks.some((each) => each === hook);
      const said = choose({ makers: [dracut, initramfs], ...separate('rw', 'x-initrd.mount') }, hook);
      expect(said).toStartWith(isInitrd ? hook : '/var: it holds');
    }
  });
});

describe('filesystems of their own', () => {
  const needed = new Map([
    [path('/var/lib/activate'), 'the state of activate'],
    [path('/nix/store/0-x'), 'what generation 3 shows'],
  ]);
  const fstab = [
    '# <file system> <mount point> <type> <options>',
    'UUID=1 / ext4 defaults 0 1',
    '/dev/sda2\t/var/  ext4 rw,x-initrd.mount 0 2',
    '/dev/sda3 /var/log ext4 defaults',
    '/dev/sda4 /srv/a\\040b ext4 noauto',
    '/dev/sda5 none swap sw',
    '',
  ].join('\n');

  test('are those of fstab and those that are mounted, above what is needed', () => {
    expect(ownFilesystems(fstab, ['/', '/nix', '/nix/store/0-y', '/var', '/home'], needed)).toEqual([
      { path: path('/nix'), holds: 'what generation 3 shows', options: undefined },
      { path: path('/var'), holds: 'the state of activate', options: ['rw', 'x-initrd.mount'] },
    ]);
    expect(ownFilesystems('', [], needed)).toEqual([]);
  });

  test('are read as fstab(5) has them', () => {
    expect([...parseFstab(fstab)]).toEqual([
      ['/', ['defaults']],
      ['/var', ['rw', 'x-initrd.mount']],
      ['/var/log', ['defaults']],
      ['/srv/a b', ['noauto']],
    ]);
  });
});
