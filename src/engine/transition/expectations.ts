import { ActivateError } from '../../core/errors';
import { sameOwnership } from '../../core/found';
import { ancestorsOf, type TargetPath } from '../../core/path';
import type { Expected, Gone } from '../../core/plan/step';
import { digestFile, readLinkText, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import type { Machine } from '../state/machine';

interface PutAside {
  readonly path: TargetPath;
  readonly aside: TargetPath;
  readonly was: Expected;
  readonly ifChanged?: 'leave';
}

/**
 * Makes sure that what was put aside is what the plan saw, and puts it back where it is not.
 *
 * Looking afterwards leaves no gap: once something is aside, nobody opens it by its path any more.
 *
 * @throws {ActivateError} `IO`
 */
export function insistOn({ root }: Machine, { path, aside, was, ifChanged }: PutAside, putBack: () => void): void {
  let cause: unknown = changed(path);
  try {
    if (ifChanged === 'leave' ? isUntouched(root, aside, was) : isExpected(root, aside, was)) return;
  } catch (error) {
    cause = error;
  }
  try {
    putBack();
  } catch (error) {
    // Neither done nor undone for anyone who cannot look: the journal knows how to tell.
    throw new ActivateError(
      'UNDO_FAILED',
      `putting it back failed: ${error instanceof Error ? error.message : String(error)}`,
      {
        path,
        cause: error,
      },
    );
  }
  throw cause;
}

/**
 * Makes sure that links and directories are what the plan saw, right before systemd-tmpfiles removes what it finds.
 *
 * @throws {ActivateError} `IO`
 */
export function insistOnAll({ root }: Machine, objects: readonly Gone[]): void {
  const other = objects.find((object) => !asExpected(root, object));
  if (other !== undefined) throw changed(other.path);
}

/** Whether a link or directory is gone or what the plan saw. */
export function asExpected(root: Root, { path, was }: Gone): boolean {
  const kind = readStatus(root, path)?.kind;
  // It is gone already, or seems to be because somebody put a link in the way, which systemd-tmpfiles would follow.
  if (kind === undefined) return !isBehindLink(root, path);
  return kind === was.kind && (was.kind === 'directory' || readLinkText(root, path) === was.linkText);
}

function isBehindLink(root: Root, path: TargetPath): boolean {
  return ancestorsOf(path).some((above) => readStatus(root, above)?.kind === 'symlink');
}

/** Whether what is at a path is what the plan saw, to the last byte of a file. */
export function isUntouched(root: Root, path: TargetPath, was: Expected): boolean {
  if (!isExpected(root, path, was)) return false;
  const digest = was.found.kind === 'file' ? was.found.digest : undefined;
  return digest === undefined || digestFile(root, path) === digest;
}

/** Whether what is at a path looks like what the plan saw. */
export function isExpected(root: Root, path: TargetPath, { found, mtimeNs }: Expected): boolean {
  if (found.kind === 'symlink') return readLinkText(root, path) === found.linkText;
  const status = readStatus(root, path);
  if (found.kind === 'special') return status?.kind === found.what;
  if (status?.kind !== found.kind || !sameOwnership(status, found)) return false;
  if (found.kind === 'directory') return true;
  return status.sizeBytes === found.sizeBytes && (mtimeNs === undefined || status.mtimeNs.toString() === mtimeNs);
}

const CHANGED_WAY = 'a link is in the way';

/** Whether an error is one of {@link refuseLinkInTheWay}. */
export function isChangedWay(error: unknown): boolean {
  return error instanceof ActivateError && error.cause === CHANGED_WAY;
}

/**
 * Makes sure that what seems to be gone is not merely out of sight, behind a link that somebody put in its way.
 *
 * @throws {ActivateError} `IO`
 */
export function refuseLinkInTheWay(root: Root, path: TargetPath): void {
  if (!isBehindLink(root, path)) return;
  throw new ActivateError('IO', 'somebody changed it since the plan was made', {
    path,
    hint: 'A link is in its way: remove that.',
    cause: CHANGED_WAY,
  });
}

function changed(path: TargetPath): ActivateError {
  return new ActivateError('IO', 'somebody changed it since the plan was made', {
    path,
    hint: 'Look at what is there now (`activate diff`), and switch again.',
  });
}
