import { ActivateError } from '../../core/errors';
import { inverse, isOneAct, type Step } from '../../core/plan/step';

/** Carries out one step. The one effect of a transition, passed in so that a test can let any step fail. */
export type Perform = (step: Step) => void | Promise<void>;

export type Outcome =
  | { readonly state: 'done' }
  /** Nothing of it is left. */
  | { readonly state: 'undone'; readonly step: Step | undefined; readonly cause: unknown }
  /** Undoing failed as well: some of it is left. */
  | {
      readonly state: 'stuck';
      readonly step: Step | undefined;
      readonly cause: unknown;
      /** `undefined` where not even that it begins could be noted. */
      readonly undoing: Step | undefined;
      readonly undoCause: unknown;
    };

/** A phase: its steps, and what is done before the first of them. */
export interface Stage {
  readonly steps: readonly Step[];
  readonly begin: () => void;
}

/** How stages are carried out. */
export interface Performance {
  readonly perform: Perform;
  /** Asked before each step: the reason to stop and undo, if there is one. */
  readonly interrupted: () => unknown;
  /** Called once, before anything is undone; where it throws, nothing is, and what was done is left to `resume`. */
  readonly undoing: () => void;
}

/** Carries out stages of steps in order; when one fails, or there is a reason to stop, undoes all that was done. */
export async function applyStages(
  stages: readonly Stage[],
  { perform, interrupted, undoing }: Performance,
): Promise<Outcome> {
  const done: Step[] = [];
  let current: Step | undefined;
  try {
    for (const { steps, begin } of stages) {
      current = undefined;
      // Most steps are system calls that do not let a signal be heard.
      await new Promise((resolve) => setImmediate(resolve));
      stopIf(interrupted());
      begin();
      for (const step of steps) {
        stopIf(interrupted());
        current = step;
        // Several acts in one step may fail half way; one act either happened or did not.
        if (!isOneAct(step)) done.push(step);
        const pending = perform(step);
        if (pending !== undefined) await pending;
        if (isOneAct(step)) done.push(step);
      }
    }
    return { state: 'done' };
  } catch (cause) {
    if (cause instanceof ActivateError && cause.code === 'UNDO_FAILED')
      return { state: 'stuck', step: current, cause, undoing: undefined, undoCause: cause };
    try {
      undoing();
    } catch (undoCause) {
      return { state: 'stuck', step: current, cause, undoing: undefined, undoCause };
    }
    return undo(done, perform, { step: current, cause });
  }
}

function stopIf(reason: unknown): void {
  if (reason !== undefined) throw reason;
}

async function undo(
  done: Step[],
  perform: Perform,
  failure: { step: Step | undefined; cause: unknown },
): Promise<Outcome> {
  for (const step of done.toReversed()) {
    const undoing = inverse(step);
    try {
      await perform(undoing);
    } catch (undoCause) {
      return { state: 'stuck', ...failure, undoing, undoCause };
    }
  }
  return { state: 'undone', ...failure };
}
