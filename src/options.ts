import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Context } from './context';
import type { OnConflict, OnDrift } from './core/plan/decision';
import { parseGenerationNumber } from './core/records/generation';
import { MOST_TRIES } from './core/records/tries';
import type { ClosureFormat } from './core/records/manifest';

/** How a closure is read, as the command line says it. */
export interface ClosureFlags {
  readonly format?: ClosureFormat | 'bundle' | 'image';
  readonly policy?: string;
}

/** What becomes of the machine's own, as the command line says it. */
export interface AttitudeFlags {
  readonly onConflict?: OnConflict;
  readonly onDrift?: OnDrift;
}

export function addClosureOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--format <format>', 'what the closure is, where it is not seen').choices([
        'nixos',
        'guix',
        'tree',
        'bundle',
        'image',
      ]),
    )
    .option('--policy <file>', "the policy, instead of the closure's own activation.toml");
}

/** How the overlay of a closure is carried, as the command line says it. */
export interface CarrierFlags {
  readonly inPlace?: true;
  readonly resident?: true;
}

export function addCarrierOptions(command: Command): Command {
  return command
    .option('--in-place', 'use an image where it lies, without a copy')
    .option('--resident', 'show a copy in memory, which goes on when the disk goes away');
}

/** For how many boots a generation has to prove itself, as the command line says it. */
export interface TrialFlags {
  readonly trial?: number;
}

export function addTrialOption(command: Command): Command {
  return command.option(
    '--trial <boots>',
    'go back to the generation before after so many boots that do not complete',
    parseTrial,
  );
}

function parseTrial(text: string): number {
  const boots = parseGenerationNumber(text);
  if (boots === undefined || boots === 0 || boots > MOST_TRIES)
    throw new InvalidArgumentError(`It is not a number from 1 to ${MOST_TRIES}.`);
  return boots;
}

/** For every command that changes the machine. */
export function addWaitOption(command: Command): Command {
  return command.option('--wait <seconds>', 'wait for another activation to end', parseSeconds);
}

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/u.test(text)) throw new InvalidArgumentError('It is not a number of seconds.');
  return Number(text);
}

export function addAttitudeOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--on-conflict <action>', "where something of the machine's is in the way (default: refuse)").choices([
        'refuse',
        'backup',
        'keep',
      ]),
    )
    .addOption(
      new Option('--on-drift <action>', 'where somebody changed what is ours (default: backup)').choices([
        'backup',
        'refuse',
        'keep',
        'merge',
      ]),
    );
}

/** Where a transition leads, from an argument that is a generation's number or a closure. */
export function targetOf(
  argument: string,
  flags: ClosureFlags & CarrierFlags & TrialFlags,
):
  | ({ readonly kind: 'generation'; readonly number: number } & TrialFlags)
  | ({ readonly kind: 'closure'; readonly argument: string } & ClosureFlags & CarrierFlags & TrialFlags) {
  const number = parseGenerationNumber(argument);
  if (number === undefined) return { kind: 'closure', argument, ...flags };
  const { trial } = flags;
  return { kind: 'generation', number, ...(trial === undefined ? {} : { trial }) };
}

/** @throws {InvalidArgumentError} for anything but a generation's number */
export function parseNumber(text: string): number {
  const number = parseGenerationNumber(text);
  if (number === undefined) throw new InvalidArgumentError('It is not a number.');
  return number;
}

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Reads `30d`, `12h`, `2w`; milliseconds. */
export function parseAge(text: string): number {
  const match = /^(\d{1,6})([mhdw])$/u.exec(text);
  if (match === null) throw new InvalidArgumentError('It is not an age such as 30d, 12h or 2w.');
  return Number(match[1]) * (units[match[2] ?? ''] ?? 0);
}

/** Hands a command to whoever knows the machine; the number is the exit status. */
export type Run = (command: (context: Context) => Promise<number>) => Promise<void>;
