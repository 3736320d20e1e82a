import { encodeName } from '../../core/bytes';
import { ActivateError } from '../../core/errors';
import { hostPath } from '../../core/path';
import { BOOT_RECORD, type BootRecord, parseBootRecord } from '../../core/records/boot';
import { generationDirectory } from '../../core/records/generation';
import { parseTries, renderTries, triesOf } from '../../core/records/tries';
import { readStatus } from '../../system/tree/reading';
import { removeRecord, writeRecord } from '../../system/tree/records';
import type { Machine } from './machine';
import { decode, readRecordBytes } from './records';

/** What the boot hook said, and when it did, in milliseconds since 1970. */
export interface LastBoot extends BootRecord {
  readonly atMs: number;
}

/** What the boot hook said of this boot; `damaged` where that cannot be read, which is no reason for anything to fail. */
export function readBoot(machine: Machine): LastBoot | 'damaged' | undefined {
  const status = readStatus(machine.root, BOOT_RECORD);
  if (status === undefined) return undefined;
  if (status.kind !== 'file') return 'damaged';
  const bytes = readRecordBytes(machine, BOOT_RECORD);
  const record = bytes === undefined ? undefined : parseBootRecord(decode(bytes));
  return record === undefined ? 'damaged' : { ...record, atMs: Number(status.mtimeNs / 1_000_000n) };
}

/** How many boots a generation has left; `undefined` where it is not on trial. */
export function readTries(machine: Machine, number: number): number | undefined {
  const status = number === 0 ? undefined : readStatus(machine.root, triesOf(number));
  if (status === undefined) return undefined;
  const bytes = status.kind === 'file' ? readRecordBytes(machine, triesOf(number)) : undefined;
  return bytes === undefined ? 0 : parseTries(decode(bytes));
}

/** How many boots each generation on trial has left. */
export function readAllTries(machine: Machine, numbers: readonly number[]): Record<number, number> {
  const tries: Record<number, number> = {};
  for (const number of numbers) {
    const left = readTries(machine, number);
    if (left !== undefined) tries[number] = left;
  }
  return tries;
}

/** Puts a generation on trial, or trusts it where `tries` is `undefined`; durable once this returns. */
export function writeTries({ root }: Machine, number: number, tries: number | undefined): void {
  if (readStatus(root, generationDirectory(number)) === undefined) return;
  if (tries === undefined) removeRecord(root, triesOf(number));
  else writeRecord(root, triesOf(number), [encodeName(renderTries(tries))]);
}

/** @throws {ActivateError} `USAGE` or `REFUSED` where a trial could only end with a machine that does not boot */
export function refuseTrial({ root }: Machine, number: number, numbers: readonly number[]): void {
  if (number === 0) throw new ActivateError('USAGE', 'generation 0 cannot be on trial', { hint: 'Leave out --trial.' });
  if (numbers.some((each) => each < number)) return;
  throw new ActivateError('REFUSED', `there is no generation before ${number} to fall back on`, {
    path: hostPath(root.path, generationDirectory(number)),
    hint: 'Leave out --trial.',
  });
}
