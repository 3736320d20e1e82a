import { posix } from 'node:path';
import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { joinTarget, type TargetPath } from '../../core/path';
import { BUNDLE_RECORD, type BundleRecord, parseBundle } from '../../core/records/bundle';
import { type Image, type ImageKind, imageName, isImage } from '../../core/records/overlay';
import { resolveHostPath } from '../../system/host/host-files';
import { imageKindOf, isRegularFile, neededSize, sizeOf } from '../../system/mounts/images';
import { digestHostFile, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot } from '../../system/tree/rooted';
import { readSealed } from '../state/records';
import type { ClosureOptions } from './closure';
import { inClosure } from './items';

/** A closure that is not a directory of its own files: a bundle, or an image. */
export interface Source {
  /** Where it lies, all links resolved. */
  readonly path: string;
  /** Where its content can be read now. */
  readonly contentPath: string;
  readonly image: FoundImage | undefined;
  /** What a bundle says of itself; `undefined` for an image alone. */
  readonly record: BundleRecord | undefined;
}

interface FoundImage {
  readonly file: string;
  readonly carrier: Image;
}

/** Makes the content of an image readable where nobody else sees it, and says where. */
export type OpenImage = (file: string, kind: ImageKind) => Promise<string>;

/**
 * Opens a closure where it is a bundle or an image; `undefined` for any other directory, and where nothing is.
 *
 * @throws {ActivateError} `CLOSURE` where it is damaged, `PERMISSION` where only root can look into it
 */
export async function openSource(
  context: Context,
  { argument, format, inPlace }: ClosureOptions & { readonly argument: string },
  open: OpenImage,
): Promise<Source | undefined> {
  const name = posix.resolve(context.workingDirectory, argument);
  const path = resolveHostPath(name);
  if (path === undefined) return undefined;
  const found = isRegularFile(path) ? imageAlone(context, name, path) : bundleIn(name, path, format);
  if (inPlace === true && found?.image === undefined)
    throw new ActivateError('USAGE', 'only an image can be used in place, and this is none', {
      path: name,
      hint: 'Leave --in-place out, or name an image or a bundle with one.',
    });
  if (found === undefined) return undefined;
  const { image, record } = found;
  if (image === undefined) return { path, image, record, contentPath: posix.join(path, 'overlay') };
  try {
    return { path, image, record, contentPath: await open(image.file, image.carrier.kind) };
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'IO') throw error;
    throw damaged(image.file, error.message, error);
  }
}

type Found = Pick<Source, 'image' | 'record'>;

function imageAlone({ uid }: Context, name: string, file: string): Found | undefined {
  const kind = imageKindOf(file);
  if (kind === undefined) return undefined;
  if (uid !== 0)
    throw new ActivateError('PERMISSION', 'only root can look into an image', {
      path: name,
      hint: 'Run this as root, or name a bundle, whose manifest everybody can read.',
    });
  const [sizeBytes, needed] = [sizeOf(file), neededSize(file, kind)];
  if (sizeBytes < needed) throw damaged(name, `the image is damaged: it has ${sizeBytes} bytes, and needs ${needed}`);
  return { record: undefined, image: { file, carrier: { kind, sizeBytes, digest: digestHostFile(file) } } };
}

/**
 * Reads a closure; what cannot be read of an image is damaged.
 *
 * @throws {ActivateError} `CLOSURE`, and what `read` throws
 */
export function unlessDamaged<Value>(source: Source | undefined, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'IO' || source?.image === undefined) throw error;
    throw damaged(source.image.file, `the image is damaged: ${error.message}`, error);
  }
}

function bundleIn(name: string, directory: string, format: ClosureOptions['format']): Found | undefined {
  const top = openRoot(directory);
  try {
    const file = joinTarget('/' as TargetPath, BUNDLE_RECORD);
    const isThere = inClosure(name, () => readStatus(top, file)?.kind === 'file');
    if (!isThere && format !== 'bundle') return undefined;
    const record = readSealed({ root: top }, file, parseBundle);
    if (record === undefined)
      throw new ActivateError('CLOSURE', `a bundle has a ${BUNDLE_RECORD}, and this has none`, {
        path: name,
        hint: 'Name what `activate generate` wrote.',
      });
    return { record, image: isImage(record.overlay) ? wholeImage(directory, record.overlay) : undefined };
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'STATE') throw error;
    throw new ActivateError('CLOSURE', error.message, {
      path: `${name}/${BUNDLE_RECORD}`,
      hint: REBUILD,
      cause: error,
    });
  } finally {
    closeRoot(top);
  }
}

/** The image of a bundle, which is as it was written. */
function wholeImage(directory: string, carrier: Image): FoundImage {
  const named = posix.join(directory, imageName(carrier.kind));
  const file = resolveHostPath(named);
  if (file === undefined || !isRegularFile(file)) throw damaged(named, 'the image of the bundle is missing');
  const sizeBytes = sizeOf(file);
  if (sizeBytes !== carrier.sizeBytes)
    throw damaged(file, `the image is damaged: it has ${sizeBytes} bytes, and ${carrier.sizeBytes} were written`);
  if (digestHostFile(file) !== carrier.digest) throw damaged(file, 'the image is damaged: it is not what was written');
  return { file, carrier };
}

const REBUILD = 'Copy it again, or build it again with `activate generate`.';

function damaged(path: string, message: string, cause?: unknown): ActivateError {
  return new ActivateError('CLOSURE', message, { path, hint: REBUILD, cause });
}
