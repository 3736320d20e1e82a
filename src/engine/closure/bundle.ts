import { posix } from 'node:path';
import type { Context } from '../../context';
import { encodePieces } from '../../core/bytes';
import { ActivateError } from '../../core/errors';
import { IMAGE_MOUNT, mountUnit, whyNotInUnit } from '../../core/mount-unit';
import { joinTarget, type TargetPath } from '../../core/path';
import { BUNDLE_RECORD, renderBundle } from '../../core/records/bundle';
import { storePathOf } from '../../core/records/generation';
import { type Manifest, manifestPieces, withheldDigests } from '../../core/records/manifest';
import { type Carrier, type ImageKind, imageName } from '../../core/records/overlay';
import { makeSymlink } from '../../system/tree/changing';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import { listDirectory, readStatus } from '../../system/tree/reading';
import { makeHostDirectory, removeHostDirectory } from '../../system/host/host-files';
import { removeTree } from '../../system/tree/removing';
import { type Closure, type ClosureOptions, readClosure } from './closure';
import { sysusersRecord, writeSysusers } from '../accounts/records';
import { describeUnfixed } from '../accounts/static-accounts';
import { digestManifest } from '../state/generations';
import { requireMakers } from '../image/image';
import { warnOfLacking, writeAddon } from '../initrd/addon';
import { packClosure } from '../image/pack-closure';
import { type Machine, withMachine } from '../state/machine';
import { createSealed } from '../state/records';
import { copyOverlay } from '../transition/overlay';
import { writeBundle, writeUnits } from '../transition/stage';

export interface BundleOptions extends ClosureOptions {
  /** The directory to make. */
  readonly output: string;
  /** Where the bundle will lie on the machine that shows it. */
  readonly location: string | undefined;
  /** Whether an image has the links into a store, or what they lead to. */
  readonly storeLinks?: 'keep' | 'dereference';
}

/** A bundle that was written. */
export interface Bundle {
  readonly output: string;
  readonly paths: number;
  /** The text of the pointer in the full snippet. */
  readonly overlay: string;
  /** What carries the content. */
  readonly carrier: Carrier;
}

/**
 * Writes what a closure needs to be shown without `activate`: manifest, full snippet, overlay. Needs no root.
 *
 * A failure leaves the output directory as it was.
 *
 * @throws {ActivateError} `USAGE` where the output directory holds something already
 */
export function generate(context: Context, argument: string, options: BundleOptions): Promise<Bundle> {
  return withMachine(context, async (machine) => {
    const { image } = options;
    if (image !== undefined) requireMakers(image);
    const contents = image === undefined ? 'now' : 'later';
    const closure = readClosure(context, machine, argument, { ...options, names: 'closure alone', contents });
    const unread = closure.unread[0];
    if (unread !== undefined)
      throw new ActivateError('PERMISSION', unread.why, {
        path: unread.path,
        hint: 'Run this as a user who may read it.',
      });
    const output = posix.resolve(context.workingDirectory, options.output);
    const location = options.location ?? output;
    if (image !== undefined) refuseOutsideUnits(location);
    const made = await makeHostDirectory(output);
    const directory = openRoot(output);
    try {
      refuseFilled(directory, output);
      const filled = await fill(context, machine, { closure, directory, location, options });
      warnOfUnfixed(context, closure);
      warnOfLacking(context, closure.initrd);
      return { output, ...filled };
    } catch (error) {
      if (made !== undefined) removeHostDirectory(output, made);
      throw error;
    } finally {
      closeRoot(directory);
    }
  });
}

/** Users whose ids only a machine can give do not come with the bundle: a switch makes them. */
function warnOfUnfixed({ log }: Context, { name, sysusers, unfixed, carrier }: Closure): void {
  if (unfixed.length > 0)
    log.warn(`the bundle has no users: these lines leave an id to the machine: ${describeUnfixed(unfixed)}`, {
      path: name,
    });
  else if (sysusers.length > 0 && carrier.kind === 'store')
    log.warn('the bundle has no users: they cannot be added to a store path; a switch makes them', { path: name });
}

