import fc from 'fast-check';
import type { Scope } from './apply';
import { anyAttitudes, type Attitudes, names } from './closure';

/** A transition that somebody asks for; the number picks from what there is by then. */
export interface Wish {
  readonly to: number;
  readonly what: 'closure' | 'generation';
  readonly scope: Scope;
  readonly flags: Attitudes;
}

/** How a transition is interrupted; the steps that undo others are counted on. */
export interface Accident {
  /** Before which step the power is cut; never where it is missing. */
  readonly at: number | undefined;
  /** Which step fails, if any. */
  readonly fail: number | undefined;
}

/** One thing that somebody does. */
export type Act =
  | (Wish & { readonly do: 'switch' })
  | (Wish & Accident & { readonly do: 'crash'; readonly next: 'resume' | 'switch' })
  | { readonly do: 'rollback'; readonly to: number | undefined; readonly flags: Attitudes }
  | {
      readonly do: 'edit';
      readonly where: number;
      readonly name: string | undefined;
      readonly what: 'file' | 'link' | 'directory' | 'nothing' | 'mode';
    }
  | { readonly do: 'gc'; readonly keep: number }
  | { readonly do: 'look' };

const pick = fc.nat(1000);
const target = { to: pick, what: fc.constantFrom('closure' as const, 'closure' as const, 'generation' as const) };
const scope = fc.constantFrom<Scope>('live and default', 'live and default', 'live', 'default');

export const anyAct: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('switch' as const), ...target, scope, flags: anyAttitudes }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      ...target,
      scope: fc.constantFrom<Scope>('live and default', 'live'),
      flags: anyAttitudes,
      at: fc.option(fc.oneof(fc.nat(3), fc.nat(16)), { nil: undefined, freq: 4 }),
      fail: fc.option(fc.oneof(fc.nat(3), fc.nat(10)), { nil: undefined, freq: 2 }),
      next: fc.constantFrom('resume' as const, 'resume' as const, 'switch' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rollback' as const),
      to: fc.option(pick, { nil: undefined }),
      flags: anyAttitudes,
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('edit' as const),
      where: pick,
      name: fc.option(fc.constantFrom(...names), { nil: undefined }),
      what: fc.constantFrom(
        'file' as const,
        'file' as const,
        'link' as const,
        'directory' as const,
        'nothing' as const,
        'nothing' as const,
        'mode' as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('gc' as const), keep: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'look' as const }) },
);
