import type { PathChange, View, ViewContent } from '../../core/report/change/change';
import type { Decision } from '../../core/plan/decision';
import { type Entry, type Ownership, POINTER } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import type { Found } from '../../core/found';
import { joinTarget, type TargetPath } from '../../core/path';
import { resolveInRoot } from '../../system/tree/following';
import { digestBytes, readHostBytes } from '../../system/host/host-files';
import { listDirectory, readFile, readLinkText, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import { errnoOf } from '../../system/syscalls/errno';
import { type Backup, backupContent } from '../../core/records/backup';
import type { Addition } from '../closure/closure';
import type { Machine } from '../state/machine';
import type { Elsewhere } from '../closure/content';
import type { Prepared } from '../deciding/prepare';

/** What there is to see: decisions, and where the content of both sides is. */
export interface Viewed extends Pick<Prepared, 'decisions' | 'elsewhere' | 'merges' | 'accounts'> {
  readonly from: { readonly overlay: TargetPath | undefined };
  readonly to: { readonly overlay: TargetPath | undefined };
  /** What is at each path before, where that is not what is on the machine. */
  readonly recorded?: ReadonlyMap<TargetPath, Entry>;
}

export interface ViewOptions {
  /** Whether files that not everyone may read are shown. */
  readonly secrets: 'withheld' | 'shown';
}

/**
 * What a transition changes, as people see it, path by path in order.
 *
 * A link through the pointer is looked through: what counts is what `cat` shows. Where only the store path differs and
 * the content is the same, there is no change to see.
 */
export function* viewChanges(machine: Machine, prepared: Viewed, options: ViewOptions): Generator<PathChange> {
  const elsewhere = openElsewhere(prepared);
  const job: Job = { machine, prepared, elsewhere, options };
  try {
    for (const decision of prepared.decisions) {
      const before = lookBefore(job, decision);
      const after = lookAfter(job, decision);
      if (before === undefined || after === undefined) continue;
      yield* compare(job, decision, before, after);
    }
  } finally {
    for (const { root } of elsewhere.values()) closeRoot(root);
  }
}

/** What putting a backup back changes at its path, and below where it is a directory. */
export function* viewBackup(machine: Machine, { number, path }: Backup, options: ViewOptions): Generator<PathChange> {
  const { root } = machine;
  const isOurs = readLinkText(root, path)?.startsWith(`${POINTER}/`) === true;
  const before = lookAt({ options }, sightOf(root, path), isOurs ? 'follow' : 'show');
  const after = lookAt({ options }, sightOf(root, backupContent(number)));
  if (!sameView(before.view, after.view)) yield { path, before: before.view, after: after.view, notes: [] };
  yield* compareInside({ options }, path, before.sight, after.sight);
}

interface Job {
  readonly machine: Machine;
  readonly prepared: Viewed;
  readonly elsewhere: ReadonlyMap<TargetPath, Opened>;
  readonly options: ViewOptions;
}

/** An overlay that cannot be looked at in its place. */
interface Opened {
  readonly root: Root;
  readonly additions: readonly Addition[];
}

/** Where something can be looked at. */
interface Sight {
  readonly tree: { readonly root: Root };
  readonly path: TargetPath;
}

type Look = { readonly view: View; readonly sight?: Sight };

function openElsewhere({ elsewhere }: { readonly elsewhere: Elsewhere }): Map<TargetPath, Opened> {
  return new Map(
    [...elsewhere].map(([overlay, { hostPath, additions }]) => [overlay, { root: openRoot(hostPath), additions }]),
  );
}

function lookBefore(job: Job, decision: Decision): Look | undefined {
  const { path, previous, action } = decision;
  if (action === 'keep' || action === 'release') return undefined;
  const { recorded, from } = job.prepared;
  if (recorded !== undefined) {
    const entry = recorded.get(path);
    return entry === undefined ? { view: { kind: 'absent' } } : lookAtEntry(job, entry, from.overlay);
  }
  const found = 'found' in decision ? decision.found : undefined;
  if (action === 'show' || (previous?.place === 'link' && found?.kind === 'symlink' && !('save' in decision))) {
    return lookThrough(job, from.overlay, path);
  }
  if (action === 'own' || action === 'adopt') return { view: { kind: 'directory', ...decision.before } };
  if (action === 'evict') return lookAt(job, sightOf(job.machine.root, path));
  return found === undefined ? { view: { kind: 'absent' } } : lookAtFound(job, path, found);
}

function lookAtFound(job: Job, path: TargetPath, found: Found): Look {
  if (found.kind === 'symlink') return { view: found };
  return lookAt(job, sightOf(job.machine.root, path));
}

function lookAfter(job: Job, decision: Decision): Look | undefined {
  switch (decision.action) {
    case 'restore':
      return lookAt(job, sightOf(job.machine.root, backupContent(decision.backup)));
    case 'reopen':
    case 'own':
      return { view: { kind: 'directory', ...decision.after } };
    case 'adopt':
      return decision.after === undefined ? undefined : { view: { kind: 'directory', ...decision.after } };
    case 'remove':
    case 'evict':
      return { view: { kind: 'absent' } };
    case 'create':
    case 'show':
    case 'replace':
      return lookAtEntry(job, decision.next, job.prepared.to.overlay);
    case 'merge':
      return lookAtMerged(job, decision);
    case 'edit':
      return lookAtAccounts(job, decision.path, decision.made);
    case 'keep':
    case 'release':
      return undefined;
  }
}

function lookAtMerged({ prepared, options }: Job, { path, merged }: Decision & { readonly action: 'merge' }): Look {
  const merge = prepared.merges.get(path);
  const bytes = merge?.state === 'merged' ? merge.result.bytes : new Uint8Array();
  const { mode, uid, gid } = merged;
  return { view: { kind: 'file', mode, uid, gid, content: withhold({ state: 'read', bytes }, mode, options) } };
}

/** What a file of users and groups holds afterwards. */
function lookAtAccounts({ prepared, options }: Job, path: TargetPath, { mode, uid, gid }: Ownership): Look {
  const bytes = prepared.accounts?.changes.find((change) => change.path === path)?.bytes ?? new Uint8Array();
  return { view: { kind: 'file', mode, uid, gid, content: withhold({ state: 'read', bytes }, mode, options) } };
}

function lookAtEntry(job: Job, entry: Entry, overlay: TargetPath | undefined): Look {
  if (entry.place === 'seed' && entry.kind === 'file' && hasAccounts(job, entry.path))
    return lookAtAccounts(job, entry.path, entry);
  if (entry.place === 'link') return asRecorded(lookThrough(job, overlay, entry.path), entry);
  if (entry.kind === 'symlink') return { view: { kind: 'symlink', linkText: entry.linkText } };
  if (entry.kind === 'directory')
    return { view: { kind: 'directory', mode: entry.mode, uid: entry.uid, gid: entry.gid } };
  const { view } =
    entry.source === undefined
      ? lookThrough(job, overlay, entry.path)
      : lookAt(job, sightOf(job.machine.root, entry.source as TargetPath), 'follow');
  if (view.kind !== 'file') return { view };
  const { mode, uid, gid } = entry;
  return { view: { ...view, mode, uid, gid, content: withhold(view.content, mode, job.options) } };
}

function hasAccounts({ prepared }: Job, path: TargetPath): boolean {
  return prepared.accounts?.changes.some((change) => change.path === path) === true;
}

/** Where an image could only be read and not mounted, the record alone knows the owner. */
function asRecorded(look: Look, entry: Entry): Look {
  if (look.view.kind !== 'file' || entry.kind !== 'file') return look;
  const { mode, uid, gid } = entry;
  return { ...look, view: { ...look.view, mode, uid, gid } };
}

/** What a link through the pointer shows, once that points at `overlay`. */
function lookThrough(job: Job, overlay: TargetPath | undefined, path: TargetPath): Look {
  const elsewhere = overlay === undefined ? undefined : job.elsewhere.get(overlay);
  const addition = elsewhere?.additions.find((each) => each.path === path);
  if (addition !== undefined) return { view: viewOf(job, addition) };
  if (elsewhere !== undefined) return lookAt(job, { tree: elsewhere, path });
  return lookAt(job, sightOf(job.machine.root, `${overlay ?? ''}${path}` as TargetPath), 'follow');
}

function viewOf({ options }: Job, { content, mode, uid, gid }: Addition): View {
  const bytes = 'bytes' in content ? content.bytes : readHostBytes(content.hostPath);
  return { kind: 'file', mode, uid, gid, content: withhold({ state: 'read', bytes }, mode, options) };
}

function sightOf(root: Root, path: TargetPath): Sight {
  return { tree: { root }, path };
}

function lookAt(job: Pick<Job, 'options'>, sight: Sight, links: 'follow' | 'show' = 'show'): Look {
  const { root } = sight.tree;
  const path = links === 'follow' ? resolveInRoot(root, sight.path) : sight.path;
  const status = path === undefined ? undefined : readStatus(root, path);
  if (path === undefined || status === undefined) {
    const linkText = readLinkText(root, sight.path);
    return { view: linkText === undefined ? { kind: 'absent' } : { kind: 'symlink', linkText } };
  }
  const { mode, uid, gid } = status;
  switch (status.kind) {
    case 'symlink':
      return { view: { kind: 'symlink', linkText: readLinkText(root, path) ?? '' } };
    case 'directory':
      return { view: { kind: 'directory', mode, uid, gid }, sight: { ...sight, path } };
    case 'file': {
      const content = withhold(readContent(root, path, status.sizeBytes), mode, job.options);
      return { view: { kind: 'file', mode, uid, gid, content } };
    }
    default:
      return { view: { kind: 'special', what: status.kind } };
  }
}

export function readContent(root: Root, path: TargetPath, sizeBytes: number): ViewContent {
  try {
    return { state: 'read', bytes: readFile(root, path) };
  } catch (error) {
    const isGone = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(errnoOf(error) ?? '');
    if (isGone || (error instanceof ActivateError && error.code === 'PERMISSION'))
      return { state: 'unreadable', sizeBytes };
    throw error;
  }
}

export function withhold(content: ViewContent, mode: number, { secrets }: ViewOptions): ViewContent {
  if (content.state !== 'read' || secrets === 'shown' || (mode & 0o004) !== 0) return content;
  return { state: 'withheld', sizeBytes: content.bytes.length, digest: digestBytes(content.bytes) };
}

/** Yields the change at a path, and below it where a directory is shown or hidden as a whole. */
function* compare(job: Job, decision: Decision, before: Look, after: Look): Generator<PathChange> {
  const { path } = decision;
  if (!sameView(before.view, after.view)) {
    yield { path, before: before.view, after: after.view, notes: notesOn(decision) };
  }
  const isWhole = decision.previous?.place === 'link' || decision.next?.place === 'link';
  // What is in a directory of ours has decisions of its own.
  const sight = decision.previous?.place === 'directory' ? undefined : before.sight;
  if (isWhole) yield* compareInside(job, path, sight, after.sight);
}

function* compareInside(
  job: Pick<Job, 'options'>,
  path: TargetPath,
  before: Sight | undefined,
  after: Sight | undefined,
): Generator<PathChange> {
  const names = [...new Set([...namesIn(before), ...namesIn(after)])].toSorted();
  for (const name of names) {
    const here = joinTarget(path, name);
    const left = lookInside(job, before, name);
    const right = lookInside(job, after, name);
    if (!sameView(left.view, right.view)) yield { path: here, before: left.view, after: right.view, notes: [] };
    yield* compareInside(job, here, left.sight, right.sight);
  }
}

function namesIn(sight: Sight | undefined): string[] {
  if (sight === undefined) return [];
  try {
    return listDirectory(sight.tree.root, sight.path).map(({ name }) => name);
  } catch (error) {
    // Whoever looks while a switch is under way may come too late.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

/** Links into a store are looked through, as they are at the top. */
function lookInside(job: Pick<Job, 'options'>, sight: Sight | undefined, name: string): Look {
  if (sight === undefined) return { view: { kind: 'absent' } };
  const path = joinTarget(sight.path, name);
  const linkText = readLinkText(sight.tree.root, path);
  const isStoreLink = linkText !== undefined && /^\/(?:nix|gnu)\/store\//u.test(linkText);
  return lookAt(job, { ...sight, path }, isStoreLink ? 'follow' : 'show');
}

function sameView(a: View, b: View): boolean {
  switch (a.kind) {
    case 'absent':
      return b.kind === 'absent';
    case 'symlink':
      return b.kind === 'symlink' && a.linkText === b.linkText;
    case 'special':
      return b.kind === 'special' && a.what === b.what;
    case 'directory':
      return b.kind === 'directory' && sameMetadata(a, b);
    case 'file':
      return b.kind === 'file' && sameMetadata(a, b) && sameContent(a.content, b.content);
  }
}

interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

function sameMetadata(a: Metadata, b: Metadata): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function sameContent(a: ViewContent, b: ViewContent): boolean {
  if (a.state === 'read' && b.state === 'read')
    return a.bytes.length === b.bytes.length && a.bytes.every((byte, index) => byte === b.bytes[index]);
  if (a.state === 'read' || b.state === 'read') return false;
  return a.digest !== undefined && a.digest === b.digest;
}

function notesOn(decision: Decision): string[] {
  if (decision.action === 'restore') return ["the machine's own comes back"];
  if (decision.action === 'merge')
    return ['somebody changed this; the change is merged into the new one, and what is there is kept as a backup'];
  if (!('save' in decision) || decision.save === undefined) return [];
  return [
    decision.save === 'displaced'
      ? "the machine's own is kept as a backup"
      : 'somebody changed this; the change is kept as a backup',
  ];
}
