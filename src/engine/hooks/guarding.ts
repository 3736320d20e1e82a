import type { Context } from '../../context';
import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { danglingAtBoot } from '../../core/hooks/real';
import type { TargetPath } from '../../core/path';
import { BOOT_RECORD } from '../../core/records/boot';
import { readRecorded } from '../generations';
import { readStatus } from '../../system/reading';
import type { Machine } from '../machine';
import { readOwnFilesystems } from './facts';
import { installedHook } from './recorded';

/**
 * Makes sure that the machine boots with what a generation has in /etc; without any hook it does not, and is told.
 *
 * @throws {ActivateError} `REFUSED`
 */
export function refuseUnbootable(
  context: Context,
  machine: Machine,
  { number, entries }: { readonly number: number; readonly entries: readonly Entry[] },
): void {
  if (number === 0) return;
  const hook = installedHook(machine);
  if (hook === undefined) {
    warnWithoutHook(context, machine);
    return;
  }
  const paths = danglingAtBoot(hook, readOwnFilesystems(machine), throughPointer(entries));
  if (paths.length === 0) return;
  throw new ActivateError(
    'REFUSED',
    `the boot hook, ${hook}, shows generations after these have been read, and they would be links: ${paths.join(', ')}`,
    { hint: 'Have the policy say place = "copy" for them, or install a hook that comes earlier: `activate install`.' },
  );
}

/** Another one may have been there, which is none of `activate install`: then the boot left its record. */
function warnWithoutHook({ log }: Context, { root }: Machine): void {
  if (readStatus(root, BOOT_RECORD) !== undefined) return;
  log.warn(
    'no boot hook is installed: the next boot would find links that lead nowhere; `activate install` before you reboot',
  );
}

/** The links of a generation through the pointer. */
export function linksOf(machine: Machine, number: number): TargetPath[] {
  return throughPointer(readRecorded(machine, number).entries);
}

function throughPointer(entries: readonly Entry[]): TargetPath[] {
  return entries.filter(({ place }) => place === 'link').map(({ path }) => path);
}
