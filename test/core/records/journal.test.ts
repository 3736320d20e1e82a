import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { ActivateError } from '../../../src/core/errors';
import { decideTransition } from '../../../src/core/plan/decide';
import { planSteps } from '../../../src/core/plan/plan';
import { type Journal, journalPieces, parseJournal } from '../../../src/core/records/journal';
import { emptyLedger } from '../../../src/core/records/ledger';
import { wrapper } from '../../support/wrappers';
import { actualOf, anyEntries, path } from '../../support/entries';

/** The journals of transitions between any two generations, from a machine that shows the first as it was placed. */
const anyJournal: fc.Arbitrary<Journal> = fc
  .record({
    from: anyEntries,
    to: anyEntries,
    phase: fc.constantFrom('create' as const, 'swap' as const),
    store: fc.constantFrom({}, { storePath: '/nix/store/0-x' }),
    scope: fc.constantFrom(['live' as const], ['live' as const, 'default' as const]),
  })
  .map(({ from, to, phase, store, scope }) => {
    const attitude = { onConflict: 'backup' as const, onDrift: undefined };
    const { decisions } = decideTransition({
      from: { entries: from, ledger: emptyLedger },
      to,
      actual: actualOf(),
      attitude: () => attitude,
    });
    const phases = planSteps(decisions, {
      pointer: { from: undefined, to: '/var/lib/activate/generations/2/tree' },
      firstBackup: 3,
      timeOf: () => '1700000000000000000',
      earlierTimeOf: () => undefined,
      ownershipOf: () => undefined,
      self: 0,
      token: 'x',
    });
    const roles = scope.map((role) => ({ role, from: 1, to: 2 }));
    const identities = { '/etc/.activate.x.1': '1:2' };
    return Object.assign({ from: 1, to: 2, phase, roles, staged: true, firstBackup: 3, identities, phases }, store);
  });

function render(journal: Journal): string {
  return [...journalPieces(journal)].join('');
}

describe('a journal', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyJournal, (journal) => {
        expect(parseJournal(render(journal), 'f')).toEqual(JSON.parse(JSON.stringify(journal)) as Journal);
      }),
    );
  });

  test('that is cut off anywhere is refused', () => {
    fc.assert(
      fc.property(anyJournal, fc.nat(), (journal, at) => {
        const text = render(journal);
        expect(() => parseJournal(text.slice(0, at % (text.length - 1)), 'f')).toThrow(ActivateError);
      }),
    );
  });

  const whole: Journal = {
    from: 1,
    to: 2,
    phase: 'swap',
    roles: [],
    staged: false,
    firstBackup: 1,
    identities: {},
    phases: {
      create: [
        { op: 'create', objects: [{ path: path('/etc/a'), made: { kind: 'symlink', linkText: 'x' } }] },
        { op: 'mount-wrappers', directory: 'made' },
        {
          op: 'make-wrappers',
          directory: path('/run/wrappers/gen-2'),
          wrappers: [{ ...wrapper('su'), source: path('/nix/store/0-x/su') }],
        },
      ],
      swap: [
        { op: 'point', from: undefined, to: '/x' },
        { op: 'point-wrappers', from: undefined, to: 'gen-2' },
        { op: 'place', path: path('/etc/b'), aside: path('/etc/.activate.x.1') },
      ],
      remove: [{ op: 'save', aside: path('/etc/.activate.x.2'), backup: 1 }],
      discard: [{ path: path('/etc/c'), aside: path('/etc/.activate.x.3'), was: { kind: 'symlink', linkText: 'y' } }],
      backups: [{ path: path('/etc/d'), reason: 'drifted' }],
      spent: [1],
    },
  };

  test.each<[string, string, string]>([
    ['a step that is none', '"op":"place"', '"op":"jump"'],
    ['the inverse of a step', '"op":"place"', '"op":"unplace"'],
    ['a step without its path', '"path":"/etc/b"', '"x":1'],
    ['a path that is relative', '"path":"/etc/b"', '"path":"etc/b"'],
    ['a path that leads elsewhere', '"path":"/etc/b"', '"path":"/etc/../b"'],
    ['a path that is a number', '"path":"/etc/b"', '"path":7'],
    ['an object without what it is', '"made":', '"maid":'],
    ['an object of a kind that is none', '"kind":"symlink"', '"kind":"hardlink"'],
    [
      'a discarded object that is a path',
      '{"path":"/etc/c","aside":"/etc/.activate.x.3","was":{"kind":"symlink","linkText":"y"}}',
      '"/etc/c"',
    ],
    ['a backup without a reason', '"reason":"drifted"', '"reason":"x"'],
    ['a spent backup that is no number', '"spent":[1]', '"spent":["1"]'],
    ['a directory of wrappers elsewhere', '"/run/wrappers/gen-2"', '"/etc/gen-2"'],
    ['a directory of wrappers of another name', '"/run/wrappers/gen-2"', '"/run/wrappers/bin"'],
    ['a link to wrappers elsewhere', '"to":"gen-2"', '"to":"/usr/bin"'],
    ['a wrapper without what it is made from', ',"source":"/nix/store/0-x/su"', ''],
    ['a wrapper of a name that is none', '"name":"su"', '"name":"../su"'],
    ['a phase that is none', '"phase":"swap"', '"phase":"late"'],
  ])('with %s is refused', (_, before, after) => {
    const text = render(whole);
    expect(text).toContain(before);
    expect(parseJournal(text, 'f')).toEqual(JSON.parse(JSON.stringify(whole)) as Journal);
    expect(() => parseJournal(text.replace(before, after), 'f')).toThrow('the record is damaged: ');
  });
});
