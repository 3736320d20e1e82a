import type { HookName } from './hook';

/** What has to be done after installing or removing a hook, before it has an effect. */
export interface Next {
  /** In words, a sentence. */
  readonly what: string;
  /** What to type, where that is the same everywhere. */
  readonly command?: readonly [program: string, ...args: readonly string[]];
}

/** What makes all initrds anew, where that is one command everywhere. */
export const rebuilds: Readonly<Partial<Record<HookName, NonNullable<Next['command']>>>> = {
  dracut: ['dracut', '--regenerate-all', '--force'],
  'initramfs-tools': ['update-initramfs', '-u', '-k', 'all'],
};

/** What people do next. The boot goes the old way until then. */
export function nextSteps(hook: HookName, verb: 'install' | 'uninstall'): Next[] {
  const command = rebuilds[hook];
  if (command !== undefined) return [{ what: 'Have the initrds made anew.', command }];
  if (hook === 'addon')
    return verb === 'install'
      ? [{ what: ADD }]
      : [{ what: 'Have kernel-install add the kernels anew, and take the add-on away from other initrds.' }];
  if (hook === 'init')
    return [
      { what: verb === 'install' ? INIT : 'init=/usr/lib/activate/init must not be on the kernel command line.' },
    ];
  return [];
}

const ADD =
  'Have kernel-install add the kernels anew (`kernel-install add VERSION IMAGE`, or `kernel-install add-all`); append /usr/lib/activate/addon.cpio to initrds that it does not place.';

const INIT =
  'Put init=/usr/lib/activate/init on the kernel command line: in GRUB_CMDLINE_LINUX of /etc/default/grub, then `update-grub`; or in /etc/kernel/cmdline.';
