import type { Context } from '../../context';
import { isShared, POINTER, STATE } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { ancestorsOf, hostPath, joinTarget, parentOf, type TargetPath } from '../../core/path';
import { GENERATIONS, MOUNTS } from '../../core/records/generation';
import { canWriteDirectory, readLinkText, readStatus } from '../../system/tree/reading';
import { BACKUPS } from '../../core/records/backup';
import { BUNDLE_RECORD } from '../../core/records/bundle';
import { closeRoot, openRoot } from '../../system/tree/rooted';
import type { Source } from '../closure/source';
import type { Machine } from './machine';

/**
 * Makes sure that nobody else can have written what is recorded here: what the records say is carried out as root.
 *
 * A directory above that others may write is fine where its sticky bit keeps them from what is not theirs.
 *
 * @throws {ActivateError} `REFUSED`
 */
export function refuseUntrusted({ uid }: Context, machine: Machine): void {
  for (const path of [...ancestorsOf(STATE), STATE, GENERATIONS, BACKUPS, parentOf(MOUNTS), MOUNTS]) {
    const status = readStatus(machine.root, path);
    if (status === undefined) continue;
    const isOurs = status.uid === 0 || status.uid === uid;
    const isSticky = (status.mode & 0o1000) !== 0 && path !== STATE;
    if (isOurs && (isSticky || !isShared(status))) continue;
    throw new ActivateError('REFUSED', 'others may write here, so what activate records below cannot be trusted', {
      path: hostPath(machine.root.path, path),
      hint: `Make it root's, with mode 0755: \`chown root:root\` and \`chmod 0755\`.`,
    });
  }
  refuseUnwritable(machine);
  refuseOtherKind(machine, STATE);
  for (const path of [GENERATIONS, BACKUPS, joinTarget(STATE, 'merged'), parentOf(MOUNTS), MOUNTS])
    refuseOtherKind(machine, path);
}

/**
 * Makes sure that nobody else can have written a bundle or image, nor can put another in its place: what it says is carried out
 * as root.
 *
 * @throws {ActivateError} `REFUSED`
 */
export function refuseUntrustedSource({ uid }: Context, { path, image, record }: Source): void {
  const top = openRoot('/');
  try {
    const files = record === undefined ? [] : [BUNDLE_RECORD, 'manifest.json'].map((name) => `${path}/${name}`);
    const named = [path, ...files, ...(image === undefined ? [] : [image.file])] as TargetPath[];
    for (const each of new Set([...named, ...named.map(parentOf)])) {
      const status = readStatus(top, each);
      if (status === undefined || status.kind === 'symlink') continue;
      // The sticky bit keeps others from names that are not theirs.
      const isSticky = !named.includes(each) && (status.mode & 0o1000) !== 0;
      if ((status.uid === 0 || status.uid === uid) && (isSticky || !isShared(status))) continue;
      throw new ActivateError('REFUSED', 'others may write this, so what it says cannot be trusted', {
        path: each,
        hint: `Make it root's: \`chown root:root\` and \`chmod go-w\`, or copy it to a place of root's.`,
      });
    }
  } finally {
    closeRoot(top);
  }
}

/** Half way through it would be too late to find that out. */
function refuseUnwritable({ root }: Machine): void {
  const live = readLinkText(root, joinTarget(STATE, 'live'));
  const recorded = live === undefined ? [] : [joinTarget(STATE, live)];
  for (const path of [STATE, GENERATIONS, BACKUPS, parentOf(POINTER), ...recorded]) {
    const status = readStatus(root, path);
    if (status?.kind !== 'directory') continue;
    const why = status.immutable
      ? 'it is immutable'
      : status.appendOnly
        ? 'it is append-only'
        : canWriteDirectory(root, path) === 'read-only'
          ? 'it is on a read-only filesystem'
          : undefined;
    if (why === undefined) continue;
    throw new ActivateError('REFUSED', `activate has to write here, and ${why}`, {
      path: hostPath(root.path, path),
      hint: '`chattr -i -a` it, or remount it read-write.',
    });
  }
}

function refuseOtherKind({ root }: Machine, path: TargetPath): void {
  const kind = readStatus(root, path)?.kind;
  if (kind === undefined || kind === 'directory') return;
  throw new ActivateError('REFUSED', `activate keeps its records in a directory, and this is a ${kind}`, {
    path: hostPath(root.path, path),
    hint: 'Move it away.',
  });
}
