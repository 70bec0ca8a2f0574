// Timers for any number of milliseconds, and what comes before them. A test runner's fake timers do not reach what is imported by name
// from node:timers: a connection that stood still with them would miss for good what it was to be called for.

import process from 'node:process';
import { setTimeout } from 'node:timers';

/** As it is now: Jest puts a fake one in its place, from where `require` would take it. */
export const { nextTick } = process;

/** The longest time of Node's timers; they take longer ones for 1 ms. Nobody waits for 25 days: beyond it there is no limit. */
export const MAX_DELAY = 2 ** 31 - 1;

export type Timer = ReturnType<typeof setTimeout> | undefined;

/** Calls `action` after so many milliseconds; never if that is beyond what can be waited for, Infinity for one. */
export function after(ms: number, action: () => void): Timer {
  return ms > MAX_DELAY ? undefined : setTimeout(action, ms);
}
