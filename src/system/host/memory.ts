const MANY = 20_000;

/**
 * Between the phases of a transition, gives back what the last one no longer uses, where there is enough of it.
 *
 * The collector waits until the heap has doubled or so; over 100,000 entries nearly all of that is the last phase's
 * garbage, and the peak would be twice what is needed. Takes some 30 ms there.
 *
 * @param count how many things the phase dealt with
 */
export function tidy(count: number): void {
  if (count > MANY) Bun.gc(true);
}

const SOME = 1000;

/** {@link tidy} for a program that stays, after each thing that it does: what it takes meanwhile is not to add up. */
export function tidyUp(count: number): void {
  if (count > SOME) Bun.gc(true);
}
