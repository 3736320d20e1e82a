import { decodeCapabilities } from '../../core/capabilities';
import { isShared } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import type { Obstacle } from '../../core/found';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import type { WrappersFound } from '../../core/plan/wrappers';
import {
  type FoundWrapper,
  isWrapperDirectoryName,
  NEW_WRAPPERS_LINK,
  WRAPPERS,
  WRAPPERS_LINK,
} from '../../core/wrapper';
import { readCapabilityAttribute } from '../../system/host/capabilities';
import { type Mount, readMounts } from '../../system/mounts/mounts';
import { digestFile, listDirectory, readLinkText, readStatus } from '../../system/tree/reading';
import type { Machine } from '../state/machine';

/** Looks at the wrappers that are there. Writes nothing. */
export function lookAtWrappers(machine: Machine): WrappersFound {
  const { root } = machine;
  const kind = readStatus(root, WRAPPERS)?.kind;
  const empty = { link: undefined, live: new Map(), names: [] } as const;
  if (kind === undefined) return { mount: 'none', directory: 'absent', ...empty };
  if (kind !== 'directory')
    return { mount: 'none', directory: 'there', ...empty, obstacle: { path: WRAPPERS, what: OTHERS } };
  const mount = wrapperMount(machine);
  const all = listDirectory(root, WRAPPERS).map(({ name }) => name);
  const names = all.filter((name) => name !== 'bin' && joinTarget(WRAPPERS, name) !== NEW_WRAPPERS_LINK);
  const obstacle = obstacleIn(machine, mount, all.includes('bin'));
  // What is on the filesystem of /run gives nobody more rights, and is covered.
  if (mount === undefined)
    return { mount: 'none', directory: 'there', ...empty, ...(obstacle === undefined ? {} : { obstacle }) };
  const link = wrapperLink(machine);
  const live = link === undefined ? empty.live : lookInto(machine, joinTarget(WRAPPERS, link));
  return { mount: 'there', directory: 'there', link, live, names, ...(obstacle === undefined ? {} : { obstacle }) };
}

const OTHERS: Obstacle = "a directory of somebody else's wrappers";

/** What is mounted for wrappers; `undefined` where nothing is. */
export function wrapperMount({ root }: Machine): Mount | undefined {
  const place = hostPath(root.path, WRAPPERS);
  return readMounts()?.find(({ path }) => path === place);
}

/** The text of the link, where it is one of ours. */
export function wrapperLink({ root }: Machine): string | undefined {
  const text = readLinkText(root, WRAPPERS_LINK);
  return text !== undefined && isWrapperDirectoryName(text) ? text : undefined;
}

function obstacleIn(machine: Machine, mount: Mount | undefined, hasLink: boolean): WrappersFound['obstacle'] {
  const { root } = machine;
  if (hasLink && wrapperLink(machine) === undefined) return { path: WRAPPERS_LINK, what: OTHERS };
  const status = readStatus(root, WRAPPERS);
  if (status === undefined) return undefined;
  const isOurs = status.uid === 0 || status.uid === readStatus(root, '/' as TargetPath)?.uid;
  const what = whyNotThere(mount) ?? (isOurs && !isShared(status) ? undefined : 'a directory that others may write');
  return what === undefined ? undefined : { path: WRAPPERS, what };
}

function whyNotThere(mount: Mount | undefined): Obstacle | undefined {
  if (mount === undefined) return undefined;
  if (mount.options.includes('nosuid')) return 'a mount with nosuid';
  if (mount.options.includes('noexec')) return 'a mount with noexec';
  return mount.readOnly ? 'a read-only filesystem' : undefined;
}

function lookInto(machine: Machine, directory: TargetPath): Map<string, FoundWrapper> {
  const { root } = machine;
  if (readStatus(root, directory)?.kind !== 'directory') return new Map();
  const names = listDirectory(root, directory).map(({ name }) => name);
  return new Map(
    names.flatMap((name) => {
      const found = lookAtWrapper(machine, joinTarget(directory, name));
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
}

/** What is at the place of a wrapper; `undefined` where nothing is. */
export function lookAtWrapper({ root }: Machine, path: TargetPath): FoundWrapper | undefined {
  const status = readStatus(root, path);
  if (status === undefined) return undefined;
  if (status.kind !== 'file') return { kind: 'other', what: status.kind };
  const { mode, uid, gid, sizeBytes } = status;
  const ownership = { kind: 'file', mode, uid, gid, sizeBytes } as const;
  try {
    const attribute = readCapabilityAttribute(root, path);
    const capabilities = attribute === undefined ? {} : { capabilities: decodeCapabilities(attribute) };
    return { ...ownership, ...capabilities, digest: digestFile(root, path) };
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return { ...ownership, digest: '' };
    throw error;
  }
}
