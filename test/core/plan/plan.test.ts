import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { Entry } from '../../../src/core/entry';
import type { Found } from '../../../src/core/found';
import { parentOf, type TargetPath } from '../../../src/core/path';
import { decideTransition } from '../../../src/core/plan/decide';
import type { Decision } from '../../../src/core/plan/decision';
import { type Phases, planSteps } from '../../../src/core/plan/plan';
import { ASIDE, isAside, type Terms } from '../../../src/core/plan/draft';
import type { Step } from '../../../src/core/plan/step';
import { emptyLedger } from '../../../src/core/records/ledger';
import {
  actualOf,
  anyEntries,
  copied,
  direct,
  directory,
  foundDirectory,
  foundFile,
  foundLink,
  linked,
  path,
  seeded,
} from '../../support/entries';

const terms: Terms = {
  pointer: { from: '/old', to: '/new' },
  firstBackup: 5,
  timeOf: () => undefined,
  earlierTimeOf: () => undefined,
  ownershipOf: () => undefined,
  self: 0,
  token: 't',
};

function plan(decisions: readonly Decision[], overrides: Partial<Terms> = {}): Phases {
  return planSteps(decisions, { ...terms, ...overrides });
}

const create = (next: Entry): Decision => ({ path: next.path, action: 'create', next });
function replace(next: Entry, found: Found): Decision {
  return { path: next.path, action: 'replace', next, found, previous: linked(next.path) };
}

const overlayLink = (at: string): Found => foundLink(`/run/filesystem-overlay${at}`);

function operations(steps: readonly Step[]): string[] {
  return steps.map((step) => ('path' in step ? `${step.op} ${step.path}` : step.op));
}

describe('the steps of a transition', () => {
  test('that adds users exchange the file before the pointer moves, and keep no backup', () => {
    const at = path('/etc/passwd');
    const found = { kind: 'file', mode: 0o644, uid: 0, gid: 0, sizeBytes: 1, digest: 'old' } as const;
    const made = { mode: 0o644, uid: 0, gid: 0, sizeBytes: 2, digest: 'new' };
    const { create, swap, remove, discard, backups } = plan([{ path: at, action: 'edit', found, made, mtimeNs: '7' }]);
    const aside = path('/etc/.activate.t.1');
    const source = '/var/lib/activate/merged/new';
    expect(create).toEqual([{ op: 'make', path: aside, made: { kind: 'file', ...made, source } }]);
    expect(swap).toEqual([
      { op: 'exchange', path: at, aside, was: { found, mtimeNs: '7' }, ifChanged: 'leave' },
      { op: 'point', from: '/old', to: '/new' },
    ]);
    expect([remove, discard, backups]).toEqual([[], [{ path: at, aside, was: found }], []]);
  });

  test('that changes nothing but the pointer are one', () => {
    expect(plan([])).toEqual({
      create: [],
      remove: [],
      discard: [],
      backups: [],
      spent: [],
      swap: [{ op: 'point', from: '/old', to: '/new' }],
    });
    expect(plan([], { pointer: { from: '/x', to: '/x' } }).swap).toEqual([]);
  });

  test('let systemd-tmpfiles make links and directories, and stage copies beside their place', () => {
    const { create: created, swap } = plan([
      create(directory('/etc/d')),
      create(linked('/etc/d/l')),
      create(copied('/etc/e')),
      create(direct('/etc/f')),
      create(seeded('/etc/g')),
    ]);
    expect(created[0]).toEqual({
      op: 'create',
      objects: [
        { path: path('/etc/d'), made: { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } },
        { path: path('/etc/d/l'), made: { kind: 'symlink', linkText: '/run/filesystem-overlay/etc/d/l' } },
        { path: path('/etc/f'), made: { kind: 'symlink', linkText: 'x' } },
      ],
    });
    expect(operations(created.slice(1))).toEqual(['make /etc/.activate.t.1', 'make /etc/.activate.t.2']);
    expect(operations(swap)).toEqual(['point', 'place /etc/e', 'place /etc/g']);
    expect(created[1]).toMatchObject({ made: { kind: 'file', source: '/new/etc/e' } });
  });

  test('make what lies in a directory of another user without systemd-tmpfiles', () => {
    const theirs = directory('/etc/d', { uid: 7 });
    const { create: created } = plan([create(theirs), create(directory('/etc/d/e')), create(linked('/etc/d/e/f'))]);
    expect(operations(created)).toEqual(['create', 'make /etc/d/e', 'make /etc/d/e/.activate.t.1']);
  });

  test('exchange a link that the pointer would break before it moves, and others after', () => {
    const { swap, discard } = plan([
      replace(copied('/etc/a'), overlayLink('/etc/a')),
      replace(linked('/etc/b'), foundFile()),
      replace(direct('/etc/c'), foundLink('y')),
    ]);
    expect(operations(swap)).toEqual(['exchange /etc/a', 'point', 'exchange /etc/b', 'exchange /etc/c']);
    expect(discard.map((each) => each.path)).toEqual(['/etc/a', '/etc/b', '/etc/c'].map(path));
  });

  test('keep originals and edits as numbered backups', () => {
    const { remove, backups, discard } = plan([
      { path: path('/etc/a'), action: 'replace', next: linked('/etc/a'), found: foundFile(), save: 'displaced' },
      { path: path('/etc/b'), action: 'remove', previous: copied('/etc/b'), found: foundFile('x'), save: 'drifted' },
    ]);
    expect(backups).toEqual([
      { path: path('/etc/a'), reason: 'displaced' },
      { path: path('/etc/b'), reason: 'drifted' },
    ]);
    expect(remove.filter(({ op }) => op === 'save')).toMatchObject([{ backup: 5 }, { backup: 6 }]);
    expect(discard).toEqual([]);
  });

  test('remove links by systemd-tmpfiles, and files by putting them aside first', () => {
    const { remove } = plan([
      { path: path('/etc/a'), action: 'remove', previous: linked('/etc/a'), found: overlayLink('/etc/a') },
      { path: path('/etc/b'), action: 'remove', previous: copied('/etc/b'), found: foundFile('a') },
    ]);
    expect(operations(remove)).toEqual(['park /etc/b', 'remove']);
  });

  test('bring back an original in one rename', () => {
    const restore = { path: path('/etc/a'), action: 'restore', backup: 2, previous: linked('/etc/a') } as const;
    const there = plan([{ ...restore, found: overlayLink('/etc/a') }], { pointer: { from: '/old', to: undefined } });
    expect(there.create).toEqual([{ op: 'fetch', backup: 2, aside: path('/etc/.activate.t.1') }]);
    expect(operations(there.swap)).toEqual(['exchange /etc/a', 'point']);
    expect(there.spent).toEqual([2]);
    expect(operations(plan([restore]).swap)).toEqual(['point', 'place /etc/a']);
  });

  test('give a directory another mode, and nothing to what is kept', () => {
    const before = { mode: 0o755, uid: 0, gid: 0 };
    const decisions: Decision[] = [
      { path: path('/etc/a'), action: 'own', before, after: { ...before, mode: 0o700 } },
      { path: path('/etc/b'), action: 'adopt', before, next: directory('/etc/b') },
      { path: path('/etc/c'), action: 'keep', why: 'drifted' },
      { path: path('/etc/d'), action: 'release' },
    ];
    expect(operations(plan(decisions).swap)).toEqual(['point', 'own /etc/a']);
  });

  test('build a directory that takes the place of something else aside, with all that is in it', () => {
    const { create: created, swap } = plan([
      { path: path('/etc/a'), action: 'replace', next: directory('/etc/a'), found: foundFile(), save: 'displaced' },
      create(direct('/etc/a/b')),
      create(copied('/etc/a/c')),
    ]);
    expect(operations(created)).toEqual([
      'make /etc/.activate.t.1',
      'make /etc/.activate.t.1/b',
      'make /etc/.activate.t.1/c',
    ]);
    expect(operations(swap)).toEqual(['point', 'exchange /etc/a']);
  });

  test('keep what somebody edited in a directory that leaves', () => {
    const { remove, backups } = plan([
      {
        path: path('/etc/a'),
        action: 'replace',
        previous: directory('/etc/a'),
        next: direct('/etc/a'),
        found: foundDirectory(),
      },
      {
        path: path('/etc/a/b'),
        action: 'remove',
        previous: copied('/etc/a/b'),
        found: foundFile('x'),
        save: 'drifted',
      },
    ]);
    expect(remove).toEqual([{ op: 'save', aside: path('/etc/.activate.t.1/b'), backup: 5 }]);
    expect(backups).toEqual([{ path: path('/etc/a/b'), reason: 'drifted' }]);
  });
});

