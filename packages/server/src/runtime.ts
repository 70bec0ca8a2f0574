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

export const nodeRuntime: Runtime = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  random: () => Math.random(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, action) {
    const timer = setInterval(action, ms);
    return { cancel: () => clearInterval(timer) };
  },
  soon: (action) => {
    setImmediate(action);
  },
};
