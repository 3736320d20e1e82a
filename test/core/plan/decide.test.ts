import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Entry } from '../../../src/core/entry';
import type { Actual } from '../../../src/core/found';
import { comparePaths } from '../../../src/core/path';
import { type Answer, decideTransition, joinEntries, sameEntry } from '../../../src/core/plan/decide';
import type { Attitude } from '../../../src/core/plan/decision';
import { emptyLedger, type Ledger } from '../../../src/core/records/ledger';
import {
  actualOf,
  anyEntries,
  asMap,
  copied,
  direct,
  directory,
  foundDirectory,
  foundFile,
  foundLink,
  linked,
  path,
  seeded,
  silent,
  storeLink,
  whole,
} from '../../support/entries';

interface Case {
  readonly from?: readonly Entry[];
  readonly to?: readonly Entry[];
  readonly ledger?: Partial<Ledger>;
  readonly actual?: Actual;
  readonly attitude?: Partial<Attitude>;
}

function decide({ from = [], to = [], ledger = {}, actual = actualOf(), attitude = {} }: Case): Answer {
  return decideTransition({
    from: { entries: from, ledger: { ...emptyLedger, ...ledger } },
    to,
    actual,
    attitude: () => ({ ...silent, ...attitude }),
  });
}

/** Action and path of each decision, and reason and path of each conflict. */
function inShort({ decisions, conflicts }: Answer): string[] {
  return [
    ...decisions.map((each) => {
      const detail = 'save' in each ? each.save : 'why' in each ? each.why : undefined;
      return `${each.action} ${each.path}${detail === undefined ? '' : ` (${detail})`}`;
    }),
    ...conflicts.map(({ path: at, reason }) => `conflict ${at} (${reason})`),
  ];
}

const overlay = foundLink('/run/filesystem-overlay/etc/a');
const own = foundFile();

describe('where nothing was managed,', () => {
  test.each<[string, Case, string[]]>([
    ['what is new is made', { to: [linked('/etc/a')] }, ['create /etc/a']],
    [
      'what the machine has is a conflict',
      { to: [linked('/etc/a')], actual: actualOf({ deviations: { '/etc/a': own } }) },
      ['conflict /etc/a (unmanaged)'],
    ],
    [
      'what is the same in content, mode and owner is taken over',
      { to: [linked('/etc/a', 'x')], actual: actualOf({ deviations: { '/etc/a': foundFile('x') } }) },
      ['replace /etc/a (displaced)'],
    ],
    [
      'the same content with another mode is a conflict',
      { to: [linked('/etc/a', 'x')], actual: actualOf({ deviations: { '/etc/a': foundFile('x', 0o600) } }) },
      ['conflict /etc/a (unmanaged)'],
    ],
    [
      'a link that shows the generation already is as it should be',
      { to: [linked('/etc/a')], actual: actualOf({ deviations: { '/etc/a': overlay } }) },
      [],
    ],
    [
      'a link of the machine with the same text is an original all the same',
      { to: [direct('/etc/a', 'x')], actual: actualOf({ deviations: { '/etc/a': foundLink('x') } }) },
      ['replace /etc/a (displaced)'],
    ],
    [
      'a conflict is taken over where that was said',
      {
        to: [direct('/etc/a')],
        actual: actualOf({ deviations: { '/etc/a': own } }),
        attitude: { onConflict: 'backup' },
      },
      ['replace /etc/a (displaced)'],
    ],
    [
      'a conflict is left where that was said',
      { to: [copied('/etc/a')], actual: actualOf({ deviations: { '/etc/a': own } }), attitude: { onConflict: 'keep' } },
      ['keep /etc/a (unmanaged)'],
    ],
    [
      'a seed is made only where nothing is',
      { to: [seeded('/etc/a'), seeded('/etc/b')], actual: actualOf({ deviations: { '/etc/a': own } }) },
      ['create /etc/b'],
    ],
    [
      'a directory that is there serves',
      { to: [directory('/etc/a')], actual: actualOf({ deviations: { '/etc/a': foundDirectory(0o700, 7) } }) },
      ['adopt /etc/a'],
    ],
    [
      'a file where a directory has to be is a conflict, and nothing below it is looked at',
      {
        to: [directory('/etc/a'), linked('/etc/a/b'), linked('/etc/c')],
        actual: actualOf({ deviations: { '/etc/a': own } }),
      },
      ['create /etc/c', 'conflict /etc/a (unmanaged)'],
    ],
    [
      'a file that is kept where a directory has to be keeps what is below away',
      {
        to: [directory('/etc/a'), linked('/etc/a/b'), linked('/etc/c')],
        actual: actualOf({ deviations: { '/etc/a': own } }),
        attitude: { onConflict: 'keep' },
      },
      ['keep /etc/a (unmanaged)', 'create /etc/c'],
    ],
    [
      'an immutable file is in the way',
      {
        to: [linked('/etc/a')],
        actual: actualOf({ deviations: { '/etc/a': own }, obstacles: { '/etc/a': 'immutable' } }),
        attitude: { onConflict: 'backup' },
      },
      ['replace /etc/a (displaced)', 'conflict /etc/a (blocked)'],
    ],
    [
      'nothing can be made in a directory that cannot be written',
      {
        to: [linked('/etc/a')],
        actual: actualOf({
          directories: { '/etc': { mode: 0o755, uid: 0, gid: 0, obstacle: 'a read-only filesystem' } },
        }),
      },
      ['create /etc/a', 'conflict /etc/a (blocked)'],
    ],
  ])('%s', (_, question, expected) => {
    expect(inShort(decide(question))).toEqual(expected);
  });
});

