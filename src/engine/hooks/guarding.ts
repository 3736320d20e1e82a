import type { Context } from '../../context';
import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { isInInitrd } from '../../core/hooks/hook';
import { rebuilds } from '../../core/hooks/next';
import { danglingAtBoot } from '../../core/hooks/real';
import type { TargetPath } from '../../core/path';
import { BOOT_RECORD } from '../../core/records/boot';
import { findGeneration, readRecorded } from '../state/generations';
import { readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';
import type { Destination } from '../deciding/prepare';
import { readOwnFilesystems } from './facts';
import { areInitrdsOlder } from './initrds';
import { installedHook, readHooksRecord } from './recorded';

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
  if (isBooted(machine) && areInitrdsOlder(machine))
    context.log.warn(
      `the initrds were made before the boot hook was installed: \`${rebuilds[hook]?.join(' ')}\` before you reboot`,
    );
  const paths = danglingAtBoot(hook, readOwnFilesystems(machine), throughPointer(entries));
  if (paths.length === 0) return;
  throw new ActivateError(
    'REFUSED',
    `the boot hook, ${hook}, shows generations after these have been read, and they would be links: ${paths.join(', ')}`,
    { hint: 'Have the policy say place = "copy" for them, or install a hook that comes earlier: `activate install`.' },
  );
}

/**
 * What nobody booted, such as an image that is being built, is not about to be booted again; and where the boot left a record
 * there is a hook, which is none of `activate install`.
 */
function warnWithoutHook({ log }: Context, machine: Machine): void {
  if (!isBooted(machine) || readStatus(machine.root, BOOT_RECORD) !== undefined) return;
  log.warn(
    'no boot hook is installed: the next boot would find links that lead nowhere; `activate install` before you reboot',
  );
}

function isBooted({ root }: Machine): boolean {
  return readStatus(root, BOOTED) !== undefined;
}

/** @see sd_booted(3) */
const BOOTED = '/run/systemd/system' as TargetPath;

/** An initrd has what it was made with: the machine is told where a generation asks for something else. */
export function warnOfOldInitrd(
  { log }: Context,
  machine: Machine,
  { number, closure }: Pick<Destination, 'number' | 'closure'>,
): void {
  const recorded = readHooksRecord(machine);
  if (number === 0 || recorded === undefined) return;
  const wanted = closure === undefined ? findGeneration(machine, number)?.initrd : closure.initrd.record;
  if (!isInInitrd(recorded.hook)) {
    if (wanted !== undefined)
      log.warn(
        `what [initrd] asks for is done by a boot hook in an initrd, and ${recorded.hook} comes later: \`activate install --initrd …\``,
      );
  } else if (wanted?.digest !== recorded.initrd)
    log.warn(
      `the initrds have something else than [initrd] of generation ${number} asks for: \`activate install --rebuild\` before you reboot`,
    );
}

/** The links of a generation through the pointer. */
export function linksOf(machine: Machine, number: number): TargetPath[] {
  return throughPointer(readRecorded(machine, number).entries);
}

function throughPointer(entries: readonly Entry[]): TargetPath[] {
  return entries.filter(({ place }) => place === 'link').map(({ path }) => path);
}
