import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { type HookFile, hookFiles } from '../../core/hooks/files';
import { type HookName, isInInitrd } from '../../core/hooks/hook';
import { type InstallPlan, pathOf, planInstall } from '../../core/hooks/plan';
import type { HooksRecord } from '../../core/hooks/record';
import type { TargetPath } from '../../core/path';
import { digestBytes } from '../../system/host/host-files';
import { readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';
import { findHookFile } from './placing';
import { readHooksRecord } from './recorded';
import { readWantedInitrd } from './wanted';

/** What has to change for a hook to be there. */
export interface HookPlan extends Pick<HooksRecord, 'initrd'> {
  readonly plan: InstallPlan;
  /** Where `activate` is taken to be when the machine boots, and whether it is there. */
  readonly program: { readonly path: string; readonly state: 'there' | 'missing' };
}

/** Compares the files of a hook, as this version has them, with what is there. */
export function planHook(
  context: Context,
  machine: Machine,
  [hook, recorded]: readonly [hook: HookName, recorded: HooksRecord | undefined],
): HookPlan {
  const { closure, modules, digest } = readWantedInitrd(machine);
  const program = findProgram(context, machine);
  const files = hookFiles(hook, { program: program.path, closure, modules });
  const plan = planFiles(context, machine, [files, recorded]);
  return { plan, program, initrd: isInInitrd(hook) ? digest : undefined };
}

/** Compares files with what is there. */
export function planFiles(
  context: Context,
  machine: Machine,
  [files, recorded]: readonly [wanted: readonly HookFile[], recorded: HooksRecord | undefined],
): InstallPlan {
  return planInstall(files, recorded, { found: (path) => findHookFile(context, machine, path), digest: digestBytes });
}

const PROGRAMS = ['/usr/bin/activate', '/usr/local/bin/activate'] as readonly string[] as readonly TargetPath[];

/** As a package puts it, or where this one is. */
function findProgram({ executable }: Context, { root }: Machine): HookPlan['program'] {
  const packaged = PROGRAMS.find((path) => readStatus(root, path) !== undefined);
  const own = root.path === '/' && /^[\w./@+-]+$/u.test(executable ?? '') ? executable : undefined;
  const path = packaged ?? own;
  return path === undefined ? { path: '/usr/bin/activate', state: 'missing' } : { path, state: 'there' };
}

/**
 * The files of the installed hook that are not as this version, and what the default generation wants in an initrd, have them;
 * none where this user cannot tell.
 */
export function staleHookFiles(context: Context, machine: Machine): TargetPath[] {
  const recorded = readHooksRecord(machine);
  if (recorded === undefined) return [];
  try {
    const { steps, conflicts } = planHook(context, machine, [recorded.hook, recorded]).plan;
    const changing = steps.filter(({ action }) => action !== 'keep').map(pathOf);
    return [...changing, ...conflicts.map(({ path }) => path)].toSorted();
  } catch (error) {
    if (error instanceof ActivateError && ['PERMISSION', 'STATE'].includes(error.code)) return [];
    throw error;
  }
}
