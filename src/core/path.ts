import { decodeName, encodeName } from './bytes';

declare const brand: unique symbol;

/** An absolute, normalised path as the running system sees it, e.g. `/etc/hosts`. */
export type TargetPath = string & { readonly [brand]: 'TargetPath' };

/** A path on the machine that runs `activate`, the root directory included; the only kind that is handed to the kernel. */
export type HostPath = string & { readonly [brand]: 'HostPath' };

/**
 * Reads an absolute path; `undefined` where it is relative, has a `..`, holds a NUL, or is not how bytes are written as a
 * name, so that two different paths never mean one file.
 *
 * Doubled slashes, `.` and a slash at the end are dropped.
 */
export function parseTargetPath(text: string): TargetPath | undefined {
  if (!text.startsWith('/') || text.includes('\0') || !isName(text)) return undefined;
  const names = text.split('/').filter((name) => name !== '' && name !== '.');
  return names.includes('..') ? undefined : (`/${names.join('/')}` as TargetPath);
}

/** Other text has bytes too, but those of another name: `\udcc3\udca4` those of `ä`. */
function isName(text: string): boolean {
  return text.isWellFormed() || decodeName(encodeName(text)) === text;
}

/** The path of `name` in `parent`; `name` is one component, or several that are known to be normalised. */
export function joinTarget(parent: TargetPath, name: string): TargetPath {
  return (parent === '/' ? `/${name}` : `${parent}/${name}`) as TargetPath;
}

/** The directory that holds `path`; `/` for `/`. */
export function parentOf(path: TargetPath): TargetPath {
  const slash = path.lastIndexOf('/');
  return (slash <= 0 ? '/' : path.slice(0, slash)) as TargetPath;
}

/** The last component; empty for `/`. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Whether `path` lies somewhere below `ancestor`; a path is not below itself. */
export function isBelow(path: string, ancestor: string): boolean {
  return ancestor === '/' ? path !== '/' : path.startsWith(`${ancestor}/`);
}

/** Where `path` is while the tree at `root` is being worked on. */
export function hostPath(root: HostPath, path: TargetPath): HostPath {
  return (root === '/' ? path : `${root}${path === '/' ? '' : path}`) as HostPath;
}

/** The inverse of {@link hostPath}; `undefined` for what is not below the root. */
export function targetPathOf(root: HostPath, path: string): TargetPath | undefined {
  if (root === '/') return parseTargetPath(path);
  return path.startsWith(`${root}/`) ? parseTargetPath(path.slice(root.length)) : undefined;
}

/** Every directory above `path`, the topmost (`/`) first. */
export function ancestorsOf(path: TargetPath): TargetPath[] {
  const ancestors: TargetPath[] = [];
  for (let at = path; at !== '/';) {
    at = parentOf(at);
    ancestors.push(at);
  }
  return ancestors.toReversed();
}

/**
 * Orders paths so that a directory comes right before what is below it, the same in every locale.
 *
 * Plain string order puts `/a-b` between `/a` and `/a/b`; here a slash sorts before everything else.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return (left === SLASH ? -1 : left) - (right === SLASH ? -1 : right);
  }
  return a.length - b.length;
}

const SLASH = 0x2f;
