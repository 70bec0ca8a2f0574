// When sessions may be looked at for their ends: not right after the process stood still (SIGSTOP, a machine that was moved). Signs
// of life of clients and learners wait to be read then, and learners have to be asked for more.

/** Who comes so late to a check stood still. Milliseconds. */
const STOOD_STILL_MS = 500;
/** Once in so many ticks there may be one of grace: an overloaded server is late all the time. */
const TICKS_A_GRACE = 10;

export class Patience {
  private readonly tickTime: number;
  private checkedAt: number;
  private graceUntil = Number.NEGATIVE_INFINITY;
  /** The last check was left out. */
  private passed = false;

  /** @param now monotonic milliseconds, as in {@link mayExpire} */
  constructor(tickTime: number, now: number) {
    this.tickTime = tickTime;
    this.checkedAt = now;
  }

  /** Whether nobody is taken for dead too early; to be asked several times in {@link STOOD_STILL_MS}. */
  mayExpire(now: number): boolean {
    const stood = now - this.checkedAt > STOOD_STILL_MS;
    this.checkedAt = now;
    if (stood && now > this.graceUntil + TICKS_A_GRACE * this.tickTime) this.graceUntil = now + this.tickTime;
    // What has come meanwhile is read before the next check, however late that is.
    this.passed = stood && !this.passed;
    return !this.passed && now >= this.graceUntil;
  }
}