describe('what was placed', () => {
  const from = [linked('/etc/a', 'one')];
  const edited = actualOf({ deviations: { '/etc/a': own } });
  const gone = actualOf({ deviations: { '/etc/a': 'absent' } });

  test.each<[string, Case, string[]]>([
    ['and stays the same is left alone', { from, to: [linked('/etc/a', 'one')] }, []],
    ['shows something else with the pointer', { from, to: [linked('/etc/a', 'two')] }, ['show /etc/a']],
    ['becomes something else', { from, to: [copied('/etc/a')] }, ['replace /etc/a']],
    ['and is given up goes', { from }, ['remove /etc/a']],
    ['and was edited is put right, with a backup', { from, to: from, actual: edited }, ['replace /etc/a (drifted)']],
    ['and was removed is made again', { from, to: from, actual: gone }, ['create /etc/a']],
    ['and was removed and is given up is gone', { from, actual: gone }, []],
    ['and was edited and is given up goes, with a backup', { from, actual: edited }, ['remove /etc/a (drifted)']],
    [
      'and was edited is refused where that was said',
      { from, to: from, actual: edited, attitude: { onDrift: 'refuse' } },
      ['conflict /etc/a (drifted)'],
    ],
    [
      'and was edited is refused where that was said, when it is given up',
      { from, actual: edited, attitude: { onDrift: 'refuse' } },
      ['conflict /etc/a (drifted)'],
    ],
    [
      'and was edited is kept where that was said',
      { from, to: from, actual: edited, attitude: { onDrift: 'keep' } },
      ['keep /etc/a (drifted)'],
    ],
    [
      'and was edited is left to the machine where that was said, when it is given up',
      { from, actual: edited, attitude: { onDrift: 'keep' } },
      ['release /etc/a'],
    ],
    [
      'and was edited into what comes is as it should be',
      { from, to: [copied('/etc/a', 'x')], actual: actualOf({ deviations: { '/etc/a': foundFile('x') } }) },
      [],
    ],
    [
      'in place of an original gives that back',
      { from, ledger: { displaced: asMap({ '/etc/a': 3 }) } },
      ['restore /etc/a'],
    ],
    [
      'in place of an original and was edited keeps both',
      { from, actual: edited, ledger: { displaced: asMap({ '/etc/a': 3 }) } },
      ['restore /etc/a (drifted)'],
    ],
    [
      'in place of a directory makes that again',
      { from, ledger: { adopted: asMap({ '/etc/a': { mode: 0o700, uid: 1, gid: 2 } }) } },
      ['reopen /etc/a'],
    ],
    ['as a seed is the machine’s', { from: [seeded('/etc/a')], actual: edited }, []],
    ['as a seed is no conflict either', { from: [seeded('/etc/a')], to: [seeded('/etc/a', 'b')], actual: edited }, []],
    [
      'as a seed is in the way of anything else',
      { from: [seeded('/etc/a')], to: [linked('/etc/a')], actual: edited },
      ['conflict /etc/a (unmanaged)'],
    ],
    [
      'whose content is not known may show something else',
      { from: [linked('/etc/a', '', 0o600)], to: [linked('/etc/a', '', 0o600)] },
      ['show /etc/a'],
    ],
  ])('%s', (_, question, expected) => {
    expect(inShort(decide(question))).toEqual(expected);
  });

  test('is the same as itself even where its digest is not known', () => {
    const entries = [linked('/etc/a', '', 0o600)];
    expect(inShort(decide({ from: entries, to: entries }))).toEqual([]);
  });
});

