import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { planSteps } from '../../../src/core/plan/plan';
import { decideWrappers, planWrappers, type WrappersFound } from '../../../src/core/plan/wrappers';
import { nameOf } from '../../../src/core/path';
import type { Step } from '../../../src/core/plan/step';
import type { FoundWrapper, Wrapper } from '../../../src/core/wrapper';
import { path } from '../../support/entries';
import { anyWrappers, madeOf, wrapper } from '../../support/wrappers';

const terms = { generation: 7, overlay: '/var/lib/activate/generations/7/tree', token: 'k3' };

const nothing: WrappersFound = { mount: 'none', directory: 'absent', link: undefined, live: new Map(), names: [] };

/** A machine that shows wrappers as they were made. */
function showing(wrappers: readonly Wrapper[], names: readonly string[] = ['gen-6']): WrappersFound {
  const live = new Map(wrappers.map((each): [string, FoundWrapper] => [each.name, madeOf(each)]));
  return { mount: 'there', directory: 'there', link: 'gen-6', live, names };
}

/** What a machine shows once the steps are carried out. */
function carryOut(found: WrappersFound, steps: readonly Step[]): WrappersFound {
  const made = new Map<string | undefined, ReadonlyMap<string, FoundWrapper>>();
  let { mount, link, live } = found;
  for (const step of steps) {
    if (step.op === 'mount-wrappers') mount = 'there';
    if (step.op === 'make-wrappers')
      made.set(nameOf(step.directory), new Map(step.wrappers.map((each) => [each.name, madeOf(each)])));
    if (step.op === 'point-wrappers') [link, live] = [step.to, made.get(step.to) ?? new Map()];
  }
  return { ...found, mount, link, live };
}

describe('wrappers', () => {
  test('are made in a directory of their own, and the link moves in the swap, right after the pointer', () => {
    const [ping, sudo] = [wrapper('ping', { source: path('/nix/store/0-x/bin/ping') }), wrapper('sudo')];
    const steps = planWrappers([ping, sudo], nothing, terms);
    const sourced = [ping, { ...sudo, source: path(`${terms.overlay}/.activate/wrappers/sudo`) }];
    expect(steps).toEqual({
      create: [
        { op: 'mount-wrappers', directory: 'made' },
        { op: 'make-wrappers', directory: path('/run/wrappers/gen-7'), wrappers: sourced },
      ],
      swap: [{ op: 'point-wrappers', from: undefined, to: 'gen-7' }],
    } as never);
    const phases = planSteps([], {
      pointer: { from: undefined, to: '/x' },
      firstBackup: 1,
      timeOf: () => undefined,
      earlierTimeOf: () => undefined,
      ownershipOf: () => undefined,
      wrappers: steps,
      self: 0,
      token: 'x',
    });
    expect(phases.create).toEqual(steps.create);
    expect(phases.swap.map(({ op }) => op)).toEqual(['point', 'point-wrappers']);
  });

  test('get a fresh directory where the usual one is taken', () => {
    const found = { ...showing([wrapper('ping')]), names: ['gen-6', 'gen-7'] };
    expect(planWrappers([wrapper('su')], found, terms).swap).toEqual([
      { op: 'point-wrappers', from: 'gen-6', to: 'gen-7.k3' },
    ]);
  });

  test('that are all given up take the link with them', () => {
    const found = showing([wrapper('ping')]);
    expect(decideWrappers([], found)).toMatchObject({ moves: true, conflicts: [] });
    expect(planWrappers([], found, terms)).toEqual({
      create: [],
      swap: [{ op: 'point-wrappers', from: 'gen-6', to: undefined }],
    });
  });

  const ping = wrapper('ping');
  test.each<[string, FoundWrapper | undefined, string]>([
    ['is missing', undefined, 'it is missing'],
    ['is a directory', { kind: 'other', what: 'directory' }, 'it is a directory'],
    ['has another mode', { ...madeOf(ping), mode: 0o755 } as FoundWrapper, 'its mode is 0755, not 4755'],
    ['has another owner', { ...madeOf(ping), uid: 7 } as FoundWrapper, 'its owner is 7:0, not 0:0'],
    [
      'has capabilities',
      { ...madeOf(ping), capabilities: 'cap_chown=p' } as FoundWrapper,
      'its capabilities are cap_chown=p, not none',
    ],
    ['has another content', { ...madeOf(ping), digest: 'b'.repeat(64) } as FoundWrapper, 'its content is another'],
    ['has another size', { ...madeOf(ping), sizeBytes: 4 } as FoundWrapper, 'its content is another'],
  ])('one that %s is said to be, and all are made anew', (_, found, what) => {
    const live = new Map(found === undefined ? [] : [['ping', found] as const]);
    const answer = decideWrappers([ping], { ...showing([]), live });
    expect(answer.changes.map((each) => [each.path, each.what])).toEqual([[path('/run/wrappers/bin/ping'), what]]);
    expect(answer.moves).toBe(true);
  });

  test('that nobody asked for are said to be there', () => {
    const answer = decideWrappers([ping], showing([ping, wrapper('door')]));
    expect(answer.changes.map((each) => [each.path, each.what])).toEqual([
      [path('/run/wrappers/bin/door'), 'no wrapper has that name'],
    ]);
  });

  test('are a conflict where their place is somebody else’s, but only if there is anything to do', () => {
    const obstacle = { path: path('/run/wrappers'), what: 'a mount with nosuid' } as const;
    expect(decideWrappers([ping], { ...nothing, obstacle }).conflicts).toEqual([
      { path: obstacle.path, reason: 'blocked', obstacle: obstacle.what },
    ]);
    expect(decideWrappers([], { ...nothing, obstacle })).toEqual({ moves: false, changes: [], conflicts: [] });
    expect(decideWrappers([ping], { ...showing([ping]), obstacle })).toEqual({
      moves: false,
      changes: [],
      conflicts: [],
    });
  });

  test('are as they are wanted after the steps, and then there is nothing to do', () => {
    fc.assert(
      fc.property(anyWrappers, anyWrappers, fc.boolean(), (before, wanted, isMounted) => {
        const found = isMounted && before.length > 0 ? showing(before) : nothing;
        const { moves } = decideWrappers(wanted, found);
        const { create, swap } = moves ? planWrappers(wanted, found, terms) : { create: [], swap: [] };
        const after = carryOut(found, [...create, ...swap]);
        expect(decideWrappers(wanted, after)).toEqual({ moves: false, changes: [], conflicts: [] });
      }),
    );
  });
});
