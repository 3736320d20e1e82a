/** What shows the default generation when the machine boots, in the words of the command line. */
export const hookNames = ['dracut', 'initramfs-tools', 'addon', 'init', 'oneshot'] as const;
export type HookName = (typeof hookNames)[number];

/** Those that work in an initrd; the first word is what `--initrd` is given. */
export const initrdHooks = ['dracut', 'initramfs-tools', 'addon'] as const satisfies readonly HookName[];

/** A hook as people know it. */
export const hookTitles: Readonly<Record<HookName, string>> = {
  dracut: 'initrds made by dracut',
  'initramfs-tools': 'initrds made by initramfs-tools',
  addon: 'an add-on for systemd initrds, placed by kernel-install',
  init: 'an init that starts the real one',
  oneshot: 'a service early at boot, with a daemon-reload',
};

/** Whether a hook is over before PID 1 of the real root reads /etc. */
export function isBeforeInit(hook: HookName): boolean {
  return hook !== 'oneshot';
}

/** Whether a hook works in an initrd, which has mounted little. */
export function isInInitrd(hook: HookName): boolean {
  return initrdHooks.some((each) => each === hook);
}