describe('what was kept', () => {
  const from = [linked('/etc/a', 'one')];
  const actual = actualOf({ deviations: { '/etc/a': own } });
  const unmanaged = { kept: asMap({ '/etc/a': 'unmanaged' as const }) };
  const drifted = { kept: asMap({ '/etc/a': 'drifted' as const }) };

  test.each<[string, Case, string[]]>([
    ['is kept again', { from, to: from, actual, ledger: unmanaged }, ['keep /etc/a (unmanaged)']],
    ['is kept again, drift as well', { from, to: from, actual, ledger: drifted }, ['keep /etc/a (drifted)']],
    [
      'is kept whatever is said about drift',
      { from, to: from, actual, ledger: unmanaged, attitude: { onDrift: 'backup' } },
      ['keep /etc/a (unmanaged)'],
    ],
    [
      'is kept whatever is said about conflicts',
      { from, to: from, actual, ledger: drifted, attitude: { onConflict: 'backup' } },
      ['keep /etc/a (drifted)'],
    ],
    [
      'is taken over once that is said',
      { from, to: from, actual, ledger: unmanaged, attitude: { onConflict: 'backup' } },
      ['replace /etc/a (displaced)'],
    ],
    [
      'is refused once that is said',
      { from, to: from, actual, ledger: unmanaged, attitude: { onConflict: 'refuse' } },
      ['conflict /etc/a (unmanaged)'],
    ],
    [
      'is put right once that is said',
      { from, to: from, actual, ledger: drifted, attitude: { onDrift: 'backup' } },
      ['replace /etc/a (drifted)'],
    ],
    ['is the machine’s when it is given up', { from, actual, ledger: unmanaged }, []],
    [
      'is left to the machine when it is given up, drift as well',
      { from, actual, ledger: drifted },
      ['release /etc/a'],
    ],
    [
      'and is gone is made',
      { from, to: from, actual: actualOf({ deviations: { '/etc/a': 'absent' } }), ledger: unmanaged },
      ['create /etc/a'],
    ],
  ])('%s', (_, question, expected) => {
    expect(inShort(decide(question))).toEqual(expected);
  });
});

describe('a directory', () => {
  test.each<[string, Case, string[]]>([
    ['that is empty is given up', { from: [directory('/etc/a')] }, ['remove /etc/a']],
    [
      'that somebody uses stays',
      { from: [directory('/etc/a')], actual: actualOf({ strangers: { '/etc/a': ['/etc/a/x'] } }) },
      [],
    ],
    [
      'that was there before stays',
      { from: [directory('/etc/a')], ledger: { adopted: asMap({ '/etc/a': { mode: 0o755, uid: 0, gid: 0 } }) } },
      [],
    ],
    [
      'that was there before gets its mode back',
      {
        from: [directory('/etc/a', { named: true, mode: 0o700 })],
        ledger: { adopted: asMap({ '/etc/a': { mode: 0o755, uid: 0, gid: 0 } }) },
      },
      ['own /etc/a'],
    ],
    ['gets another mode', { from: [directory('/etc/a')], to: [directory('/etc/a', { mode: 0o700 })] }, ['own /etc/a']],
    [
      'that was there before keeps its mode',
      {
        from: [directory('/etc/a')],
        to: [directory('/etc/a', { mode: 0o700 })],
        ledger: { adopted: asMap({ '/etc/a': { mode: 0o755, uid: 0, gid: 0 } }) },
      },
      [],
    ],
    [
      'of the machine’s that had to make room comes back with its own mode',
      {
        from: [linked('/etc/a')],
        to: [directory('/etc/a', { mode: 0o700 })],
        ledger: { adopted: asMap({ '/etc/a': { mode: 0o755, uid: 0, gid: 0 } }) },
      },
      ['reopen /etc/a'],
    ],
    [
      'of the machine’s that had to make room gets another mode where the policy names it',
      {
        from: [linked('/etc/a')],
        to: [directory('/etc/a', { mode: 0o700, named: true })],
        ledger: { adopted: asMap({ '/etc/a': { mode: 0o755, uid: 0, gid: 0 } }) },
      },
      ['replace /etc/a'],
    ],
    [
      'becomes a link with what is ours in it',
      { from: [directory('/etc/a'), linked('/etc/a/b')], to: [whole('/etc/a')] },
      ['replace /etc/a', 'remove /etc/a/b'],
    ],
    [
      'with something of the machine’s in it does not become a link unasked',
      {
        from: [directory('/etc/a'), linked('/etc/a/b')],
        to: [whole('/etc/a')],
        actual: actualOf({ strangers: { '/etc/a': ['/etc/a/x'] } }),
      },
      ['remove /etc/a/b', 'conflict /etc/a/x (unmanaged)'],
    ],
    [
      'with something of the machine’s in it becomes a link where that was said',
      {
        from: [directory('/etc/a')],
        to: [whole('/etc/a')],
        actual: actualOf({ strangers: { '/etc/a': ['/etc/a/x'] } }),
        attitude: { onConflict: 'backup' },
      },
      ['replace /etc/a', 'evict /etc/a/x (displaced)'],
    ],
    [
      'with something of the machine’s in it stays one where that was said',
      {
        from: [directory('/etc/a')],
        to: [whole('/etc/a')],
        actual: actualOf({ strangers: { '/etc/a': ['/etc/a/x'] } }),
        attitude: { onConflict: 'keep' },
      },
      ['keep /etc/a (unmanaged)'],
    ],
  ])('%s', (_, question, expected) => {
    expect(inShort(decide(question))).toEqual(expected);
  });
});

