import { parentOf, type TargetPath } from '../path';
import type { HookFile } from './files';
import type { HooksRecord, InstalledFile } from './record';

/** What is at a path where a hook has a file: nothing, a file by its SHA-256, a link, or something else. */
export type FoundFile =
  | undefined
  | { readonly kind: 'file'; readonly digest: string; readonly mode: number }
  | { readonly kind: 'link'; readonly linkText: string }
  | { readonly kind: 'other'; readonly what: string };

/** What becomes of one file of a hook. */
export type FileStep =
  | { readonly action: 'create' | 'replace' | 'keep'; readonly file: HookFile }
  | { readonly action: 'remove'; readonly path: TargetPath }
  /** Somebody changed it, so it stays. */
  | { readonly action: 'leave'; readonly path: TargetPath };

/** What a hook changes on disk. */
export interface InstallPlan {
  /** In the order of the paths. */
  readonly steps: readonly FileStep[];
  /** What is in the way. */
  readonly conflicts: readonly { readonly path: TargetPath; readonly why: string }[];
  /** What is ours afterwards. */
  readonly files: readonly InstalledFile[];
}

/**
 * What has to change so that exactly the files of a hook are there, and those of the hook before are not.
 *
 * A file that is the same already but not recorded is somebody else's, e.g. a package's: it stays, and stays theirs.
 *
 * @param wanted nothing where all is to be removed
 * @param digest the SHA-256 of bytes
 */
export function planInstall(
  wanted: readonly HookFile[],
  recorded: Pick<HooksRecord, 'files'> | undefined,
  {
    found,
    digest,
  }: { readonly found: (path: TargetPath) => FoundFile; readonly digest: (bytes: Uint8Array) => string },
): InstallPlan {
  // After a crash both what was there and what was to be is ours.
  const ours = Map.groupBy(recorded?.files ?? [], ({ path }) => path);
  const steps: FileStep[] = [];
  const conflicts: { path: TargetPath; why: string }[] = [];
  const files: InstalledFile[] = [];
  for (const file of wanted) {
    const { path } = file;
    const next = recordOf(file, digest);
    const there = found(path);
    const before = ours.get(path);
    ours.delete(path);
    if (there === undefined) steps.push({ action: 'create', file });
    else if (isAs(there, next)) steps.push({ action: 'keep', file });
    else if (isAny(there, before)) steps.push({ action: 'replace', file });
    else
      conflicts.push({ path, why: before === undefined ? foreign(there) : 'somebody changed what was installed here' });
    if (before !== undefined || there === undefined || !isAs(there, next)) files.push(next);
  }
  for (const [path, before] of ours) {
    const there = found(path);
    if (there !== undefined) steps.push({ action: isAny(there, before) ? 'remove' : 'leave', path });
  }
  return { steps: steps.toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1)), conflicts, files };
}

export function pathOf(step: FileStep): TargetPath {
  return 'file' in step ? step.file.path : step.path;
}

/** Whether anything is written or removed. */
export function isIdle({ steps }: Pick<InstallPlan, 'steps'>): boolean {
  return steps.every(({ action }) => action === 'keep' || action === 'leave');
}

function foreign(there: Exclude<FoundFile, undefined>): string {
  return `a ${there.kind === 'other' ? there.what : there.kind} that activate did not install is there`;
}

function isAny(there: Exclude<FoundFile, undefined>, files: readonly InstalledFile[] = []): boolean {
  return files.some((file) => isAs(there, file));
}

function recordOf(file: HookFile, digest: (bytes: Uint8Array) => string): InstalledFile {
  const { path } = file;
  return 'linkText' in file ? { path, linkText: file.linkText } : { path, digest: digest(file.bytes), mode: file.mode };
}

function isAs(there: Exclude<FoundFile, undefined>, file: InstalledFile): boolean {
  if ('linkText' in file) return there.kind === 'link' && there.linkText === file.linkText;
  return there.kind === 'file' && there.digest === file.digest && there.mode === file.mode;
}

/** The directories above files that are not there, the topmost first. */
export function missingDirectories(files: readonly TargetPath[], isThere: (path: TargetPath) => boolean): TargetPath[] {
  const missing = new Set<TargetPath>();
  for (const path of files) {
    for (let at = parentOf(path); at !== '/' && !missing.has(at) && !isThere(at); at = parentOf(at)) missing.add(at);
  }
  return [...missing].toSorted();
}
