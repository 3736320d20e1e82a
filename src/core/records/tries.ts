import { joinTarget, type TargetPath } from '../path';
import { generationDirectory } from './generation';

/** The most boots that a generation can be on trial for: two digits are easily read in an initrd. */
export const MOST_TRIES = 99;

/** The file that says how many boots a generation has left, and that it is on trial. Boot hooks count it down. */
export function triesOf(number: number): TargetPath {
  return joinTarget(generationDirectory(number), 'tries');
}

/** A decimal number and a newline. */
export function renderTries(tries: number): string {
  return `${tries}\n`;
}

/** The inverse of {@link renderTries}; what is no number counts as no tries, as it does at boot. */
export function parseTries(text: string): number {
  return /^\d{1,2}\n?$/u.test(text) ? Number(text) : 0;
}
