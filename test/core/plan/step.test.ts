import { expect, test } from 'bun:test';
import { inverse, isOneAct, pathOf, type Step } from '../../../src/core/plan/step';
import { path } from '../../support/entries';

const a = path('/etc/a');
const aside = path('/etc/.activate.x.1');
const link = { kind: 'symlink', linkText: 'x' } as const;
const folder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } as const;
const was = { found: link };

const steps: readonly [Step, one: boolean, about: string | undefined][] = [
  [{ op: 'create', objects: [{ path: a, made: link }] }, false, a],
  [
    {
      op: 'create',
      objects: [
        { path: a, made: link },
        { path: path('/etc/b'), made: folder },
      ],
    },
    false,
    undefined,
  ],
  [{ op: 'remove', objects: [{ path: a, was: folder }] }, false, a],
  [{ op: 'remove', objects: [] }, false, undefined],
  [{ op: 'make', path: a, made: folder }, false, a],
  [{ op: 'point', from: undefined, to: '/x' }, false, undefined],
  [{ op: 'exchange', path: a, aside, was }, true, a],
  [{ op: 'exchange', path: a, aside, was, ifChanged: 'leave' }, true, a],
  [{ op: 'place', path: a, aside }, true, a],
  [{ op: 'park', path: a, aside, was }, true, a],
  [{ op: 'save', aside, backup: 1 }, false, aside],
  [{ op: 'fetch', aside, backup: 1 }, false, aside],
  [{ op: 'mount-wrappers', directory: 'made' }, false, '/run/wrappers'],
  [{ op: 'make-wrappers', directory: path('/run/wrappers/gen-2'), wrappers: [] }, false, '/run/wrappers/gen-2'],
  [{ op: 'point-wrappers', from: 'gen-1', to: undefined }, false, '/run/wrappers/bin'],
  [{ op: 'own', path: a, before: { mode: 1, uid: 2, gid: 3 }, after: { mode: 4, uid: 5, gid: 6 } }, false, a],
];

test.each(steps)('%j: undoing what undoes it is the step itself', (step) => {
  expect(inverse(step)).not.toEqual(step);
  expect(inverse(inverse(step))).toEqual(step);
});

test('a pointer goes back, and an owner', () => {
  expect(inverse({ op: 'point', from: undefined, to: '/x' })).toEqual({ op: 'point', from: '/x', to: undefined });
  const [before, after] = [
    { mode: 1, uid: 2, gid: 3 },
    { mode: 4, uid: 5, gid: 6 },
  ];
  expect(inverse({ op: 'own', path: a, before, after })).toEqual({ op: 'own', path: a, before: after, after: before });
});

test.each(steps)('%j: a single rename is one act, both ways', (step, one) => {
  expect([isOneAct(step), isOneAct(inverse(step))]).toEqual([one, one]);
});

test.each(steps)('%j: a message names one path at most', (step, _, about) => {
  expect([pathOf(step), pathOf(inverse(step))]).toEqual([about, about]);
});
