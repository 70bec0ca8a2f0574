// Clocks, timers and chance of one simulated process.

import type { Runtime, Timer } from '@nodekeeper/server';
import type { Random } from './random.js';
import type { Owner, Scheduler } from './scheduler.js';

/** When the simulated world begins, in milliseconds since 1970. */
const BEGINNING = 1_700_000_000_000;

/** A machine's clock: runs at a rate of its own, and its wall time may jump. */
export class Clock {
  /** Milliseconds that it shows for each that passes. */
  rate: number;
  /** Milliseconds that the wall clock is off. */
  wallOffset: number;
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler, rate = 1, wallOffset = 0) {
    this.scheduler = scheduler;
    this.rate = rate;
    this.wallOffset = wallOffset;
  }

  get monotonic(): number {
    return this.scheduler.now * this.rate;
  }

  get wall(): number {
    return Math.floor(BEGINNING + this.monotonic + this.wallOffset);
  }
}

/** Timers are late by up to this many milliseconds. */
const LATE = 0.5;

export function simRuntime(scheduler: Scheduler, owner: Owner, clock: Clock, random: Random): Runtime {
  const real = (ms: number): number => (Math.max(1, ms) + random.between(0, LATE)) / clock.rate;
  return {
    now: () => clock.monotonic,
    wallTime: () => clock.wall,
    random: () => random.next(),
    after: (ms, action) => scheduler.after(real(ms), owner, action),
    every(ms, action): Timer {
      let next: Timer;
      const arm = (): void => {
        next = scheduler.after(real(ms), owner, () => {
          arm();
          action();
        });
      };
      arm();
      return { cancel: () => next.cancel() };
    },
    soon(action) {
      // A turn of the event loop takes a moment, in which other things happen.
      scheduler.after(random.between(0, 0.05), owner, action);
    },
  };
}
