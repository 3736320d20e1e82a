import { readFileSync } from 'node:fs';
import type { Namespace } from '../support/namespace';
import { measure } from './measure';

/** What safety costs in one switch, in milliseconds. */
export interface Safety {
  /** Writing what is in memory to disk: syncfs and fsync. */
  readonly syncs: number;
  /** Writing the journal and the other records that a crash is recovered from, their syncs left out. */
  readonly records: number;
}

/** How long the system calls take that a switch without a journal and without syncs would not make. */
export function measureSafety(namespace: Namespace, command: readonly string[]): Safety {
  const log = '/var/safety.log';
  const calls = 'trace=fsync,syncfs,write,renameat2,unlinkat';
  const { status, stderr } = measure(namespace.enter(['strace', '-T', '-y', '-e', calls, '-o', log, ...command]));
  if (status !== 0) throw new Error(stderr);
  let [syncs, records] = [0, 0];
  for (const line of readFileSync(namespace.on(log), 'utf8').split('\n')) {
    const took = 1000 * Number(/<(?<seconds>[\d.]+)>$/u.exec(line)?.groups?.['seconds'] ?? 0);
    if (/^(?:fsync|syncfs)\(/u.test(line)) syncs += took;
    else if (/transition\.json|\.activate\.record\.|transition\.undo|\.undo\.ready/u.test(line)) records += took;
  }
  return { syncs, records };
}
