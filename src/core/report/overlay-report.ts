import type { Generation } from '../records/generation';
import { isImage } from '../records/overlay';

/** What can be seen of a generation that is shown through a mount. */
export interface Shown {
  readonly mounted: boolean;
  /** How much memory a copy in memory takes; `undefined` for anything else. */
  readonly memoryBytes: number | undefined;
}

/** What carries a generation's overlay, in a few words: `squashfs, 36 KiB, mounted`. */
export function describeOverlay({ carrier, imagePath, resident }: Generation, shown: Shown | undefined): string {
  const image = isImage(carrier) ? [carrier.kind, renderBytes(carrier.sizeBytes)] : [carrier.kind];
  const place = imagePath === undefined ? [] : ['in place'];
  const memory = resident
    ? [shown?.memoryBytes === undefined ? 'in memory' : `${renderBytes(shown.memoryBytes)} of memory`]
    : [];
  const mounted = shown === undefined ? [] : [shown.mounted ? 'mounted' : 'not mounted'];
  return [...image, ...place, ...memory, ...mounted].join(', ');
}

const units = ['KiB', 'MiB', 'GiB', 'TiB'];

/** `1536` → `1.5 KiB`. */
function renderBytes(bytes: number): string {
  let value = bytes;
  let unit = 'bytes';
  for (const next of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${unit}`;
}
