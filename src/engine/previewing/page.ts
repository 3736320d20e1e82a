import { posix } from 'node:path';
import type { Context } from '../../context';
import { encodePieces } from '../../core/bytes';
import { ActivateError } from '../../core/errors';
import type { Making } from '../../core/page/page';
import { joinTarget, type TargetPath } from '../../core/path';
import { readStatus } from '../../system/tree/reading';
import { writeRecord } from '../../system/tree/records';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import { errnoOf } from '../../system/syscalls/errno';

/** When and by what a page is made: now, by this. */
export function makingOf(context: Context): Making {
  return { made: new Date(context.now()).toISOString(), version: context.version };
}

/**
 * Writes a page in place of a file that may be there: whoever opens it finds all of the old one or all of the new one. A file
 * that is there keeps its mode, as far as `readers` may read.
 *
 * @throws {ActivateError} `USAGE` where something else than a regular file is there, or no directory for it
 */
export function writePage(context: Context, file: string, page: Iterable<string>, readers: 'everyone' | 'owner'): void {
  const path = posix.resolve(context.workingDirectory, file);
  const directory = openDirectoryOf(path);
  try {
    const name = joinTarget('/' as TargetPath, posix.basename(path));
    const found = readStatus(directory, name);
    if (file.endsWith('/') || (found !== undefined && found.kind !== 'file'))
      throw new ActivateError('USAGE', `a page is not written over a ${found?.kind ?? 'directory'}`, {
        path,
        hint: 'Name a new file, or one to replace; - is standard output.',
      });
    const mode = found?.mode ?? 0o644;
    writeRecord(directory, name, encodePieces(page), readers === 'owner' ? mode & 0o600 : mode & 0o666);
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code === 'USAGE') throw error;
    const { code, message, hint } = error;
    throw new ActivateError(code, message.replace('the record', 'the page'), {
      path,
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  } finally {
    closeRoot(directory);
  }
}

function openDirectoryOf(path: string): Root {
  const directory = posix.dirname(path);
  try {
    return openRoot(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) throw error;
    throw new ActivateError('USAGE', 'there is no such directory to write the page to', {
      path: directory,
      hint: 'Make it first, or name another file; - is standard output.',
      cause: error,
    });
  }
}
