import type { TargetPath } from '../path';
import { compileRules, type Rule } from '../policy/policy';
import type { OwnFilesystem } from './choose';
import { type HookName, isInInitrd } from './hook';

/**
 * What systemd, the kernel or an initrd reads in /etc before the oneshot shows a generation: PID 1 itself, its generators, and
 * modprobe for the first modules.
 */
const BEFORE_ONESHOT = [
  'machine-id',
  'hostname',
  'locale.conf',
  'fstab',
  'crypttab',
  'veritytab',
  'integritytab',
  'modprobe.d',
  'selinux',
];

/** The filesystems that an initrd mounts are named in the fstab of the root, which it reads before a generation can be shown. */
const BEFORE_INITRD = ['fstab'];

/** What becomes a copy where a closure and its policy say nothing else: links would lead nowhere when it is read. */
export function hookRules(hook: HookName | undefined): Rule[] {
  const names = patternsOf(hook).map((name) => (DIRECTORIES.has(name) ? `${name}/**` : name));
  return names.map((name) => ({ match: `/etc/${name}`, place: 'copy', origin: 'built-in' }));
}

const DIRECTORIES = new Set(['modprobe.d', 'selinux']);

/**
 * Those of `links`, links through the pointer, that something reads before the hook has shown what they lead to.
 *
 * @param own the filesystems that the boot needs: without any, an initrd has nothing to look for in fstab
 */
export function danglingAtBoot(
  hook: HookName,
  own: readonly OwnFilesystem[],
  links: Iterable<TargetPath>,
): TargetPath[] {
  if (isInInitrd(hook) && own.length === 0) return [];
  const ruleFor = compileRules(patternsOf(hook).map((name) => ({ match: `/etc/${name}` })));
  return [...links].filter((path) => ruleFor(path, 'other') !== undefined);
}

function patternsOf(hook: HookName | undefined): readonly string[] {
  if (hook === undefined || hook === 'init') return [];
  return hook === 'oneshot' ? BEFORE_ONESHOT : BEFORE_INITRD;
}
