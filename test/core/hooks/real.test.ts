import { expect, test } from 'bun:test';
import { type HookName, hookNames } from '../../../src/core/hooks/hook';
import { danglingAtBoot, hookRules } from '../../../src/core/hooks/real';
import { compileRules } from '../../../src/core/policy/policy';
import { path } from '../../support/entries';

const links = ['fstab', 'hosts', 'machine-id', 'modprobe.d', 'modprobe.d/x.conf', 'pam.d/login', 'selinux/config'].map(
  (name) => path(`/etc/${name}`),
);
const own = [{ path: path('/var'), holds: 'the state', options: ['x-initrd.mount'] }];

test.each<[HookName, string[], string[]]>([
  ['dracut', [], ['fstab']],
  ['initramfs-tools', [], ['fstab']],
  ['addon', [], ['fstab']],
  ['init', [], []],
  [
    'oneshot',
    ['fstab', 'machine-id', 'modprobe.d', 'modprobe.d/x.conf', 'selinux/config'],
    ['fstab', 'machine-id', 'modprobe.d', 'modprobe.d/x.conf', 'selinux/config'],
  ],
])('%s comes after these have been read', (hook, alone, mounting) => {
  const names = (filesystems: typeof own): string[] =>
    danglingAtBoot(hook, filesystems, links).map((each) => each.replace('/etc/', ''));
  expect(names([])).toEqual(alone);
  expect(names(own)).toEqual(mounting);
});

test('each of them is a copy where nobody says otherwise', () => {
  for (const hook of hookNames) {
    const ruleFor = compileRules(hookRules(hook));
    const files = danglingAtBoot(hook, own, links).filter((each) => each !== '/etc/modprobe.d');
    for (const each of files) expect(ruleFor(each, 'other')?.place).toBe('copy');
  }
  expect(hookRules(undefined)).toEqual([]);
});
