import { type FSWatcher as NodeWatcher, watch as watchNode } from 'node:fs';
import type { FSWatcher } from 'chokidar';
import { type HostPath, hostPath, type TargetPath } from '../core/path';
import { attempt } from './failure';
import { readHostFile } from './host/host-files';
import { openPath, type Root } from './tree/rooted';
import { errnoOf, must } from './syscalls/errno';
import { close, open } from './syscalls/files';

/** A directory to watch: where it is, and which one it is. */
export interface Watched {
  readonly path: TargetPath;
  /** Differs when another directory has taken its place. */
  readonly identity: string;
}

/** Says when names in directories come, go or change; what is below a directory is not watched with it. */
export interface Watcher {
  /**
   * Watches these directories and no others, and resolves once it does. One that was replaced is watched anew.
   *
   * @returns whether any is watched that was not before: what happened there until now has not been said
   */
  readonly watchOnly: (root: Root, directories: readonly Watched[]) => Promise<'as before' | 'more'>;
  /** The directories that could not be watched, and why, by errno: ENOSPC and EMFILE are limits of inotify. */
  readonly failures: () => ReadonlyMap<HostPath, string>;
  readonly close: () => Promise<void>;
}

/** What happened: a name in a directory. The name is missing where it could not be read, and is no valid one where it is not UTF-8. */
export type Touch = (directory: TargetPath, name: string | undefined) => void;

interface Open {
  readonly identity: string;
  readonly close: () => Promise<void> | void;
}

/** Makes a watcher, which watches nothing yet. Nothing is polled. @see inotify(7) */
export function newWatcher(touch: Touch): Watcher {
  const opened = new Map<HostPath, Open>();
  const failed = new Map<HostPath, string>();
  const drop = (path: HostPath): void => {
    const gone = opened.get(path);
    opened.delete(path);
    void Promise.resolve(gone?.close()).catch(() => undefined);
  };
  return {
    failures: () => failed,
    close: async () => {
      await Promise.allSettled([...opened.values()].map(async (each) => each.close()));
      opened.clear();
    },
    watchOnly: async (root, directories) => {
      const wanted = new Map(directories.map((each) => [hostPath(root.path, each.path), each]));
      for (const [path, { identity }] of opened) if (wanted.get(path)?.identity !== identity) drop(path);
      failed.clear();
      const missing = [...wanted].filter(([path]) => !opened.has(path));
      await Promise.all(
        missing.map(async ([path, { path: target, identity }]) => {
          let isBegun = false;
          const fail = (error: unknown): void => {
            failed.set(path, errnoOf(error) ?? String(error));
            drop(path);
            // What cannot be watched from the beginning is said by its failure.
            if (isBegun) touch(target, undefined);
          };
          const begin = isSpeakable(path) ? watchByName : watchByDescriptor;
          const each = await begin({ root, target, path, touch, fail });
          isBegun = true;
          if (each !== undefined && !failed.has(path)) opened.set(path, { identity, close: each });
          else void each?.();
        }),
      );
      return missing.length > 0 ? 'more' : 'as before';
    },
  };
}

interface Beginning {
  readonly root: Root;
  readonly target: TargetPath;
  readonly path: HostPath;
  readonly touch: Touch;
  readonly fail: (error: unknown) => void;
}

type Close = () => Promise<void> | void;

/** chokidar takes a backslash for a slash, and a name that is not UTF-8 for another one. */
function isSpeakable(path: string): boolean {
  return path.isWellFormed() && !path.includes('\\');
}

async function watchByName({ target, path, touch, fail }: Beginning): Promise<Close> {
  // It would obey these, and poll.
  for (const name of ['CHOKIDAR_USEPOLLING', 'CHOKIDAR_INTERVAL']) delete process.env[name];
  const { watch } = await import('chokidar');
  // What is in the directory is of no interest to it: each event as it comes is enough, since none is believed.
  const ignored = (each: string): boolean => each !== path;
  const watcher: FSWatcher = watch(path, {
    depth: 0,
    followSymlinks: false,
    ignoreInitial: true,
    atomic: false,
    ignored,
  });
  watcher.on('raw', (_event, name: unknown, details: unknown) => {
    const { watchedPath } = details as { readonly watchedPath?: string };
    if (watchedPath === path) touch(target, typeof name === 'string' ? name : undefined);
  });
  watcher.on('all', () => touch(target, undefined));
  await new Promise<void>((resolve) => {
    watcher.on('error', (error) => {
      fail(error);
      resolve();
    });
    watcher.once('ready', resolve);
  });
  return () => watcher.close();
}

function watchByDescriptor({ root, target, touch, fail }: Beginning): Close | undefined {
  let descriptor = -1;
  try {
    descriptor = attempt('open the directory', target, () =>
      must(openPath(root, target, open.readOnly | open.directory | open.noFollow), 'openat2', target),
    );
    const watcher: NodeWatcher = watchNode(`/proc/self/fd/${descriptor}`, (_event, name) =>
      touch(target, name ?? undefined),
    );
    watcher.on('error', fail);
    return () => {
      watcher.close();
      close(descriptor);
    };
  } catch (error) {
    if (descriptor >= 0) close(descriptor);
    fail(error);
    return undefined;
  }
}

/** What the machine lets one user watch; `undefined` where it does not say. */
export function watchLimits(): { readonly watches: string | undefined; readonly instances: string | undefined } {
  return { watches: readLimit('max_user_watches'), instances: readLimit('max_user_instances') };
}

function readLimit(name: string): string | undefined {
  return readHostFile(`/proc/sys/fs/inotify/${name}`)?.trim();
}
