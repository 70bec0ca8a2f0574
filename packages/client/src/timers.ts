// Timers for any number of milliseconds.

/** The longest time of Node's timers; they take longer ones for 1 ms. Nobody waits for 25 days: beyond it there is no limit. */
export const MAX_DELAY = 2 ** 31 - 1;

export type Timer = ReturnType<typeof setTimeout> | undefined;

/** Calls `action` after so many milliseconds; never if that is beyond what can be waited for, Infinity for one. */
export function after(ms: number, action: () => void): Timer {
  return ms > MAX_DELAY ? undefined : setTimeout(action, ms);
}
