import { parseRenderedSysusers, renderSysusers, type SysusersLine } from '../../core/accounts/sysusers';
import { decodeName, encodeName } from '../../core/bytes';
import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import { type Generation, generationDirectory } from '../../core/records/generation';
import { createFile } from '../../system/tree/copying';
import { digestBytes } from '../../system/host/host-files';
import type { Root } from '../../system/tree/rooted';
import type { Machine } from '../state/machine';
import { readRecordBytes } from '../state/records';

/** The file of a generation and of a bundle that says which users and groups there must be. */
export const SYSUSERS_RECORD = 'sysusers.conf';

/** What the record of a generation or a bundle says of its lines; nothing where there are none. */
export function sysusersRecord(lines: readonly SysusersLine[]): { readonly sysusers?: string } {
  const sysusers = digestSysusers(lines);
  return sysusers === undefined ? {} : { sysusers };
}

/** SHA-256 of the lines as they are written; `undefined` where there are none. */
export function digestSysusers(lines: readonly SysusersLine[]): string | undefined {
  return lines.length === 0 ? undefined : digestBytes(encodeName(renderSysusers(lines)));
}

/** Writes the lines where there are any. */
export function writeSysusers(root: Root, directory: TargetPath, lines: readonly SysusersLine[]): void {
  if (lines.length === 0) return;
  createFile(root, joinTarget(directory, SYSUSERS_RECORD), { mode: 0o644 }, encodeName(renderSysusers(lines)));
}

/** The lines in a directory; `undefined` where they are not those with this digest. */
export function readSysusersIn(
  root: Root,
  directory: TargetPath,
  digest: string | undefined,
): readonly SysusersLine[] | undefined {
  if (digest === undefined) return [];
  const bytes = readRecordBytes({ root }, joinTarget(directory, SYSUSERS_RECORD));
  if (bytes === undefined || digestBytes(bytes) !== digest) return undefined;
  return parseRenderedSysusers(decodeName(bytes));
}

/**
 * What a generation says about users and groups.
 *
 * @throws {ActivateError} `STATE` where it is not what was written
 */
export function readSysusersRecord({ root }: Machine, { number, sysusers }: Generation): readonly SysusersLine[] {
  const directory = generationDirectory(number);
  const lines = readSysusersIn(root, directory, sysusers);
  if (lines !== undefined) return lines;
  throw new ActivateError('STATE', 'the record is damaged: it is not as it was written', {
    path: hostPath(root.path, joinTarget(directory, SYSUSERS_RECORD)),
    hint: 'Restore it from a backup, or switch to another generation.',
  });
}