/** The plan between two generations on a machine that shows the first as it was placed. */
function planBetween(from: readonly Entry[], to: readonly Entry[]): Phases {
  const { decisions } = decideTransition({
    from: { entries: from, ledger: emptyLedger },
    to,
    actual: actualOf(),
    attitude: () => ({ onConflict: 'backup', onDrift: 'backup' }),
  });
  return plan(decisions);
}

describe('for any two generations,', () => {
  test('nothing but staged names is written before the swap where something is already', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, (from, to) => {
        const there = new Set<TargetPath>(from.filter(({ place }) => place !== 'seed').map((each) => each.path));
        for (const step of planBetween(from, to).create) {
          const paths = 'objects' in step ? step.objects.map((each) => each.path) : 'path' in step ? [step.path] : [];
          expect(paths.filter((each) => there.has(each) && !isAside(each))).toEqual([]);
        }
      }),
    );
  });

  test('each name that is put aside is used for one thing, in a directory that the path is in', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, (from, to) => {
        const { create: created, swap, remove, discard, backups } = planBetween(from, to);
        const renames = [...swap, ...remove].filter((step) => 'aside' in step && !('backup' in step));
        const asides = renames.map((step) => ('aside' in step ? step.aside : path('/')));
        expect(new Set(asides).size).toBe(asides.length);
        for (const step of renames)
          if ('path' in step && 'aside' in step) expect(`${step.path}/`).toStartWith(parentOf(step.aside));
        expect(discard.filter(({ aside }) => !asides.includes(aside))).toEqual([]);
        const saves = remove.filter(({ op }) => op === 'save');
        expect(saves).toHaveLength(backups.length);
        expect(created.every(({ op }) => op === 'create' || op === 'make' || op === 'fetch')).toBe(true);
      }),
    );
  });

  test('parents are made before what is in them, and removed after', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const made = planBetween([], entries).create.flatMap((step) => (step.op === 'create' ? step.objects : []));
        const paths = made.map((each) => each.path);
        for (const [index, each] of paths.entries())
          expect(paths.slice(index + 1).filter((later) => each.startsWith(`${later}/`))).toEqual([]);
      }),
    );
  });
});

test('what is put aside is told from everything else', () => {
  expect([`/etc/${ASIDE}t.1`, `/etc/x/${ASIDE}`].map(isAside)).toEqual([true, true]);
  expect(['/etc/.activate', `/etc/${ASIDE}/x`, '/etc/x.activate.'].map(isAside)).toEqual([false, false, false]);
});
