/** How far something is that takes a while. */
export interface Progress {
  /** What is being done, e.g. `image.squashfs`. */
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** A bar that fills, in one line of at most `columns`: `image.squashfs  [=====>    ]  52 %`. */
export function renderProgress({ what, done, total }: Progress, columns: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
  const width = Math.min(WIDEST, columns - what.length - percent.length - FRAME);
  if (width < NARROWEST) return `${what} ${percent}`.slice(0, Math.max(0, columns - 1));
  const filled = Math.floor(share * width);
  const bar = filled === width ? '='.repeat(width) : `${'='.repeat(filled)}>`.padEnd(width);
  return `${what}  [${bar}] ${percent}`;
}

const WIDEST = 50;
const NARROWEST = 5;

/** Two spaces, two brackets, a space, and a last column that stays free: some terminals go on to the next line there. */
const FRAME = 6;
