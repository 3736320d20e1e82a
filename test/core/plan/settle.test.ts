import { describe, expect, test } from 'bun:test';
import type { Decision } from '../../../src/core/plan/decision';
import { giveUp } from '../../../src/core/plan/give-up';
import { settle } from '../../../src/core/plan/settle';
import { emptyLedger } from '../../../src/core/records/ledger';
import {
  actualOf,
  asMap,
  directory,
  foundDirectory,
  foundFile,
  foundLink,
  linked,
  path,
  silent,
  whole,
} from '../../support/entries';

const restore = (at: string): Decision => ({ path: path(at), action: 'restore', backup: 1 });
const remove = (at: string): Decision => ({
  path: path(at),
  action: 'remove',
  previous: directory(at),
  found: foundDirectory(),
});

function inShort(decisions: readonly Decision[]): string[] {
  return decisions.map(({ action, path: at }) => `${action} ${at}`);
}

describe('decisions are settled:', () => {
  test('those without anything that comes back are as they were', () => {
    const decisions = [remove('/etc/a')];
    expect(settle(decisions, actualOf())).toBe(decisions);
  });

  test('what comes back needs a directory that is there', () => {
    expect(inShort(settle([restore('/etc/a'), restore('/etc/none/b')], actualOf()))).toEqual([
      'restore /etc/a',
      'release /etc/none/b',
    ]);
  });

  test('or one that is made', () => {
    const make: Decision = { path: path('/etc/x'), action: 'create', next: directory('/etc/x') };
    const reopen: Decision = {
      path: path('/etc/y'),
      action: 'reopen',
      found: foundLink('x'),
      after: { mode: 0o755, uid: 0, gid: 0 },
    };
    const link: Decision = { path: path('/etc/z'), action: 'create', next: whole('/etc/z') };
    const decisions = [make, restore('/etc/x/a'), reopen, restore('/etc/y/a'), link, restore('/etc/z/a')];
    expect(inShort(settle(decisions, actualOf()))).toEqual([
      'create /etc/x',
      'restore /etc/x/a',
      'reopen /etc/y',
      'restore /etc/y/a',
      'create /etc/z',
      'release /etc/z/a',
    ]);
  });

  test('an original that covers others leaves those as backups, and ours goes', () => {
    const ours: Decision = { ...restore('/etc/a/b'), previous: linked('/etc/a/b'), found: foundLink('x') } as Decision;
    const directories = { '/etc/a': { mode: 0o755, uid: 0, gid: 0 } };
    const settled = settle([restore('/etc/a'), ours, restore('/etc/a/c')], actualOf({ directories }));
    expect(inShort(settled)).toEqual(['restore /etc/a', 'remove /etc/a/b', 'release /etc/a/c']);
  });

  test('a directory that something comes back to stays', () => {
    const directories = { '/etc/a': { mode: 0o755, uid: 0, gid: 0 }, '/etc/a/b': { mode: 0o755, uid: 0, gid: 0 } };
    const decisions = [remove('/etc/a'), remove('/etc/a/b'), restore('/etc/a/b/c'), remove('/etc/d')];
    expect(inShort(settle(decisions, actualOf({ directories })))).toEqual(['restore /etc/a/b/c', 'remove /etc/d']);
  });
});

describe('a path that is given up', () => {
  const at = path('/etc/a');
  const common = {
    path: at,
    previous: linked('/etc/a'),
    found: foundLink('/run/filesystem-overlay/etc/a'),
    backup: undefined,
    from: { entries: [], ledger: emptyLedger },
    actual: actualOf(),
    attitude: () => silent,
    hasRoom: () => true,
  };

  test('goes', () => {
    expect(giveUp(common)).toEqual({ path: at, action: 'remove', previous: common.previous, found: common.found });
    expect(giveUp({ ...common, found: undefined })).toBeUndefined();
  });

  test('is followed by the original, where there is room for it', () => {
    expect(giveUp({ ...common, backup: 3 })).toMatchObject({ action: 'restore', backup: 3 });
    expect(giveUp({ ...common, backup: 3, hasRoom: () => false })).toMatchObject({ action: 'remove' });
    expect(giveUp({ ...common, backup: 3, found: undefined })).toEqual({
      path: at,
      action: 'restore',
      previous: common.previous,
      backup: 3,
    });
  });

  test('becomes a directory again where something below it is to come back', () => {
    const ledger = { ...emptyLedger, displaced: asMap({ '/etc/a/b': 1 }) };
    expect(giveUp({ ...common, from: { entries: [], ledger } })).toMatchObject({
      action: 'reopen',
      after: { mode: 0o755, uid: 0, gid: 0 },
    });
  });

  test('and was edited is kept as a backup, unless somebody says otherwise', () => {
    const edited = { ...common, found: foundFile() };
    expect(giveUp(edited)).toMatchObject({ action: 'remove', save: 'drifted' });
    expect(giveUp({ ...edited, attitude: () => ({ ...silent, onDrift: 'keep' }) })).toMatchObject({
      action: 'release',
    });
    expect(giveUp({ ...edited, attitude: () => ({ ...silent, onDrift: 'refuse' }) })).toMatchObject({
      reason: 'drifted',
    });
  });

  test('and is a directory with a mount point in it stays', () => {
    const given = { ...common, previous: directory('/etc/a'), found: foundDirectory() };
    expect(giveUp(given)).toMatchObject({ action: 'remove' });
    const actual = actualOf({ obstacles: { '/etc/a': 'a mount point inside' } });
    expect(giveUp({ ...given, actual })).toBeUndefined();
  });
});
