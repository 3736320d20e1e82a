import type { Backup } from '../records/backup';
import { displayName } from './text/display';
import { renderTable, shortTime } from './text/table';

/** A backup, and whether a rollback brings it back by itself. */
export interface ListedBackup extends Backup {
  readonly use: 'comes back' | 'spare';
}

const reasons = { displaced: "the machine's own", drifted: 'a change of ours' } as const;

/** The backups, oldest first, a line each. */
export function renderBackups(backups: readonly ListedBackup[], form: 'text' | 'json'): string {
  if (form === 'json') return `${JSON.stringify({ schema: 1, backups }, undefined, 1)}\n`;
  if (backups.length === 0) return 'There are no backups.\n';
  const rows = backups.map(({ number, created, reason, use, generation, path }) => [
    String(number),
    shortTime(created),
    use === 'comes back' ? `${reasons[reason]}, to come back` : reasons[reason],
    String(generation),
    displayName(path),
  ]);
  return renderTable([['number', 'made', 'what', 'generation', 'path'], ...rows]);
}
