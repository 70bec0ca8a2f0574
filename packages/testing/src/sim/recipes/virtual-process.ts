// Code that takes clocks, timers and chance from Node, on virtual time: while a run goes on, what is asked for inside of a simulated
// process comes from its runtime. All else goes on as always.

import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import type { Runtime, Timer } from '@nodekeeper/server';

const current = new AsyncLocalStorage<VirtualProcess>();

export class VirtualProcess {
  readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** Runs code, and all that it sets off, inside of this process. */
  run<T>(action: () => T): T {
    return current.run(this, action);
  }

  after(ms: number, action: () => void): VirtualTimer {
    return new VirtualTimer(this.runtime.after(ms, () => this.run(action)));
  }

  every(ms: number, action: () => void): VirtualTimer {
    return new VirtualTimer(this.runtime.every(ms, () => this.run(action)));
  }
}

/** What a simulated process has in hand as a timer of Node's. */
class VirtualTimer {
  private readonly timer: Timer;

  constructor(timer: Timer) {
    this.timer = timer;
  }

  cancel(): void {
    this.timer.cancel();
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

type Action = (...args: unknown[]) => void;

/** Takes the place of Node's clocks, timers and chance. Returns what gives them back. */
export function virtualize(): () => void {
  const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = globalThis;
  const { now: wallTime } = Date;
  const { random } = Math;
  const { randomUUID } = crypto;
  const now = performance.now.bind(performance);
  const cancel =
    (real: (timer: never) => void) =>
    (timer: unknown): void => {
      if (timer instanceof VirtualTimer) timer.cancel();
      else real(timer as never);
    };
  const virtual = {
    setTimeout: (action: Action, ms = 0, ...args: unknown[]) =>
      current.getStore()?.after(ms, () => action(...args)) ?? setTimeout(action, ms, ...args),
    setInterval: (action: Action, ms = 0, ...args: unknown[]) =>
      current.getStore()?.every(ms, () => action(...args)) ?? setInterval(action, ms, ...args),
    clearTimeout: cancel(clearTimeout),
    clearInterval: cancel(clearInterval),
    setImmediate: (action: Action, ...args: unknown[]) => {
      const process = current.getStore();
      if (process === undefined) return setImmediate(action, ...args);
      return process.runtime.soon(() => process.run(() => action(...args)));
    },
  };
  Object.assign(globalThis, virtual);
  Object.assign(timers, virtual); // where client and recipes have them from
  Date.now = () => current.getStore()?.runtime.wallTime() ?? wallTime();
  Math.random = () => current.getStore()?.runtime.random() ?? random();
  Object.defineProperty(performance, 'now', {
    value: () => current.getStore()?.runtime.now() ?? now(),
    configurable: true,
  });
  crypto.randomUUID = (options) => {
    const process = current.getStore();
    return process === undefined ? randomUUID(options) : uuidFrom(process.runtime);
  };
  syncBuiltinESMExports();
  return () => {
    const real = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate };
    Object.assign(globalThis, real);
    Object.assign(timers, real);
    Date.now = wallTime;
    Math.random = random;
    Reflect.deleteProperty(performance, 'now');
    crypto.randomUUID = randomUUID;
    syncBuiltinESMExports();
  };
}

function uuidFrom({ random }: Runtime): ReturnType<typeof crypto.randomUUID> {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`;
}
