import { joinTarget, parentOf, type TargetPath } from '../../core/path';
import { readLinkText, readStatus } from './reading';
import type { Root } from './rooted';

const MOST_LINKS = 40;
const STORES = ['/nix/store', '/gnu/store'];

/** Where a path leads, as far as stores are concerned. */
export type Led =
  | { readonly state: 'found'; readonly path: TargetPath }
  /** Out of the stores: the first path there. */
  | { readonly state: 'outside'; readonly path: string }
  | { readonly state: 'nowhere' | 'loop' };

/**
 * Where a path leads in the tree at the root, as a process whose `/` that is would see it; `undefined` where it leads
 * nowhere. No link leads out.
 */
export function resolveInRoot(root: Root, path: string): TargetPath | undefined {
  const led = follow(root, path, () => false);
  return led.state === 'found' ? led.path : undefined;
}

/** Follows a path for as long as it stays in the stores of the tree at the root. */
export function followInStore(root: Root, path: string): Led {
  const led = follow(root, path, (text) => !isInStore(text));
  return led.state === 'found' && !isInStore(led.path) ? { state: 'outside', path: led.path } : led;
}

export function isInStore(path: string): boolean {
  return storeOf(path) !== undefined;
}

/** The store that a path is in, e.g. `/nix/store`. */
export function storeOf(path: string): string | undefined {
  return STORES.find((store) => path.startsWith(`${store}/`));
}

/** @param isEnd whether a path that a link leads to is not followed */
function follow(root: Root, path: string, isEnd: (path: string) => boolean): Led {
  if (isEnd(path)) return { state: 'outside', path };
  const pending = path.split('/').toReversed();
  let at = '/' as TargetPath;
  for (let links = 0; pending.length > 0;) {
    const name = pending.pop() ?? '';
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = parentOf(at);
      continue;
    }
    const here = joinTarget(at, name);
    const text = readLinkText(root, here);
    if (text === undefined) {
      at = here;
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return { state: 'loop' };
    if (text.startsWith('/')) {
      const rest = pending.toReversed().join('/');
      const whole = rest === '' ? text : `${text}/${rest}`;
      if (isEnd(whole)) return { state: 'outside', path: whole };
      at = '/' as TargetPath;
    }
    pending.push(...text.split('/').toReversed());
  }
  return readStatus(root, at) === undefined ? { state: 'nowhere' } : { state: 'found', path: at };
}
