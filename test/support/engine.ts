import type { Context, Log } from '../../src/context';
import type { Switched } from '../../src/core/report/outcome';
import { withContent } from '../../src/engine/closure/content';
import { type Machine, withMachine } from '../../src/engine/state/machine';
import type { Attitudes, Prepared, Target } from '../../src/engine/deciding/prepare';
import { prepareTransition } from '../../src/engine/deciding/prepare';
import { switchTo } from '../../src/engine/switching';
import type { Scope } from '../../src/engine/transition/transition';
import { carry, overlay, rootedAt } from './overlay';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let now = Date.parse('2026-01-02T03:04:05Z');

/** What a command is given when it works on a sandbox; each question for the time is a second later. */
export function contextOn(root: string, overrides: Partial<Context> = {}): Context {
  return {
    root,
    workingDirectory: '/',
    uid: process.geteuid?.() ?? 0,
    version: 'test',
    executable: undefined,
    lockWaitMs: 0,
    json: false,
    now: () => (now += 1000),
    elapsed: () => performance.now(),
    log: silent,
    signal: new AbortController().signal,
    write: () => undefined,
    warn: () => undefined,
    terminal: { isTerminal: false, columns: 80, colour: 'never' },
    messageTerminal: { isTerminal: false, columns: 80 },
    ...overrides,
  };
}

export function closureAt(argument: string): Target & { readonly kind: 'closure' } {
  return { kind: 'closure', argument };
}

/** Switches and insists that it is not refused. */
export async function switchOn(
  root: string,
  target: Target,
  attitudes: Attitudes = {},
  scope: Scope = 'live and default',
): Promise<Switched> {
  const outcome = await switchTo(contextOn(root), carriedTarget(root, target), scope, attitudes);
  if (outcome.state === 'refused') throw new Error(`refused: ${JSON.stringify(outcome.conflicts)}`);
  return outcome;
}

/** What a switch would do. */
export function planOn(root: string, target: Target, attitudes: Attitudes = {}): Promise<Prepared> {
  const context = contextOn(root);
  return withMachine(context, (machine) =>
    withPrepared({ context, machine, attitudes }, target, (prepared) => Promise.resolve(prepared)),
  );
}

interface Planning {
  readonly context: Context;
  readonly machine: Machine;
  readonly attitudes?: Attitudes;
}

/** Prepares a transition on a machine that is open, and hands it on; what it reads of images can be read so long. */
export function withPrepared<Result>(
  { context, machine, attitudes = {} }: Planning,
  target: Target,
  task: (prepared: Prepared) => Promise<Result>,
): Promise<Result> {
  const carried = carriedTarget(context.root, target);
  return withContent(context, machine, carried, (content) =>
    task(prepareTransition(context, machine, carried, { ...attitudes, content })),
  );
}

/** The same closure, carried by what the tests are run for. */
function carriedTarget(root: string, target: Target): Target {
  if (target.kind !== 'closure' || target.format !== undefined) return target;
  const argument = carry(target.argument, rootedAt(root, '/'));
  const isInStore = argument !== target.argument && overlay === 'store';
  return isInStore ? { ...target, argument, format: 'tree' } : { ...target, argument };
}
