import { describe, expect, test } from 'bun:test';
import { ActivateError } from '../../../src/core/errors';
import type { Conflict } from '../../../src/core/plan/decision';
import { renderLogLine } from '../../../src/core/report/text/log-line';
import { renderSwitched, type Switched } from '../../../src/core/report/outcome';
import {
  adviceOn,
  conflictToJson,
  describeConflict,
  errorToJson,
  plural,
  renderConflicts,
  renderDuration,
  renderError,
} from '../../../src/core/report/report';
import { foundDirectory, foundFile, foundLink, path } from '../../support/entries';

const a = path('/etc/a');
const unmanaged: Conflict = { path: a, reason: 'unmanaged', found: foundFile() };
const drifted: Conflict = { path: path('/etc/b\n'), reason: 'drifted' };
const blocked: Conflict = { path: path('/etc/c'), reason: 'blocked', obstacle: 'immutable' };

const contradicted: Conflict = {
  path: a,
  reason: 'contradicted',
  wanted: 'user a with id 1 (x.conf:1)',
  there: 'user a with id 2',
};

describe('a conflict', () => {
  test.each<[Conflict, string]>([
    [unmanaged, "a file of the machine's is there"],
    [{ ...unmanaged, found: foundDirectory() }, "a directory of the machine's is there"],
    [{ ...unmanaged, found: foundLink('/x') }, "a link to /x of the machine's is there"],
    [{ ...unmanaged, found: { kind: 'special', what: 'fifo' } }, "a fifo of the machine's is there"],
    [{ path: a, reason: 'unmanaged' }, "something of the machine's is there"],
    [drifted, 'it was changed since it was placed: nothing is there now'],
    [blocked, 'it is or lies in an immutable place'],
    [{ ...blocked, obstacle: 'append-only' }, 'it is or lies in an append-only place'],
    [{ ...blocked, obstacle: 'a mount point' }, 'it is or lies in a mount point'],
    [{ ...blocked, obstacle: 'a mount point inside' }, 'there is a mount point inside'],
    [{ ...blocked, obstacle: 'a read-only filesystem' }, 'it is or lies in a read-only filesystem'],
    [contradicted, 'the closure wants user a with id 1 (x.conf:1), and the machine has user a with id 2'],
    [{ path: a, reason: 'managed' }, 'a generation places this file, and sysusers.d would add to it'],
  ])('%j: %s', (conflict, text) => {
    expect(describeConflict(conflict)).toBe(text);
    expect(conflictToJson(conflict)['message']).toBe(text);
  });

  test('has an octal mode in JSON, as changes have', () => {
    expect(conflictToJson(unmanaged)).toEqual({
      path: '/etc/a',
      reason: 'unmanaged',
      found: { kind: 'file', mode: '0644', uid: 0, gid: 0, sizeBytes: 1 },
      message: "a file of the machine's is there",
    });
  });
});

test('nothing overrules users and groups of the machine', () => {
  expect(adviceOn([contradicted])).toEqual([
    'Users, groups and their ids are never changed: change the line of the closure, or the machine, first.',
  ]);
  expect(adviceOn([{ path: a, reason: 'managed' }])).toEqual([
    'Place it as a seed, or leave sysusers.d out of the closure.',
  ]);
});

test('conflicts are all named, with what may be done about their kinds', () => {
  expect(renderConflicts([unmanaged, drifted, blocked])).toBe(
    [
      '3 conflicts; nothing was changed:',
      "  /etc/a: a file of the machine's is there",
      '  "/etc/b\\n": it was changed since it was placed: nothing is there now',
      '  /etc/c: it is or lies in an immutable place',
      '--on-conflict backup  takes these over; the originals come back when the paths are given up',
      "--on-conflict keep    leaves the machine's in place",
      '--on-drift backup     puts ours back, and keeps the changes as backups',
      '--on-drift keep       leaves the changes in place',
      '--on-drift merge      merges changes of text, where they do not meet ours',
      'Blocked paths: unmount, `chattr -i -a`, or remount read-write first.',
      '',
    ].join('\n'),
  );
  expect(renderConflicts([blocked])).toStartWith('1 conflict; nothing was changed:\n');
  expect(adviceOn([])).toEqual([]);
});

