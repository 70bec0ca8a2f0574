// Whether a write gets through, found out by one: for /ready.

/** The longest that /ready waits, in milliseconds: probes of orchestrators usually give up after a second. */
export const READY_TIMEOUT_MS = 900;
/** No more often is a write tried, in milliseconds, however often somebody asks. */
const INTERVAL_MS = 1000;

/** What writes are tried on: it changes with the server's role. */
export interface Writable {
  /** Tells one from another. */
  readonly on: unknown;
  /** Sends a write that changes nothing; `done` is called when it is committed. */
  probe(done: () => void): void;
}

interface Attempt {
  readonly on: unknown;
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly done: Promise<void>;
  settled: boolean;
}

export class Readiness {
  private last: Attempt | undefined;
  private readonly now: () => number;
  private readonly timeoutMs: number;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number, timeoutMs: number = READY_TIMEOUT_MS) {
    this.now = now;
    this.timeoutMs = timeoutMs;
  }

  /** Tries a write, or shares one that was tried just now or is still on its way. Why it does not get through, if so. */
  async whyNot(writable: Writable): Promise<string | undefined> {
    const now = this.now();
    let { last } = this;
    if (last === undefined || last.on !== writable.on || (last.settled && now - last.at >= INTERVAL_MS)) {
      last = this.attempt(writable, now);
      this.last = last;
    }
    if (last.settled) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<string>((resolve) => {
      const seconds = (): string => ((this.now() - now) / 1000).toFixed(1);
      timer = setTimeout(() => resolve(`a write is not committed after ${seconds()} s`), this.timeoutMs);
    });
    const outcome = await Promise.race([last.done.then(() => undefined), timeout]);
    clearTimeout(timer);
    return outcome;
  }

  private attempt({ on, probe }: Writable, at: number): Attempt {
    let committed: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      committed = resolve;
    });
    const attempt: Attempt = { on, at, done, settled: false };
    probe(() => {
      attempt.settled = true;
      committed();
    });
    return attempt;
  }
}
