import type { OneAct } from '../../core/plan/step';
import { digestFile, readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import type { Stagehand } from './perform';

/** Whether what was put in place is there as it was put. */
export function isAsPut({ machine, journal }: Stagehand, { path, aside }: OneAct): boolean {
  const step = journal.phases.create.find((each) => each.op === 'make' && each.path === aside);
  if (step?.op !== 'make' || step.made.kind !== 'file' || readStatus(machine.root, path)?.kind !== 'file') return false;
  return digestFile(machine.root, path) === step.made.digest;
}

/** Somebody added a user or changed a password since: nothing takes the place of that, and what is aside goes. */
export function leaveAlone({ context, machine }: Stagehand, { path, aside }: OneAct, what: string): void {
  context.log.warn(`somebody changed this during the transition; ${what}`, { path });
  removeTree(machine.root, aside);
}
