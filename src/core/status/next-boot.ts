import type { BootRecord } from '../records/boot';

/** What is known of the generation that the next boot is to show. */
export interface Candidate {
  readonly number: number;
  /** When it was made, in milliseconds since 1970. */
  readonly createdMs: number;
  /** How many boots it has left; `undefined` where it is not on trial. */
  readonly tries: number | undefined;
}

/** A boot, and when it wrote its record, in milliseconds since 1970. */
export interface LastBoot extends Pick<BootRecord, 'passed'> {
  readonly atMs: number;
}

/** How a boot hook says that a trial is over; as in boot.sh. */
export const NO_TRIES = 'it has no tries left';

/** Why the next boot will pass over the default as well; `undefined` where nothing is known that would make it. */
export function whyPassedOver({ number, createdMs, tries }: Candidate, boot: LastBoot | undefined): string | undefined {
  if (tries === 0) return NO_TRIES;
  const passed = boot?.passed.find(({ generation }) => generation === number);
  // A number can be used again, and tries can be given again: then what the boot met is not what is there now.
  const isAnother = boot !== undefined && createdMs > boot.atMs;
  return passed === undefined || isAnother || passed.why === NO_TRIES
    ? undefined
    : passed.why || 'it could not be shown';
}
