import { ActivateError } from '../../core/errors';
import { isSidecarName, type Item } from '../../core/closure/listing';
import { joinTarget, type TargetPath } from '../../core/path';
import { whyNotRepresentable } from '../../core/snippet/snippet';
import { resolveBelow } from '../../system/host/host-files';
import { listDirectory, readFile, readLinkTexts, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';

/**
 * Opens a directory of a closure.
 *
 * @throws {ActivateError} `CLOSURE` where it is none, `PERMISSION`
 */
export function openClosure(hostPath: string, name: string): Root {
  try {
    return openRoot(hostPath);
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') throw error;
    throw new ActivateError('CLOSURE', 'a closure is a directory, or an image of squashfs or erofs', {
      path: name,
      hint: 'Name a built system, or a directory with etc in it.',
      cause: error,
    });
  }
}

/** Lists what a closure has for one root. `etc` itself may be a link, as it is in a NixOS system; nothing below is followed. */
export function readItems(top: Root, target: TargetPath, name: string, isStore: boolean): Item[] {
  const hostPath = resolveBelow(top, target);
  if (hostPath === undefined) {
    if (target !== '/etc') return [];
    throw new ActivateError('CLOSURE', 'the closure has no etc', {
      path: name,
      hint: 'Name the directory that holds etc: a NixOS or Guix system, an etc derivation, or any root tree.',
    });
  }
  if (!isStore && hostPath !== `${top.path}${target}`) {
    throw new ActivateError('CLOSURE', `${target.slice(1)} leads out of the closure, to ${hostPath}`, {
      path: `${name}${target}`,
      hint: 'Replace the link by the directory that it shows.',
    });
  }
  const tree = openClosure(hostPath, `${name}${target}`);
  try {
    return inClosure(`${name}${target}`, () => {
      const top = readStatus(tree, '/' as TargetPath);
      if (top === undefined) return [];
      const { mode, uid, gid } = top;
      const items: Item[] = [{ path: target, kind: 'directory', mode, uid, gid }];
      walk({ tree, target, closure: name, isStore, items }, '/' as TargetPath);
      return items;
    });
  } finally {
    closeRoot(tree);
  }
}

/**
 * What `action` reads in a directory of a closure; what cannot be read is named as the user would name it.
 *
 * @throws {ActivateError} what `action` throws, with the directory in front of the path
 */
export function inClosure<Value>(directory: string, action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof ActivateError) || (error.code !== 'IO' && error.code !== 'PERMISSION')) throw error;
    const { code, message, path = '/', hint, cause } = error;
    throw new ActivateError(code, message, {
      path: path === '/' ? directory : directory + path,
      ...(hint === undefined ? {} : { hint }),
      cause,
    });
  }
}

interface Walk {
  readonly tree: Root;
  readonly target: TargetPath;
  readonly closure: string;
  readonly isStore: boolean;
  readonly items: Item[];
}

/** Far below what the kernel takes for a path: longer ones are told from others before they are read. */
const LONGEST_HARMLESS = 1000;

function walk(job: Walk, directory: TargetPath): void {
  const base = directory === '/' ? job.target : ((job.target + directory) as TargetPath);
  const why = base.length < LONGEST_HARMLESS ? undefined : whyNotRepresentable(base);
  if (why !== undefined) throw new ActivateError('CLOSURE', why, { path: base, hint: `Rename it in ${job.closure}.` });
  const listed = listDirectory(job.tree, directory).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const links = listed.filter(({ kind }) => kind === 'symlink').map(({ name }) => name);
  const texts = readLinkTexts(job.tree, directory, links);
  const textOf = new Map(links.map((name, index) => [name, texts[index]]));
  for (const { name } of listed) {
    const path = joinTarget(base, name);
    const linkText = textOf.get(name);
    if (linkText !== undefined) job.items.push({ path, kind: 'symlink', linkText });
    else walkOther(job, joinTarget(directory, name), path);
  }
}

function walkOther(job: Walk, here: TargetPath, path: TargetPath): void {
  const status = readStatus(job.tree, here);
  const { mode, uid, gid, sizeBytes } = status ?? { mode: 0, uid: 0, gid: 0, sizeBytes: 0 };
  switch (status?.kind) {
    case 'directory':
      job.items.push({ path, kind: 'directory', mode, uid, gid });
      return walk(job, here);
    case 'file': {
      const isSidecar = job.isStore && sizeBytes < 256 && isSidecarName(path);
      const text = isSidecar ? { text: new TextDecoder().decode(readFile(job.tree, here)) } : {};
      return void job.items.push({ path, kind: 'file', mode, uid, gid, sizeBytes, ...text });
    }
    default:
      throw new ActivateError(
        'CLOSURE',
        status === undefined
          ? 'it went away while the closure was read'
          : `a closure holds files, links and directories, and this is a ${status.kind}`,
        {
          path,
          hint: `Remove it from ${job.closure}, or read the closure again.`,
        },
      );
  }
}
