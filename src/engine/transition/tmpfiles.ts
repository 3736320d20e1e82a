import { ActivateError } from '../../core/errors';
import { hostPath, type TargetPath } from '../../core/path';
import { runProgram } from '../../system/programs';
import type { Machine } from '../machine';

/**
 * Runs systemd-tmpfiles on a snippet of ours.
 *
 * Its exit status says too little (0 for a line that was skipped, 73 for a directory that somebody uses), so what was
 * to be done is looked at afterwards.
 *
 * It holds the lock as well: should `activate` be killed, nobody else begins before it has ended.
 *
 * @param unfinished the first path that is not as it should be, when all is over
 * @throws {ActivateError} `IO` where something was not done
 */
export async function runTmpfiles(
  { root, lock }: Machine,
  verb: 'create' | 'remove',
  snippet: TargetPath,
  unfinished: () => string | undefined,
): Promise<void> {
  const args = [...(root.path === '/' ? [] : [`--root=${root.path}`]), `--${verb}`, hostPath(root.path, snippet)];
  const { status, stderr } = await runProgram('systemd-tmpfiles', args, { inherit: lock });
  const path = unfinished();
  if (path === undefined) return;
  throw new ActivateError('IO', `systemd-tmpfiles did not ${verb} it (status ${status}): ${lastLine(stderr)}`, {
    path,
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) || 'no message';
}