describe('an error', () => {
  const error = new ActivateError('CLOSURE', 'it is wrong', { path: '/c/a b\n', hint: 'Mend it.' });

  test('begins with the path, and ends with what to do', () => {
    expect(renderError(error)).toBe('activate: "/c/a b\\n": it is wrong\nMend it.\n');
    expect(renderError(new ActivateError('USAGE', 'no'))).toBe('activate: no\n');
  });

  test('is a document, with the code and the exit status', () => {
    expect(errorToJson(error)).toEqual({
      schema: 1,
      error: { code: 'CLOSURE', status: 65, message: 'it is wrong', path: '/c/a b\n', hint: 'Mend it.' },
    });
    expect(errorToJson(new ActivateError('IO', 'no'))).toEqual({
      schema: 1,
      error: { code: 'IO', status: 74, message: 'no' },
    });
  });

  test('that is none of ours is a bug, with its stack', () => {
    const bug = new TypeError('x is undefined');
    expect(renderError(bug)).toStartWith('activate: this is a bug in activate, please report it\n');
    expect(renderError(bug)).toContain('x is undefined');
    expect(errorToJson(bug)).toEqual({
      schema: 1,
      error: { code: 'BUG', status: 70, message: 'TypeError: x is undefined' },
    });
    expect(renderError('a text')).toEndWith('\na text\n');
  });
});

test('durations have two or three digits', () => {
  expect([0, 0.314, 1, 9.96, 10, 48.4, 999, 1000, 61_000].map(renderDuration)).toEqual([
    '0.00 ms',
    '0.31 ms',
    '1.0 ms',
    '10.0 ms',
    '10 ms',
    '48 ms',
    '999 ms',
    '1.0 s',
    '61.0 s',
  ]);
});

test('one is singular', () => {
  expect([0, 1, 2].map((count) => plural(count, 'path'))).toEqual(['0 paths', '1 path', '2 paths']);
});

test.each<[string, string]>([
  ['{"level":40,"msg":"could not","path":"/etc/a b"}', 'activate: warning: could not (path /etc/a b)\n'],
  ['{"level":30,"msg":"done"}', 'activate: done\n'],
  ['{"level":20,"msg":"x","n":3,"o":{"a":1}}', 'activate: debug: x (n 3, o "{\\"a\\":1}")\n'],
  ['{"level":50,"msg":"x","name":"\\u001b"}', 'activate: error: x (name "\\033")\n'],
])('a line of the log is words: %s', (line, text) => {
  expect(renderLogLine(line)).toBe(text);
});

describe('the outcome of a switch', () => {
  const done: Switched = {
    state: 'done',
    shown: 'now',
    live: 7,
    default: 7,
    from: 6,
    to: 7,
    changed: 1,
    swapMs: 0.5,
    backups: [],
    kept: [],
    merged: [],
  };

  test.each<[string, Switched, string, string, number]>([
    ['done', done, 'Generation 7 is live: 1 path changed in 12 ms, the swap 0.50 ms.\n', '', 0],
    [
      'down to nothing',
      { ...done, live: 0, default: 0, to: 0, changed: 2 },
      'Generation 0 (nothing managed) is live: 2 paths changed in 12 ms, the swap 0.50 ms.\n',
      '',
      0,
    ],
    [
      'with backups',
      {
        ...done,
        backups: [
          { number: 3, path: '/etc/a', reason: 'drifted' },
          { number: 4, path: '/etc/b', reason: 'displaced' },
        ],
      },
      "/etc/a had been changed; the change is backup 3.\n1 original of the machine's kept, to come back on rollback.\nGeneration 7 is live: 1 path changed in 12 ms, the swap 0.50 ms.\n",
      '',
      0,
    ],
    [
      'with paths that are kept',
      { ...done, kept: ['/etc/a', '/etc/\u0007'] },
      'Generation 7 is live: 1 path changed in 12 ms, the swap 0.50 ms.\n',
      '/etc/a: the machine\'s own stays\n"/etc/\\a": the machine\'s own stays\n',
      0,
    ],
    [
      'for the next boot',
      { ...done, shown: 'at the next boot', live: 6 },
      'Generation 7 is what the next boot shows; generation 6 stays live (12 ms).\n',
      '',
      0,
    ],
    [
      'nothing',
      { state: 'nothing to do', shown: 'now', live: 7, default: 6, kept: [] },
      'Generation 7 is live already; nothing to do.\n',
      '',
      0,
    ],
    [
      'nothing for the next boot',
      { state: 'nothing to do', shown: 'at the next boot', live: 7, default: 6, kept: [] },
      'Generation 6 is what the next boot shows already; nothing to do.\n',
      '',
      0,
    ],
    [
      'refused',
      { state: 'refused', conflicts: [blocked] },
      '',
      'activate: 1 conflict; nothing was changed:\n  /etc/c: it is or lies in an immutable place\nBlocked paths: unmount, `chattr -i -a`, or remount read-write first.\n',
      3,
    ],
  ])('%s', (_, outcome, stdout, stderr, status) => {
    expect(renderSwitched(outcome, 12, 'text')).toEqual({ stdout, stderr, status });
    const json = renderSwitched(outcome, 12, 'json');
    expect({ stderr: json.stderr, status: json.status }).toEqual({ stderr: '', status });
    expect(JSON.parse(json.stdout)).toMatchObject({ schema: 1, state: outcome.state, elapsedMs: 12 });
  });
});
