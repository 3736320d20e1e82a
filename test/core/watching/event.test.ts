import { expect, test } from 'bun:test';
import type { TargetPath } from '../../../src/core/path';
import { eventToJson, logEntries, type WatchEvent } from '../../../src/core/watching/event';

const path = '/etc/a' as TargetPath;
const conflict = { path, reason: 'blocked', obstacle: 'immutable' } as const;
const preview = {
  from: 1,
  to: 2,
  closures: { from: undefined, to: undefined },
  changes: [],
  conflicts: [],
  unread: [],
  kept: [],
  touched: 3,
};

test.each<[WatchEvent, string, Record<string, unknown>]>([
  [
    { event: 'watching', generation: 1, paths: 2, directories: 3 },
    'info watching',
    { generation: 1, paths: 2, directories: 3 },
  ],
  [
    { event: 'watching', generation: 0, paths: 0, directories: 3 },
    'info watching; nothing is managed',
    { generation: 0, paths: 0, directories: 3 },
  ],
  [
    { event: 'drift', path, what: 'it is gone', generation: 1 },
    'warn drift',
    { path, what: 'it is gone', generation: 1 },
  ],
  [{ event: 'right', path, generation: 1 }, 'info right again', { path, generation: 1 }],
  [{ event: 'repaired', path, generation: 1, backup: 4 }, 'info put right', { path, generation: 1, backup: 4 }],
  [
    { event: 'held back', path, seconds: 9, generation: 1 },
    'warn left alone for now: a path is put right once a minute at most',
    { path, seconds: 9, generation: 1 },
  ],
  [
    { event: 'in the way', conflict, generation: 1 },
    'error cannot be put right',
    { path, what: 'it is or lies in an immutable place', generation: 1 },
  ],
  [{ event: 'failed', message: 'it broke', path, hint: 'Mend it.' }, 'error it broke', { path, hint: 'Mend it.' }],
  [{ event: 'unwatched', path, message: 'too many', hint: 'Raise it.' }, 'error too many', { path, hint: 'Raise it.' }],
  [
    { event: 'new closure', closure: '/c', preview },
    'info new closure',
    { closure: '/c', generation: 1, changed: 0, touched: 3, conflicts: 0 },
  ],
  [
    { event: 'switched', closure: '/c', from: 1, generation: 2, changed: 3 },
    'info switched to a new closure',
    { closure: '/c', from: 1, generation: 2, changed: 3 },
  ],
  [
    { event: 'refused', closure: '/c', conflicts: [conflict] },
    'error a new closure was refused; nothing was changed',
    { closure: '/c', path, what: 'it is or lies in an immutable place' },
  ],
])('%j is an entry of the log with fields, and an object on one line', (event, message, fields) => {
  const entries = logEntries(event);
  expect(entries.map((entry) => `${entry.level} ${entry.message}`)).toEqual([message]);
  expect(entries[0]?.fields).toEqual(fields);
  const document = eventToJson(event, 'now');
  expect(document).toMatchObject({ schema: 1, time: 'now', event: event.event });
  expect(JSON.stringify(document)).not.toContain('\n');
});
