/** What a boot takes from a system and a switch does not change; by the names that NixOS and Guix give it. */
export const bootParts = [
  { name: 'kernel', what: 'kernel' },
  { name: 'initrd', what: 'initrd' },
  { name: 'kernel-modules', what: 'kernel modules' },
  { name: 'kernel-params', what: 'kernel parameters' },
  { name: 'parameters', what: 'kernel parameters' },
  { name: 'systemd', what: 'systemd' },
] as const;

/** What each of {@link bootParts} of a system is: the path that it leads to, or its text; nothing where it has none. */
export type BootParts = Readonly<Record<string, string>>;

/** What differs between the system that was booted and the one that the next boot begins; each is a reason for a reboot. */
export function rebootReasons(booted: BootParts, next: BootParts): string[] {
  const differing = bootParts.filter(({ name }) => next[name] !== undefined && booted[name] !== next[name]);
  return [...new Set(differing.map(({ what }) => what))];
}
