import * as v from 'valibot';
import { parseTargetPath, type TargetPath } from '../path';

/** The filesystems that an image can be. */
export const imageKinds = ['squashfs', 'erofs'] as const;
export type ImageKind = (typeof imageKinds)[number];

/** A file that holds a whole overlay. */
export interface Image {
  readonly kind: ImageKind;
  readonly sizeBytes: number;
  /** SHA-256 of the file in hexadecimal. */
  readonly digest: string;
}

/** What carries the content that an overlay shows. */
export type Carrier = { readonly kind: 'store'; readonly path: TargetPath } | { readonly kind: 'tree' } | Image;

const target = v.custom<TargetPath>((value) => typeof value === 'string' && parseTargetPath(value) === value);
const size = v.pipe(v.number(), v.integer(), v.minValue(0));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/u));

export const carrierSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('store'), path: target }),
  v.strictObject({ kind: v.literal('tree') }),
  v.strictObject({ kind: v.picklist(imageKinds), sizeBytes: size, digest: sha256 }),
]);

export function isImage(carrier: Carrier): carrier is Image {
  return carrier.kind !== 'store' && carrier.kind !== 'tree';
}

/** The name of the file that carries an overlay, in a generation and in a bundle: `image.squashfs`. */
export function imageName(kind: ImageKind): string {
  return `image.${kind}`;
}