test('what had to make room comes back once there is room again', () => {
  const ledger = { displaced: asMap({ '/etc/a/x': 4 }) };
  expect(inShort(decide({ from: [whole('/etc/a')], to: [whole('/etc/a')], ledger }))).toEqual([]);
  const directories = { '/etc/a': { mode: 0o755, uid: 0, gid: 0 } };
  expect(inShort(decide({ ledger, actual: actualOf({ directories }) }))).toEqual(['restore /etc/a/x']);
  expect(inShort(decide({ from: [whole('/etc/a')], to: [directory('/etc/a')], ledger }))).toEqual([
    'replace /etc/a',
    'restore /etc/a/x',
  ]);
});

describe('for any two generations,', () => {
  test('staying at one decides nothing', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        expect(inShort(decide({ from: entries, to: entries }))).toEqual([]);
      }),
    );
  });

  test('a machine without anything of its own has no conflicts, and decisions come in order, one for each path', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, (from, to) => {
        const { decisions, conflicts } = decide({ from, to });
        const paths = decisions.map((each) => each.path);
        expect(conflicts).toEqual(conflicts.filter(({ reason }) => reason === 'unmanaged'));
        expect(paths).toEqual([...new Set(paths)].toSorted(comparePaths));
        const named = new Set([...from, ...to].map((each) => each.path));
        expect(paths.filter((each) => !named.has(each))).toEqual([]);
      }),
    );
  });

  test('joining names each path once, in order, with what each side has', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, (from, to) => {
        const joined = [...joinEntries(from, to)];
        const paths = joined.map((each) => each.path);
        expect(paths).toEqual([...new Set([...from, ...to].map((each) => each.path))].toSorted(comparePaths));
        expect(joined.flatMap(({ previous }) => previous ?? [])).toEqual([...from]);
        expect(joined.flatMap(({ next }) => next ?? [])).toEqual([...to]);
      }),
    );
  });
});

test('two entries show the same where nothing that can be seen differs', () => {
  expect(sameEntry(storeLink('/etc/a', 'x'), storeLink('/etc/a', 'x'))).toBe(true);
  expect(sameEntry(storeLink('/etc/a', 'x'), storeLink('/etc/a', 'y'))).toBe(false);
  expect(sameEntry(linked('/etc/a'), copied('/etc/a'))).toBe(false);
  expect(sameEntry(linked('/etc/a', ''), linked('/etc/a', ''))).toBe(false);
  expect(sameEntry(whole('/etc/a', ''), whole('/etc/a', ''))).toBe(false);
  expect(sameEntry(whole('/etc/a'), whole('/etc/a'))).toBe(true);
  expect(sameEntry(directory('/etc/a'), directory('/etc/a', { named: true }))).toBe(false);
  expect(sameEntry(copied('/etc/a'), copied('/etc/a', 'a', 0o600))).toBe(false);
  expect(path('/etc/a')).toBe(linked('/etc/a').path);
});
