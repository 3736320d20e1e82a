import type { Content, Ownership } from './entry';
import { joinTarget, type TargetPath } from './path';

/** A program that gives whoever runs it more rights, as no file of a closure can: setuid, setgid or file capabilities. */
export interface Wrapper extends Ownership, Content {
  /** Its name in {@link WRAPPERS_LINK}. */
  readonly name: string;
  /** As `parseCapabilities` returns them. */
  readonly capabilities?: string;
  /** Where the bytes are: an absolute path in a store, or a path in the overlay, without a slash at its beginning. */
  readonly source: string;
}

/** A filesystem of its own, because programs with more rights do nothing where the rest of /run is. */
export const WRAPPERS = '/run/wrappers' as TargetPath;

/** The link that people have in their PATH: it leads to the directory of the wrappers that are live. */
export const WRAPPERS_LINK = joinTarget(WRAPPERS, 'bin');

/** A link that is about to become {@link WRAPPERS_LINK}. */
export const NEW_WRAPPERS_LINK = joinTarget(WRAPPERS, '.bin.new');

/** What the filesystem is called, so that it is told from one that somebody else mounted. */
export const WRAPPERS_DEVICE = 'activate-wrappers';

/** How the filesystem is mounted: setuid and capabilities count there, devices do not. */
export const WRAPPERS_OPTIONS = 'nodev,mode=0755';

/** What an overlay has besides what is below the closure's roots. */
export const ADDITIONS = '/.activate' as TargetPath;

/** Where the overlay that is made of a tree has the bytes of a wrapper. */
export function additionPathOf(name: string): TargetPath {
  return joinTarget(ADDITIONS, `wrappers/${name}`);
}

/** Where in the overlay the bytes of a wrapper are; `undefined` where they are in a store. */
export function overlayPathOf({ source }: Wrapper): TargetPath | undefined {
  return source.startsWith('/') ? undefined : joinTarget('/' as TargetPath, source);
}

/** Where the bytes of a wrapper are while `overlay` is there. */
export function sourceOf(wrapper: Wrapper, overlay: string): TargetPath {
  const inside = overlayPathOf(wrapper);
  return (inside === undefined ? wrapper.source : overlay + inside) as TargetPath;
}

/** The name of the directory that has the wrappers of a generation; 0 for those of a bundle. */
export function wrapperDirectoryName(generation: number, token?: string): string {
  return token === undefined ? `gen-${generation}` : `gen-${generation}.${token}`;
}

/** Whether a name is one of {@link wrapperDirectoryName}. */
export function isWrapperDirectoryName(name: string): boolean {
  return /^gen-\d+(?:\.[0-9a-z]+)?$/u.test(name);
}

/** Names of wrappers: nothing that a unit, a shell or a program would take for something else than a name. */
export const WRAPPER_NAME = /^\w[\w.+@:-]{0,254}$/u;

/** What is at the place of a wrapper. */
export type FoundWrapper =
  | (Ownership & Content & { readonly kind: 'file'; readonly capabilities?: string })
  | { readonly kind: 'other'; readonly what: string };

/** What is different about a wrapper that is there; `undefined` where it is as it must be. */
export function wrapperDifference(
  wanted: Omit<Wrapper, 'source'>,
  found: FoundWrapper | undefined,
): string | undefined {
  if (found === undefined) return 'it is missing';
  if (found.kind === 'other') return `it is a ${found.what}`;
  if (found.mode !== wanted.mode) return `its mode is ${octal(found.mode)}, not ${octal(wanted.mode)}`;
  if (found.uid !== wanted.uid || found.gid !== wanted.gid)
    return `its owner is ${found.uid}:${found.gid}, not ${wanted.uid}:${wanted.gid}`;
  // Who may not read it knows neither.
  if (found.digest === '') return undefined;
  if (found.capabilities !== wanted.capabilities)
    return `its capabilities are ${found.capabilities ?? 'none'}, not ${wanted.capabilities ?? 'none'}`;
  const isSame = found.sizeBytes === wanted.sizeBytes && found.digest === wanted.digest;
  return isSame ? undefined : 'its content is another';
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
