import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import { type ImageNode, isPrivate } from '../../core/image/node';
import { joinTarget, type TargetPath } from '../../core/path';
import { type Image, type ImageKind, imageName } from '../../core/records/overlay';
import { changeMode } from '../../system/tree/changing';
import { createFile } from '../../system/tree/copying';
import { requireProgram } from '../../system/programs';
import { digestFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import { directoryOf } from '../../core/image/staging';
import { makeErofs } from './erofs';
import { type Packed, packNodes, readNodes } from './packing';
import { makeSquashfs } from './squashfs';
import { watch } from './watching';

/** What somebody needs who makes an image. */
export interface Making {
  readonly uid: number;
  readonly nodes: readonly ImageNode[];
  readonly archive: () => Iterable<Uint8Array>;
  /** Reads everything without packing it, a step at a time. */
  readonly read: () => Iterable<void>;
  /** What packing finds out. */
  readonly packed: Packed;
  /** The directory that has everything at the same paths. */
  readonly tree: string | undefined;
  /** Where the image is made, and its name there. */
  readonly directory: Root;
  readonly file: string;
  readonly signal: AbortSignal;
}

export interface Wanted {
  readonly kind: ImageKind;
  /** The closure as the user named it. */
  readonly closure: string;
  readonly nodes: readonly ImageNode[];
  /** Where the image is made. */
  readonly directory: Root;
}

/** @throws {ActivateError} `REFUSED` where a program is missing that makes such an image */
export function requireMakers(kind: ImageKind): void {
  for (const program of kind === 'squashfs' ? ['mksquashfs'] : ['mkfs.erofs', 'tar']) requireProgram(program);
}

/**
 * Makes an image: the same bytes for the same nodes, whoever makes it and wherever.
 *
 * It can be read by whoever may read all that is in it: a file that not everybody may read makes it root's alone.
 *
 * @throws {ActivateError} `IO`, `PERMISSION`, `REFUSED`; what was made so far is there
 */
export async function makeImage(context: Context, wanted: Wanted): Promise<{ image: Image; packed: Packed }> {
  const { kind, closure, nodes, directory } = wanted;
  const file = imageName(kind);
  const path = joinTarget('/' as TargetPath, file);
  const packed: Packed = { contents: new Map(), modes: new Map(), withoutAcl: [], isUnlike: false };
  const tree = kind === 'erofs' ? directoryOf(nodes) : undefined;
  const progress = watch(context, file);
  const advance = (done: number): void => progress.advance(done, nodes.length);
  const packing = { nodes, kind, packed, closure, advance, directory: tree };
  const archive = (): Iterable<Uint8Array> => packNodes(packing);
  const read = (): Iterable<void> => readNodes(packing);
  createFile(directory, path, { mode: 0o600 }, new Uint8Array());
  try {
    const making = { uid: context.uid, nodes, archive, read, packed, tree, directory, file, signal: context.signal };
    await (kind === 'squashfs' ? makeSquashfs(making) : makeErofs(making));
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new ActivateError('FAILED', `interrupted by ${String(context.signal.reason)}`, { cause: error });
  } finally {
    progress.end();
  }
  changeMode(directory, path, isPrivate(nodes) ? 0o600 : 0o644);
  const sizeBytes = readStatus(directory, path)?.sizeBytes ?? 0;
  return { image: { kind, sizeBytes, digest: digestFile(directory, path) }, packed };
}
