import { ActivateError } from '../../core/errors';
import { rebuilds } from '../../core/hooks/next';
import { HOOKS_RECORD } from '../../core/hooks/record';
import { joinTarget, type TargetPath } from '../../core/path';
import { listDirectory, readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';
import { installedHook } from './recorded';

const BOOT = '/boot' as TargetPath;
/** As kernel-install places them: /boot/TOKEN/VERSION/initrd. */
const DEEPEST = 2;
const INITRD = /^init(?:rd|ramfs)/u;

/**
 * Whether every initrd that can be seen was made before the boot hook was installed, which works in them: none has it. Where
 * there are none to be seen nothing is known of them.
 */
export function areInitrdsOlder(machine: Machine): boolean {
  const hook = installedHook(machine);
  if (hook === undefined || rebuilds[hook] === undefined) return false;
  const installed = readStatus(machine.root, HOOKS_RECORD)?.mtimeNs;
  const made = visibleTimes(machine);
  return installed !== undefined && made.length > 0 && made.every((time) => time < installed);
}

/** Nothing fails for an initrd that cannot be looked at. */
function visibleTimes(machine: Machine): bigint[] {
  try {
    return initrdTimes(machine, BOOT, DEEPEST);
  } catch (error) {
    if (error instanceof ActivateError) return [];
    throw error;
  }
}

/** When each initrd below a directory was written, in nanoseconds since 1970. */
function initrdTimes(machine: Machine, directory: TargetPath, depth: number): bigint[] {
  const { root } = machine;
  if (readStatus(root, directory)?.kind !== 'directory') return [];
  return listDirectory(root, directory).flatMap(({ name }) => {
    const path = joinTarget(directory, name);
    const status = readStatus(root, path);
    if (status?.kind === 'directory') return depth === 0 ? [] : initrdTimes(machine, path, depth - 1);
    return status?.kind === 'file' && INITRD.test(name) ? [status.mtimeNs] : [];
  });
}
