import { decodeName } from '../../core/bytes';
import { parseSysusers, SYSUSERS_DIRECTORIES, type SysusersLine } from '../../core/accounts/sysusers';
import { ActivateError } from '../../core/errors';
import { joinTarget, type TargetPath } from '../../core/path';
import { resolveInRoot } from '../../system/tree/following';
import { listDirectory, readFile, readLinkText, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';

/** Where a closure is: at the top of a tree of its own, or in a store, whose links lead all over it. */
export interface Place {
  readonly root: Root;
  /** Its path there; empty for the top. */
  readonly prefix: string;
  /** The closure as the user named it. */
  readonly name: string;
}

/**
 * The lines of all sysusers.d(5) files of a closure, in the order in which systemd reads them: by the names of the files. Where
 * two directories have one name the first counts, and a link to /dev/null hides it altogether.
 *
 * @throws {ActivateError} `CLOSURE`
 */
export function readSysusers(place: Place): SysusersLine[] {
  const files = new Map<string, { readonly file: string; readonly path: TargetPath }>();
  for (const directory of SYSUSERS_DIRECTORIES) {
    const found = resolveInRoot(place.root, place.prefix + directory);
    if (found === undefined || readStatus(place.root, found)?.kind !== 'directory') continue;
    for (const { name } of listDirectory(place.root, found)) {
      if (!name.endsWith('.conf') || files.has(name)) continue;
      files.set(name, { file: `${directory.slice(1)}/${name}`, path: joinTarget(found, name) });
    }
  }
  return [...files]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, { file, path }]) => parseSysusers(readLines(place, path, file), file));
}

function readLines({ root, name }: Place, path: TargetPath, file: string): string {
  if (readLinkText(root, path) === '/dev/null') return '';
  const at = resolveInRoot(root, path);
  if (at !== undefined && readStatus(root, at)?.kind === 'file') return decodeName(readFile(root, at));
  throw new ActivateError('CLOSURE', 'this is no regular file, and no link to one', {
    path: `${name}/${file}`,
    hint: 'Put a file there, or a link to /dev/null for none.',
  });
}
