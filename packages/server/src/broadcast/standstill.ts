// When a process stood still (SIGSTOP, no processor time, a machine that was moved): what others said meanwhile waits to be read, and
// nobody has fallen silent.

export class Standstill {
  /** Milliseconds. */
  private readonly most: number;
  private checkedAt: number;
  private waits = false;

  /** @param now monotonic milliseconds, as in {@link isBefore} */
  constructor(most: number, now: number) {
    this.most = most;
    this.checkedAt = now;
  }

  /**
   * Whether more than `most` has passed since the last check, and nobody may be taken for silent at this one. At the next one they
   * may, however late that is: what has come is read between two of them.
   */
  isBefore(now: number): boolean {
    this.waits = now - this.checkedAt > this.most && !this.waits;
    this.checkedAt = now;
    return this.waits;
  }
}
