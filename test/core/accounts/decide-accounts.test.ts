import { describe, expect, test } from 'bun:test';
import { type AccountChange, withAccounts } from '../../../src/core/accounts/decide-accounts';
import type { Entry } from '../../../src/core/entry';
import type { Answer } from '../../../src/core/plan/decide';
import type { Decision } from '../../../src/core/plan/decision';
import { path } from '../../support/entries';

const PASSWD = path('/etc/passwd');
const made = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 9, digest: 'new' };
const found = { kind: 'file', mode: 0o644, uid: 0, gid: 0, sizeBytes: 5, digest: 'old' } as const;
const edited: AccountChange = { path: PASSWD, found, mtimeNs: '7', made };
const fresh: AccountChange = { path: PASSWD, made };
const seed = { path: PASSWD, place: 'seed', kind: 'file', ...made, digest: 'seed', restyled: false } as const;
const nothing: Answer = { decisions: [], conflicts: [] };

function decide(change: AccountChange, decisions: readonly Decision[] = [], to: readonly Entry[] = []): Answer {
  return withAccounts({ decisions, conflicts: [] }, { changes: [change], conflicts: [] }, to);
}

describe('withAccounts', () => {
  test('changes nothing where nothing changes', () => {
    expect(withAccounts(nothing, { changes: [], conflicts: [] }, [])).toBe(nothing);
  });

  test('edits a file that is there', () => {
    expect(decide(edited)).toEqual({
      decisions: [{ path: PASSWD, action: 'edit', found, made, mtimeNs: '7' }],
      conflicts: [],
    });
  });

  test('makes a file that is not, from what was staged for it', () => {
    const source = '/var/lib/activate/merged/new';
    const next = { path: PASSWD, place: 'seed', kind: 'file', ...made, source, restyled: true };
    expect(decide(fresh).decisions).toEqual([{ path: PASSWD, action: 'create', next } as Decision]);
    expect(decide(fresh, [{ path: PASSWD, action: 'create', next: seed }]).decisions).toEqual([
      { path: PASSWD, action: 'create', next } as Decision,
    ]);
  });

  test('leaves a seed that holds the same already', () => {
    const same: Decision = { path: PASSWD, action: 'create', next: { ...seed, digest: 'new' } };
    expect(decide(fresh, [same]).decisions).toEqual([same]);
  });

  test('keeps the decisions in order', () => {
    const others = ['/etc/a', '/etc/z'].map((each): Decision => ({ path: path(each), action: 'release' }));
    expect(decide(edited, others).decisions.map((each) => each.path)).toEqual([path('/etc/a'), PASSWD, path('/etc/z')]);
  });

  test.each<[string, readonly Decision[], readonly Entry[]]>([
    ['the closure places', [], [{ ...seed, place: 'copy' }]],
    ['a generation gives up', [{ path: PASSWD, action: 'remove', previous: { ...seed, place: 'copy' }, found }], []],
  ])('is in conflict over a file that %s as a whole', (_, decisions, to) => {
    expect(decide(edited, decisions, to)).toEqual({ decisions, conflicts: [{ path: PASSWD, reason: 'managed' }] });
  });

  test('adds conflicts of its own', () => {
    const contradicted = { path: PASSWD, reason: 'contradicted', wanted: 'x', there: 'y' } as const;
    expect(withAccounts(nothing, { changes: [], conflicts: [contradicted] }, []).conflicts).toEqual([contradicted]);
  });
});
