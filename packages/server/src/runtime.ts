// What the server needs of the world beside disk and network: clocks, timers, chance. The simulator has one with virtual time.

export interface Timer {
  cancel(): void;
}

export interface Runtime {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since 1970. */
  wallTime(): number;
  /** From 0 up to, not including, 1. */
  random(): number;
  /** Calls back once, after so many milliseconds. */
  after(ms: number, action: () => void): Timer;
  /** Calls back every so many milliseconds. */
  every(ms: number, action: () => void): Timer;
  /** Calls back when what has arrived by now is handled. */
  soon(action: () => void): void;
}

/** The longest that Node's timers know, in milliseconds: longer ones would end at once. */
const LONGEST = 2 ** 31 - 1;

export const nodeRuntime: Runtime = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  random: () => Math.random(),
  after(ms, action) {
    const arm = (left: number): NodeJS.Timeout =>
      left <= LONGEST ? setTimeout(action, left) : setTimeout(() => (timer = arm(left - LONGEST)), LONGEST);
    let timer = arm(ms);
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, action) {
    if (ms > LONGEST) {
      const again = (): void => {
        timer = nodeRuntime.after(ms, again);
        action();
      };
      let timer = nodeRuntime.after(ms, again);
      return { cancel: () => timer.cancel() };
    }
    const timer = setInterval(action, ms);
    return { cancel: () => clearInterval(timer) };
  },
  soon: (action) => {
    setImmediate(action);
  },
};
