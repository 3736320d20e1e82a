import type { Context } from '../../context';
import { renderProgress } from '../../core/report/text/progress';

/** Tells people how far something is. */
export interface Watch {
  readonly advance: (done: number, total: number) => void;
  /** Takes the bar away. */
  readonly end: () => void;
}

/** Nobody wants to read of what is over at once. */
const QUIET_MS = 1000;
const EVERY_MS = 100;

/** A bar on the terminal that messages go to, once it has taken a second; nothing where that is no terminal. */
export function watch({ messageTerminal, elapsed, warn }: Context, what: string): Watch {
  if (!messageTerminal.isTerminal) return { advance: () => undefined, end: () => undefined };
  let next = elapsed() + QUIET_MS;
  let isShown = false;
  return {
    advance: (done, total) => {
      if (elapsed() < next) return;
      next = elapsed() + EVERY_MS;
      isShown = true;
      warn(`\r${renderProgress({ what, done, total }, messageTerminal.columns)}${CLEAR_REST}`);
    },
    end: () => {
      if (isShown) warn(`\r${CLEAR_REST}`);
    },
  };
}

/** @see ECMA-48, EL */
const CLEAR_REST = '\x1b[K';
