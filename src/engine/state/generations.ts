import * as v from 'valibot';
import type { InitrdRecord } from '../../core/boot/initrd';
import { encodeName } from '../../core/bytes';
import type { Side } from '../../core/plan/decision';
import { POINTER, STATE } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import {
  type Generation,
  generationDirectory,
  GENERATIONS,
  parseGeneration,
  parseGenerationNumber,
  parseRecord,
} from '../../core/records/generation';
import { emptyLedger, type Ledger, parseLedger } from '../../core/records/ledger';
import { type Manifest, parseManifest, type WithheldDigests } from '../../core/records/manifest';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import { digestPieces } from '../../system/host/host-files';
import { listDirectory, readLinkText, readStatus } from '../../system/tree/reading';
import { type LastBoot, readBoot } from './booting';
import type { Machine } from './machine';
import { decode, readRecordBytes, readSealed } from './records';

/** Which generations there are and which of them is what; 0 where nothing is managed. */
export interface State {
  readonly live: number;
  readonly default: number;
  /** What this boot began with; `undefined` where no boot hook said so. */
  readonly booted: number | undefined;
  /** What the boot hook said; `damaged` where that cannot be read. */
  readonly boot: LastBoot | 'damaged' | undefined;
  /** In ascending order. */
  readonly numbers: readonly number[];
  /** The text of the pointer; `undefined` where there is none. */
  readonly pointer: string | undefined;
}

export type Role = 'live' | 'default';

export function roleLink(role: Role): TargetPath {
  return joinTarget(STATE, role);
}

/**
 * Reads which generations there are.
 *
 * @throws {ActivateError} `STATE` where a link is not one that `activate` made
 */
export function readState(machine: Machine): State {
  const { root } = machine;
  const isThere = readStatus(root, GENERATIONS)?.kind === 'directory';
  const names = isThere ? listDirectory(root, GENERATIONS).map(({ name }) => name) : [];
  const numbers = names.map(parseGenerationNumber).filter((number) => number !== undefined && number > 0);
  const boot = readBoot(machine);
  return {
    live: readRole(machine, 'live'),
    default: readRole(machine, 'default'),
    booted: typeof boot === 'object' ? boot.chosen : undefined,
    boot,
    numbers: (numbers as number[]).toSorted((a, b) => a - b),
    pointer: readLinkText(root, POINTER),
  };
}

function readRole({ root }: Machine, role: Role): number {
  const link = roleLink(role);
  const text = readLinkText(root, link);
  if (text === undefined && readStatus(root, link) === undefined) return 0;
  const number = parseGenerationNumber(/^generations\/(\d+)$/u.exec(text ?? '')?.[1] ?? '');
  if (number !== undefined) return number;
  throw new ActivateError('STATE', 'this is not a link to a generation', {
    path: hostPath(root.path, link),
    hint: ROLE_HINT,
  });
}

const ROLE_HINT = 'Make it a link to generations/N, or remove it where nothing is managed.';

/** A generation with all that its records say. */
export interface Recorded extends Side {
  readonly generation: Generation;
  readonly manifest: Manifest;
}

/**
 * Reads the record of a generation.
 *
 * @param role the link that led here, where it was not the user who named the number
 * @throws {ActivateError} `USAGE` where there is no such generation, `STATE` where its record is damaged or from a newer
 *   version
 */
export function readGeneration(machine: Machine, number: number, role?: Role): Generation {
  const file = joinTarget(generationDirectory(number), 'generation.json');
  const generation = readSealed(machine, file, parseGeneration);
  if (generation !== undefined) return generation;
  if (role !== undefined)
    throw new ActivateError('STATE', `it leads to generation ${number}, which is not there`, {
      path: hostPath(machine.root.path, roleLink(role)),
      hint: ROLE_HINT,
    });
  throw new ActivateError('USAGE', `there is no generation ${number}`, {
    path: hostPath(machine.root.path, generationDirectory(number)),
    hint: 'See `activate list`.',
  });
}

/** The record of a generation; `undefined` where it cannot be used, for what can go on without it. */
export function findGeneration(machine: Machine, number: number): Generation | undefined {
  try {
    return readGeneration(machine, number);
  } catch (error) {
    if (error instanceof ActivateError && (error.code === 'STATE' || error.code === 'USAGE')) return undefined;
    throw error;
  }
}

