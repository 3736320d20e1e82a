/** Wakes whoever waits for something to happen. */
export interface Alarm {
  /** Something happened; heard at once, or by whoever waits next. */
  readonly ring: () => void;
  /** Resolves once it has rung since the last wait, the time is over, or this has to end. */
  readonly wait: (timeoutMs: number | undefined) => Promise<'rung' | 'time is over' | 'ended'>;
}

/** Makes an alarm that ends with the signal. Nothing happens while it waits: there is no polling. */
export function newAlarm(signal: AbortSignal): Alarm {
  let isRung = false;
  let wake: (() => void) | undefined;
  signal.addEventListener('abort', () => wake?.());
  return {
    ring: () => {
      isRung = true;
      wake?.();
    },
    wait: async (timeoutMs) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      if (!isRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
        });
      }
      wake = undefined;
      clearTimeout(timer);
      const wasRung = isRung;
      isRung = false;
      if (signal.aborted) return 'ended';
      return wasRung ? 'rung' : 'time is over';
    },
  };
}

/** Lets some time go by, unless this has to end. */
export function pause(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, timeMs);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
