import { ActivateError } from '../../core/errors';
import { hostPath, type TargetPath } from '../../core/path';
import { readMounts } from '../../system/mounts/mounts';
import { requireProgram, runProgram } from '../../system/programs';
import { heldDescriptors, type Machine } from '../state/machine';

/**
 * Makes sure that systemd-tmpfiles can do its part, before anything depends on it.
 *
 * @throws {ActivateError} `REFUSED`
 */
export function requireTmpfiles(): void {
  requireProgram('systemd-tmpfiles');
  if (readMounts() !== undefined) return;
  throw new ActivateError('REFUSED', 'systemd-tmpfiles needs /proc, and mount points are not known without it', {
    path: '/proc',
    hint: 'Mount it: `mount -t proc proc /proc`.',
  });
}

/**
 * Runs systemd-tmpfiles on a snippet of ours.
 *
 * Its exit status says too little (0 for a line that was skipped, 73 for a directory that somebody uses), so what was
 * to be done is looked at afterwards.
 *
 * @param unfinished the first path that is not as it should be, when all is over
 * @throws {ActivateError} `IO` where something was not done
 */
export async function runTmpfiles(
  machine: Machine,
  verb: 'create' | 'remove',
  snippet: TargetPath,
  unfinished: () => string | undefined,
): Promise<void> {
  const { root } = machine;
  const args = [...(root.path === '/' ? [] : [`--root=${root.path}`]), `--${verb}`, hostPath(root.path, snippet)];
  const { status, stderr } = await runProgram('systemd-tmpfiles', args, { inherit: heldDescriptors(machine) });
  const path = unfinished();
  if (path === undefined) return;
  throw new ActivateError('IO', `systemd-tmpfiles did not ${verb} it (status ${status}): ${firstLine(stderr)}`, {
    path,
  });
}

/** What follows is often only a consequence. */
function firstLine(text: string): string {
  return text.trim().split('\n')[0] || 'no message';
}