export function readRecorded(machine: Machine, number: number, role?: Role): Recorded {
  const generation = readGeneration(machine, number, role);
  const manifest = readManifest(machine, generation);
  return { generation, manifest, entries: manifest.entries, ledger: readLedger(machine, number) };
}

/** {@link readRecorded}; `undefined` where a record cannot be used, for what can go on without it. */
export function findRecorded(machine: Machine, number: number): Recorded | undefined {
  try {
    return readRecorded(machine, number);
  } catch (error) {
    if (error instanceof ActivateError && (error.code === 'STATE' || error.code === 'USAGE')) return undefined;
    throw error;
  }
}

/** What is managed now; nothing while generation 0 is live. */
export function readLive(machine: Machine, number: number): Side {
  return number === 0 ? { entries: [], ledger: emptyLedger } : readRecorded(machine, number, 'live');
}

function readManifest(machine: Machine, generation: Generation): Manifest {
  const { number, digest } = generation;
  const file = joinTarget(generationDirectory(number), 'manifest.json');
  const bytes = readRecordBytes(machine, file);
  const shown = hostPath(machine.root.path, file);
  if (bytes === undefined)
    throw new ActivateError('STATE', 'the record of the generation lacks its manifest', {
      path: shown,
      hint: 'Switch to another generation.',
    });
  const withheld = readWithheld(machine, number);
  const manifest = parseManifest(decode(bytes), withheld ?? {}, shown);
  if (withheld === undefined || digestManifest([bytes], withheld, generation) === digest) return manifest;
  throw new ActivateError('STATE', 'the record is damaged: it is not as it was written', {
    path: shown,
    hint: 'Restore it from a backup, or switch to another generation.',
  });
}

/** Equal digests show the same: the same entries, with the same content, carried by the same. */
export function digestManifest(
  manifest: Iterable<Uint8Array>,
  withheld: WithheldDigests,
  {
    carrier,
    resident,
    sysusers,
    initrd,
  }: Pick<Generation, 'carrier' | 'resident'> & {
    readonly sysusers?: string | undefined;
    readonly initrd?: InitrdRecord | undefined;
  },
): string {
  function* pieces(): Generator<Uint8Array> {
    yield* manifest;
    const users = sysusers === undefined ? [] : [sysusers];
    const own = initrd === undefined ? [] : [{ initrd: initrd.digest }];
    yield encodeName(JSON.stringify([withheld, carrier.kind === 'tree' ? null : carrier, resident, ...users, ...own]));
  }
  return digestPieces(pieces());
}

function readWithheld(machine: Machine, number: number): Record<string, string> | undefined {
  const file = joinTarget(generationDirectory(number), 'withheld.json');
  try {
    const shape = v.strictObject({ schema: v.literal(1), digests: v.record(v.string(), v.string()) });
    return readSealed(machine, file, (text, shown) => parseRecord(text, shown, shape).digests) ?? {};
  } catch (error) {
    // Whoever is not root sees the record without the digests of what only root may read.
    if (error instanceof ActivateError && error.code === 'PERMISSION') return undefined;
    throw error;
  }
}

function readLedger(machine: Machine, number: number): Ledger {
  const file = joinTarget(generationDirectory(number), 'ledger.json');
  // Between the swap and the end of the commit there is only the next one.
  const next = joinTarget(generationDirectory(number), 'ledger.next.json');
  return readSealed(machine, file, parseLedger) ?? readSealed(machine, next, parseLedger) ?? emptyLedger;
}

/** The times that objects of a generation had when a transition last replaced or removed them. */
export function readTimes(machine: Machine, number: number): Map<TargetPath, string> {
  const file = joinTarget(generationDirectory(number), 'times.json');
  const shape = v.strictObject({ schema: v.literal(1), times: v.array(v.tuple([v.string(), v.string()])) });
  const parse = (text: string, shown: string): [TargetPath, string][] =>
    parseRecord(text, shown, shape).times as [TargetPath, string][];
  return new Map(number === 0 ? [] : readSealed(machine, file, parse));
}

/** The number before `live`, or 0. */
export function numberBefore(state: State): number {
  return state.numbers.findLast((number) => number < state.live) ?? 0;
}
