// Lets something happen at most once per interval.

export class RateLimit {
  private readonly intervalMs: number;
  private readonly now: () => number;
  private nextAt = Number.NEGATIVE_INFINITY;

  /** @param now a monotonic clock in milliseconds */
  constructor(intervalMs: number, now: () => number) {
    this.intervalMs = intervalMs;
    this.now = now;
  }

  /** Whether it may happen now; if so, it counts as having happened. */
  allow(): boolean {
    const now = this.now();
    if (now < this.nextAt) return false;
    this.nextAt = now + this.intervalMs;
    return true;
  }
}
