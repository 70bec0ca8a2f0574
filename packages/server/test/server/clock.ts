// A clock that goes as a test says, for a server in the test's own process.
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';

/** Time that passes only as the test says, while timers go by the real one. */
export class Clock {
  now = 1000;
  private checks = 0;
  private readonly waiting: (() => void)[] = [];
  readonly runtime: Runtime = {
    ...nodeRuntime,
    now: () => this.now,
    every: (ms, action) =>
      nodeRuntime.every(ms, () => {
        action();
        this.checks++;
        for (const wake of this.waiting.splice(0)) wake();
      }),
  };

  /** Some time has passed, and sessions were looked at since. */
  async pass(ms: number): Promise<void> {
    this.now += ms;
    // Several things are done at an interval.
    for (const end = this.checks + 6; this.checks < end; )
      await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}
