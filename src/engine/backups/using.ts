import type { Context } from '../../context';
import { ActivateError } from '../../core/errors';
import type { Found } from '../../core/found';
import { comparePaths, hostPath, parentOf } from '../../core/path';
import type { Decision, KeepReason } from '../../core/plan/decision';
import { type Backup, backupContent, backupDirectory, backupRecord, parseBackup } from '../../core/records/backup';
import type { ListedBackup } from '../../core/report/backups-report';
import type { PathChange } from '../../core/report/change/change';
import { readLinkText, readStatus } from '../../system/tree/reading';
import { removeTree } from '../../system/tree/removing';
import type { Status } from '../../system/syscalls/status';
import { readLive, readState } from '../state/generations';
import { withLockedMachine } from '../state/locked';
import { type Machine, withMachine } from '../state/machine';
import { noteTransition } from '../noting';
import { prepareTransition } from '../deciding/prepare';
import { readSealed } from '../state/records';
import { refuseInterrupted } from '../switching';
import { mentionTransition } from '../transition/journal';
import { carryOut, type Done } from '../transition/transition';
import { viewBackup, type ViewOptions } from '../previewing/views';
import { backupNumbers } from './storing';

/** The backups, oldest first. Takes no lock. */
export function listBackups(context: Context): Promise<readonly ListedBackup[]> {
  return withMachine(context, (machine) => {
    mentionTransition(context, machine);
    const returning = returningBackups(machine);
    return readBackups(machine).map((backup) =>
      Object.assign({}, backup, { use: returning.has(backup.number) ? 'comes back' : 'spare' } as const),
    );
  });
}

/** What restoring a backup would change. Takes no lock. */
export function diffBackup(context: Context, number: number, options: ViewOptions): Promise<readonly PathChange[]> {
  return withMachine(context, (machine) => [...viewBackup(machine, readBackup(machine, number), options)]);
}

/**
 * Puts a backup back where it was; what is there becomes a backup itself. A managed path is kept from then on.
 *
 * @throws {ActivateError} `USAGE` for a number that is none, `REFUSED` where the directory that it was in is not there
 */
export function restoreBackup(
  context: Context,
  number: number,
): Promise<{ readonly backup: Backup; readonly done: Done }> {
  return withLockedMachine(context, async (machine) => {
    refuseInterrupted(machine);
    const backup = readBackup(machine, number);
    const { path } = backup;
    const parent = parentOf(path);
    if (readStatus(machine.root, parent)?.kind !== 'directory')
      throw new ActivateError('REFUSED', 'the directory that it was in is not there, or is not a real one', {
        path: hostPath(machine.root.path, parent),
        hint: `Make it, or take the backup from ${hostPath(machine.root.path, backupContent(number))}.`,
      });
    const prepared = prepareTransition(context, machine, { kind: 'live' });
    const entry = prepared.from.entries.find((each) => each.path === path);
    const keep: KeepReason | undefined =
      entry === undefined || entry.place === 'seed'
        ? undefined
        : backup.reason === 'displaced'
          ? 'unmanaged'
          : 'drifted';
    const there = lookAt(machine, path);
    const restore: Decision = {
      path,
      action: 'restore',
      backup: number,
      ...(there === undefined ? {} : { found: there.found, save: 'drifted' }),
      ...(keep === undefined ? {} : { keep }),
    };
    const kept = prepared.decisions.filter((decision) => decision.action === 'keep' && decision.path !== path);
    const times = new Map(prepared.actual.times);
    if (there !== undefined) times.set(path, there.status.mtimeNs.toString());
    const done = await carryOut(
      context,
      machine,
      {
        ...prepared,
        decisions: [...kept, restore].toSorted((a, b) => comparePaths(a.path, b.path)),
        actual: { ...prepared.actual, times },
      },
      'live',
    );
    const { number: generation } = prepared.from;
    const ended = { from: generation, to: generation, changed: done.changed, backups: done.backups.length } as const;
    noteTransition(context, machine, { ...ended, outcome: 'restored' });
    return { backup, done };
  });
}

/** Which backups may go: those named, all but the newest `keep`, those older than `olderThanMs`. */
export interface PruneOptions {
  readonly numbers: readonly number[];
  readonly keep: number | undefined;
  readonly olderThanMs: number | undefined;
}

/**
 * Removes backups; never originals that are to come back.
 *
 * @throws {ActivateError} `REFUSED` where such a one is named, `USAGE` for a number that is none
 */
export function pruneBackups(context: Context, options: PruneOptions): Promise<readonly Backup[]> {
  return withLockedMachine(context, async (machine) => {
    refuseInterrupted(machine);
    const returning = returningBackups(machine);
    const named = options.numbers.map((number) => readBackup(machine, number));
    const needed = named.find(({ number }) => returning.has(number));
    if (needed !== undefined)
      throw new ActivateError('REFUSED', `backup ${needed.number} is the machine's own, and comes back on rollback`, {
        path: hostPath(machine.root.path, needed.path),
        hint: 'It goes with `activate rollback`, or `activate backups restore` puts it back now.',
      });
    const going = named.length > 0 ? named : spare(readBackups(machine), returning, context.now(), options);
    for (const { number } of going) removeTree(machine.root, backupDirectory(number));
    return going;
  });
}

function spare(
  backups: readonly Backup[],
  returning: ReadonlySet<number>,
  now: number,
  { keep, olderThanMs }: PruneOptions,
): Backup[] {
  const free = backups.filter(({ number }) => !returning.has(number));
  const old = keep === undefined ? free : free.slice(0, Math.max(0, free.length - keep));
  return old.filter(({ created }) => olderThanMs === undefined || now - Date.parse(created) > olderThanMs);
}

function returningBackups(machine: Machine): ReadonlySet<number> {
  return new Set(readLive(machine, readState(machine).live).ledger.displaced.values());
}

/** A transition that is under way has made places for backups that are not there yet. */
function readBackups(machine: Machine): Backup[] {
  return backupNumbers(machine)
    .filter((number) => readStatus(machine.root, backupContent(number)) !== undefined)
    .map((number) => readBackup(machine, number));
}

function readBackup(machine: Machine, number: number): Backup {
  const file = backupRecord(number);
  const shown = hostPath(machine.root.path, file);
  const backup = readSealed(machine, file, parseBackup);
  if (backup !== undefined) return backup;
  if (readStatus(machine.root, backupContent(number)) === undefined)
    throw new ActivateError('USAGE', `there is no backup ${number}`, { hint: 'See `activate backups`.' });
  throw new ActivateError('STATE', 'the backup lacks its record', {
    path: shown,
    hint: `What was kept is in ${hostPath(machine.root.path, backupContent(number))}.`,
  });
}

function lookAt(
  { root }: Machine,
  path: Backup['path'],
): { readonly found: Found; readonly status: Status } | undefined {
  const status = readStatus(root, path);
  if (status === undefined) return undefined;
  const { kind, mode, uid, gid, sizeBytes } = status;
  switch (kind) {
    case 'symlink':
      return { status, found: { kind, linkText: readLinkText(root, path) ?? '' } };
    case 'directory':
      return { status, found: { kind, mode, uid, gid } };
    case 'file':
      return { status, found: { kind, mode, uid, gid, sizeBytes } };
    default:
      return { status, found: { kind: 'special', what: kind } };
  }
}
