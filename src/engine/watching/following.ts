import { posix } from 'node:path';
import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { joinTarget, nameOf, parentOf, type TargetPath } from '../../core/path';
import { BUNDLE_RECORD } from '../../core/records/bundle';
import { resolveHostPath } from '../../system/host/host-files';
import { imageKindOf } from '../../system/mounts/images';
import { listDirectory, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import type { Watched } from '../../system/watcher';

/** Where new closures come: a link that is led to them, or a directory into which bundles and images are put. */
export interface Followed {
  readonly kind: 'link' | 'directory';
  /** On this machine, whatever the root is. */
  readonly path: TargetPath;
}

/** @throws {ActivateError} `USAGE` where neither a link nor a directory is there */
export function readFollowed(context: Context, argument: string): Followed {
  const named = posix.resolve(context.workingDirectory, argument) as TargetPath;
  const top = openRoot('/');
  try {
    // What leads to the link may have links in it, the last name is the one that is watched.
    const parent = resolveHostPath(parentOf(named)) as TargetPath | undefined;
    const path = parent === undefined ? named : joinTarget(parent, nameOf(named));
    const kind = readStatus(top, path)?.kind;
    if (kind === 'symlink') return { kind: 'link', path };
    if (kind === 'directory') return { kind, path };
    throw new ActivateError('USAGE', 'this is neither a link nor a directory', {
      path: named,
      hint: 'Name a link to a closure, such as /nix/var/nix/profiles/system, or a directory of bundles.',
    });
  } finally {
    closeRoot(top);
  }
}

/** What there is to follow now. */
export interface Followable {
  /** Where each closure lies. */
  readonly closures: ReadonlySet<string>;
  /** The directories where a change would be of interest. */
  readonly directories: readonly Watched[];
}

/** The closures that are there, and where to wait for more. A name that begins with a dot is not finished yet. */
export function readFollowable(top: Root, { kind, path }: Followed): Followable {
  const closures = new Set<string>();
  const places = [parentOf(path)];
  if (kind === 'link') {
    const closure = resolveHostPath(path);
    if (closure !== undefined) closures.add(closure);
  } else {
    places.push(path);
    for (const each of childrenOf(top, path)) {
      if (isBundle(top, each)) closures.add(each);
      // It may become one.
      else if (readStatus(top, each)?.kind === 'directory') places.push(each);
    }
  }
  return { closures, directories: places.flatMap((place) => watchedAt(top, place)) };
}

function childrenOf(top: Root, path: TargetPath): TargetPath[] {
  if (readStatus(top, path)?.kind !== 'directory') return [];
  return listDirectory(top, path)
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('.'))
    .toSorted()
    .map((name) => joinTarget(path, name));
}

function isBundle(top: Root, path: TargetPath): boolean {
  const kind = readStatus(top, path)?.kind;
  if (kind === 'directory') return readStatus(top, joinTarget(path, BUNDLE_RECORD)) !== undefined;
  return kind === 'file' && imageKindOf(path) !== undefined;
}

function watchedAt(top: Root, path: TargetPath): Watched[] {
  const status = readStatus(top, path);
  if (status?.kind !== 'directory') return [];
  return [{ path, identity: `${status.device} ${status.inode} ${status.identity}` }];
}
