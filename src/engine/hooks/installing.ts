import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { type Choice, chooseHook } from '../../core/hooks/choose';
import type { HookName } from '../../core/hooks/hook';
import { type Next, nextSteps } from '../../core/hooks/next';
import { type FileStep, type InstallPlan, isIdle, missingDirectories, pathOf } from '../../core/hooks/plan';
import { danglingAtBoot } from '../../core/hooks/real';
import type { HooksRecord } from '../../core/hooks/record';
import { hostPath, type TargetPath } from '../../core/path';
import { runProgram } from '../../system/programs';
import { readStatus } from '../../system/tree/reading';
import { readState } from '../state/generations';
import { withLockedMachine } from '../state/locked';
import { heldDescriptors, type Machine, withMachine } from '../state/machine';
import { completeBootFiles } from '../boot/staging';
import { readMachineFacts } from './facts';
import { linksOf } from './guarding';
import { refuseUnwritable, writeSteps } from './placing';
import { planFiles, planHook } from './planning';
import { refuseStartedInit } from './starting';
import { readHooksRecord } from './recorded';

export interface InstallOptions {
  readonly asked: HookName | undefined;
  /** Whether the initrds are made anew at once. */
  readonly initrds: 'rebuild' | 'leave';
}

/** What `install` did, or would do. */
export interface Installed extends Choice {
  readonly state: 'installed' | 'nothing to do' | 'planned';
  readonly steps: readonly FileStep[];
  /** Nothing where the initrds were made anew, or have the same already. */
  readonly next: readonly Next[];
}

/**
 * Puts on the machine what shows the default generation at boot.
 *
 * @throws {ActivateError} `REFUSED` where the machine could not boot with it, `CONFLICT` where something is in the way, before
 *   anything was written
 */
export function install(context: Context, { asked, initrds }: InstallOptions): Promise<Installed> {
  return withLockedMachine(context, async (machine) => {
    if (initrds === 'rebuild') refuseForeignInitrds(machine);
    const { choice, plan, recorded, initrd } = prepareInstall(context, machine, asked);
    const { steps } = plan;
    const next = nextSteps(choice.hook, 'install');
    completeBootFiles(machine);
    if (isIdle(plan) && recorded?.hook === choice.hook && recorded.initrd === initrd && initrds === 'leave')
      return { ...choice, state: 'nothing to do', steps, next };
    carryOut(machine, { hook: choice.hook, plan, recorded, initrd });
    const left = initrds === 'rebuild' ? await rebuild(machine, next) : next;
    return { ...choice, state: 'installed', steps, next: left };
  });
}

/** What {@link install} would do. Writes nothing. */
export function previewInstall(context: Context, asked: HookName | undefined): Promise<Installed> {
  return withMachine(context, (machine) => {
    const { choice, plan } = prepareInstall(context, machine, asked);
    return { ...choice, state: 'planned', steps: plan.steps, next: nextSteps(choice.hook, 'install') };
  });
}

interface PreparedInstall extends Pick<HooksRecord, 'initrd'> {
  readonly choice: Choice;
  readonly plan: InstallPlan;
  readonly recorded: HooksRecord | undefined;
}

function prepareInstall(context: Context, machine: Machine, asked: HookName | undefined): PreparedInstall {
  const recorded = readHooksRecord(machine);
  const choice = chooseHook(readMachineFacts(machine), asked, recorded?.hook);
  refuseDanglingLinks(machine, choice.hook);
  const { plan, program, initrd } = planHook(context, machine, [choice.hook, recorded]);
  refuseConflicts(machine, plan);
  refuseUnwritable(machine, plan.steps);
  refuseStartedInit(machine, plan.steps);
  if (program.state === 'missing')
    context.log.warn(`there is no ${program.path}: activate-resume.service will fail until it is there`);
  return { choice, plan, recorded, initrd };
}

/** @throws {ActivateError} `REFUSED` where what is live, or the default, could not boot with the hook */
function refuseDanglingLinks(machine: Machine, hook: HookName): void {
  const { live, default: next } = readState(machine);
  const own = readMachineFacts(machine).ownFilesystems;
  for (const number of new Set([live, next])) {
    const paths = number === 0 ? [] : danglingAtBoot(hook, own, linksOf(machine, number));
    if (paths.length === 0) continue;
    throw new ActivateError(
      'REFUSED',
      `generation ${number} has links that are read before this hook has run: ${paths.join(', ')}`,
      {
        hint: 'Switch to a closure whose policy has place = "copy" for these first, or use an initrd.',
      },
    );
  }
}

