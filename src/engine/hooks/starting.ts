import { ActivateError } from '../../core/errors';
import { INIT } from '../../core/hooks/files';
import { type FileStep, pathOf } from '../../core/hooks/plan';
import type { TargetPath } from '../../core/path';
import { resolveInRoot } from '../../system/tree/following';
import { readHostFile } from '../../system/host/host-files';
import { readFile, readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';
import { decode } from '../state/records';

/** Where machines keep the kernel command line of the next boot. */
const COMMAND_LINES = ['/etc/kernel/cmdline', '/etc/default/grub', '/usr/lib/kernel/cmdline'];

/**
 * Makes sure that no init is removed that the kernel is to start: it would panic.
 *
 * @throws {ActivateError} `REFUSED`, with the file that says so
 */
export function refuseStartedInit(machine: Machine, steps: readonly FileStep[]): void {
  if (!steps.some((step) => step.action === 'remove' && pathOf(step) === INIT)) return;
  const running = machine.root.path === '/' && names(readHostFile('/proc/cmdline') ?? '') ? '/proc/cmdline' : undefined;
  const path = COMMAND_LINES.find((file) => names(readText(machine, file))) ?? running;
  if (path === undefined) return;
  throw new ActivateError('REFUSED', `the kernel is told to start ${INIT}, and panics without it`, {
    path,
    hint: `Take init=${INIT} off the kernel command line, and reboot, first.`,
  });
}

function names(text: string): boolean {
  return text.split(/[\s"']+/u).includes(`init=${INIT}`);
}

function readText({ root }: Machine, path: string): string {
  const file: TargetPath | undefined = resolveInRoot(root, path);
  return file === undefined || readStatus(root, file)?.kind !== 'file' ? '' : decode(readFile(root, file));
}
