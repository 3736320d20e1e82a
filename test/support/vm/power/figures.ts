import type { Figures } from './cutting';

/** The figures of several machines together, in words. */
export function report(
  all: readonly Figures[],
  seconds: number,
): { readonly text: string; readonly wrong: readonly string[] } {
  const sum = (of: (figures: Figures) => number): number => all.reduce((total, figures) => total + of(figures), 0);
  const cuts = sum((each) => each.cuts);
  const wrong = all.flatMap((each) => each.wrong);
  const text = [
    `${cuts} power cuts, ${sum((each) => each.duringBoot)} of them while a machine came up;`,
    `${sum((each) => each.looked)} boots looked at, ${sum((each) => each.acknowledged)} commands acknowledged;`,
    `what was under way was finished ${sum((each) => each.finished)} times and undone ${sum((each) => each.undone)} times;`,
    `${sum((each) => each.brought)} boots brought /etc to another generation;`,
    `${wrong.length} wrong; ${(seconds / cuts).toFixed(1)} s each`,
  ].join(' ');
  return { text, wrong };
}