function refuseConflicts({ root }: Machine, { conflicts }: InstallPlan): void {
  const [first] = conflicts;
  if (first === undefined) return;
  const others =
    conflicts.length === 1
      ? ''
      : `; so are ${conflicts
          .slice(1)
          .map(({ path }) => path)
          .join(', ')}`;
  throw new ActivateError('CONFLICT', `${first.why}: it is in the way${others}`, {
    path: hostPath(root.path, first.path),
    hint: 'Move it away. Nothing was changed.',
  });
}

interface Change extends Pick<HooksRecord, 'initrd'> {
  readonly hook: HookName;
  readonly plan: InstallPlan;
  readonly recorded: HooksRecord | undefined;
}

function carryOut(machine: Machine, { hook, plan, recorded, initrd }: Change): void {
  const paths = plan.steps.filter(({ action }) => action === 'create').map(pathOf);
  const made = missingDirectories(paths, (path) => readStatus(machine.root, path) !== undefined);
  const directories = [...new Set([...(recorded?.directories ?? []), ...made])].toSorted();
  const before = { hook, files: [...(recorded?.files ?? []), ...plan.files], directories };
  writeSteps(machine, plan.steps, { before, after: { hook, files: plan.files, directories, initrd } });
}

/** @throws {ActivateError} `USAGE` */
function refuseForeignInitrds({ root }: Machine): void {
  if (root.path === '/') return;
  throw new ActivateError('USAGE', 'the initrds of another tree cannot be made here', { hint: 'Leave out --rebuild.' });
}

/** Runs what can be run, and returns the rest. */
async function rebuild(machine: Machine, next: readonly Next[]): Promise<Next[]> {
  const left: Next[] = [];
  for (const step of next) {
    if (step.command === undefined) {
      left.push(step);
      continue;
    }
    const [program, ...args] = step.command;
    const { status, stderr } = await runProgram(program, args, { inherit: heldDescriptors(machine) });
    if (status === 0) continue;
    throw new ActivateError(
      'UNFINISHED',
      `the hook is installed, but ${program} failed: ${stderr.trim().split('\n').at(-1) ?? ''}`,
      {
        hint: `Put that right, then \`${step.command.join(' ')}\`.`,
      },
    );
  }
  return left;
}

/** What `uninstall` did. */
export interface Uninstalled {
  /** `undefined` where nothing was installed. */
  readonly hook: HookName | undefined;
  readonly removed: readonly TargetPath[];
  /** What somebody changed since. */
  readonly left: readonly TargetPath[];
  readonly next: readonly Next[];
}

/**
 * Removes what {@link install} put on the machine, and nothing else.
 *
 * @param managed what to do where a generation is live, or the default: its links would lead nowhere at the next boot
 * @throws {ActivateError} `REFUSED`
 */
export function uninstall(context: Context, managed: 'refuse' | 'allow'): Promise<Uninstalled> {
  return withLockedMachine(context, async (machine) => {
    const recorded = readHooksRecord(machine);
    if (recorded === undefined) return { hook: undefined, removed: [], left: [], next: [] };
    const plan = planFiles(context, machine, [[], recorded]);
    if (managed === 'refuse') {
      refuseManaged(machine);
      refuseStartedInit(machine, plan.steps);
    }
    refuseUnwritable(machine, plan.steps);
    writeSteps(machine, plan.steps, { before: recorded, after: undefined });
    const of = (action: FileStep['action']): TargetPath[] =>
      plan.steps.filter((step) => step.action === action).map(pathOf);
    return {
      hook: recorded.hook,
      removed: of('remove'),
      left: of('leave'),
      next: nextSteps(recorded.hook, 'uninstall'),
    };
  });
}

function refuseManaged(machine: Machine): void {
  const { live, default: next } = readState(machine);
  if (live === 0 && next === 0) return;
  const which = live === 0 ? `generation ${next} is the default` : `generation ${live} is live`;
  throw new ActivateError('REFUSED', `${which}: without a hook the next boot would find links that lead nowhere`, {
    hint: 'Give everything back first: `activate rollback 0`. With --force the hook goes all the same.',
  });
}
