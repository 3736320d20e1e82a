/**
 * Gives back what is no longer used.
 *
 * The collector waits until the heap has doubled or so; between the phases of a transition over 100,000 entries nearly
 * all of that is the last phase's garbage, and the peak would be twice what is needed. Takes some 30 ms there.
 */
export function releaseMemory(): void {
  Bun.gc(true);
}