const TOP = '/' as TargetPath;

function refuseOutsideUnits(location: string): void {
  const why = whyNotInUnit(location);
  if (why !== undefined)
    throw new ActivateError('USAGE', why, { path: location, hint: 'Name another directory with --location.' });
}

function refuseFilled(directory: Root, output: string): void {
  if (listDirectory(directory, TOP).length === 0) return;
  throw new ActivateError('USAGE', 'there is something in the output directory already', {
    path: output,
    hint: 'Name an empty or a new directory.',
  });
}

interface Filling {
  readonly closure: Closure;
  readonly directory: Root;
  readonly location: string;
  readonly options: BundleOptions;
}

type Filled = Omit<Bundle, 'output'>;

async function fill(context: Context, machine: Machine, filling: Filling): Promise<Filled> {
  const { directory } = filling;
  try {
    return filling.options.image === undefined
      ? await fillWithTree(context, machine, filling)
      : await fillWithImage(context, machine, filling, filling.options.image);
  } catch (error) {
    for (const { name } of listDirectory(directory, TOP))
      if (readStatus(directory, joinTarget(TOP, name)) !== undefined) removeTree(directory, joinTarget(TOP, name));
    throw error;
  }
}

/** A tree, or a link to the store. */
async function fillWithTree(context: Context, machine: Machine, filling: Filling): Promise<Filled> {
  const { closure, directory, location } = filling;
  const { carrier, manifest } = closure;
  const storePath = storePathOf(closure);
  const overlay = storePath ?? posix.join(location, OVERLAY);
  writeRecords(context, filling, { manifest, carrier, overlay });
  const tree = joinTarget(TOP, OVERLAY);
  if (storePath === undefined) await copyOverlay({ ...machine, root: directory }, closure, tree);
  else makeSymlink(directory, tree, storePath);
  return { paths: manifest.entries.length, overlay, carrier };
}

const OVERLAY = 'overlay';

async function fillWithImage(context: Context, machine: Machine, filling: Filling, kind: ImageKind): Promise<Filled> {
  const { closure, directory, location, options } = filling;
  const storeLinks = options.storeLinks ?? 'dereference';
  const { manifest, image } = await packClosure(context, machine, { closure, directory, kind, storeLinks });
  writeRecords(context, filling, { manifest, carrier: image, overlay: IMAGE_MOUNT });
  writeUnits(directory, TOP, [mountUnit({ image: posix.join(location, imageName(kind)), kind, at: IMAGE_MOUNT })]);
  return { paths: manifest.entries.length, overlay: IMAGE_MOUNT, carrier: image };
}

interface Shown {
  readonly manifest: Manifest;
  readonly carrier: Carrier;
  readonly overlay: string;
}

function writeRecords(context: Context, { closure, directory }: Filling, shown: Shown): void {
  const { manifest, carrier, overlay } = shown;
  const { format, entries } = manifest;
  const rules = closure.rules.filter(({ onConflict, onDrift }) => onConflict !== undefined || onDrift !== undefined);
  const users = sysusersRecord(closure.sysusers);
  const addon = writeAddon(directory, TOP, closure.initrd);
  writeBundle(directory, TOP, manifest, { overlay, generation: 0 });
  writeSysusers(directory, TOP, closure.sysusers);
  const record = renderBundle({
    format,
    overlay: carrier,
    ...users,
    ...addon,
    rules: rules.map(({ match, onConflict, onDrift }) => ({ match, onConflict, onDrift })),
    paths: entries.length,
    digest: digestManifest(encodePieces(manifestPieces(manifest)), withheldDigests(manifest), {
      carrier,
      resident: false,
      ...users,
      ...addon,
    }),
    version: context.version,
  });
  createSealed(directory, joinTarget(TOP, BUNDLE_RECORD), [record], 0o644);
}
