// The clock of embedded servers: real time, and on top of it the time that a test lets pass at once.

import type { Runtime, Timer } from '@nodekeeper/server';
import { clearTimeout, performance, setImmediate, setTimeout, wallTime } from './real-time.js';

interface Entry extends Timer {
  due: number;
  /** Milliseconds between two calls; 0 for one call only. */
  readonly interval: number;
  readonly action: () => void;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The longest time that setTimeout takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** Several servers share one, so that time passes for all of them alike. */
export class TestClock implements Runtime {
  private ahead = 0;
  private readonly entries = new Set<Entry>();

  now(): number {
    return performance.now() + this.ahead;
  }

  wallTime(): number {
    return wallTime() + this.ahead;
  }

  random(): number {
    return Math.random();
  }

  soon(action: () => void): void {
    setImmediate(action);
  }

  after(ms: number, action: () => void): Timer {
    return this.enter(ms, 0, action);
  }

  every(ms: number, action: () => void): Timer {
    return this.enter(ms, Math.max(1, ms), action);
  }

  /**
   * Lets time pass at once, then calls what is due by now, the earliest first. What is due several times is called once, as
   * after a process stood still.
   * @param ms milliseconds, a whole number
   * @param before called when the clock shows the new time, and nothing has been called yet
   */
  pass(ms: number, before: () => void): void {
    this.ahead += ms;
    before();
    const now = this.now();
    const due = [...this.entries].filter((entry) => entry.due <= now).sort((a, b) => a.due - b.due);
    for (const entry of due) if (this.entries.has(entry)) this.call(entry);
  }

  /** To be called when no more time is to {@link pass}: what waits, waits for less. */
  passed(): void {
    for (const entry of this.entries) this.arm(entry);
  }

  private enter(ms: number, interval: number, action: () => void): Timer {
    const entry: Entry = {
      due: this.now() + ms,
      interval,
      action,
      timer: undefined,
      cancel: () => {
        clearTimeout(entry.timer);
        this.entries.delete(entry);
      },
    };
    this.entries.add(entry);
    this.arm(entry);
    return entry;
  }

  private arm(entry: Entry): void {
    clearTimeout(entry.timer);
    const wait = Math.min(LONGEST_MS, Math.max(0, entry.due - this.now()));
    entry.timer = setTimeout(() => {
      if (entry.due <= this.now() + 1) this.call(entry);
      if (this.entries.has(entry)) this.arm(entry);
    }, wait);
  }

  private call(entry: Entry): void {
    if (entry.interval === 0) entry.cancel();
    else entry.due = Math.max(entry.due + entry.interval, this.now());
    entry.action();
  }
}
