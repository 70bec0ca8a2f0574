// Which authenticators have been seen, so that a recorded one is no use. Source: RFC 4120, 3.2.3.

import { createHash } from 'node:crypto';

/** About 100 MB. Only who has valid tickets can fill it. */
const MOST = 1_000_000;
const HASH_BYTES = 12;

export class ReplayCache {
  private readonly lifetime: number;
  private readonly most: number;
  /** Until when each is remembered, the oldest first. */
  private seen = new Map<string, number>();
  private addedAt = Number.NEGATIVE_INFINITY;
  /** Those from before the clock was set back, which the others do not wait for; they count again when it comes there. */
  private readonly earlier = new Set<string>();
  private earlierUntil = Number.NEGATIVE_INFINITY;

  /** @param lifetime for how long an authenticator is remembered, milliseconds */
  constructor(lifetime: number, most = MOST) {
    this.lifetime = lifetime;
    this.most = most;
  }

  get size(): number {
    return this.seen.size + this.earlier.size;
  }

  /**
   * Whether this is new; if so it is remembered.
   * @param authenticator its encrypted bytes
   * @param now milliseconds since 1970
   * @returns false, too, if there is no more room: a login that cannot be told from a replay is refused
   */
  add(authenticator: Buffer, now: number): boolean {
    if (now < this.addedAt - this.lifetime) this.setBack();
    this.addedAt = now;
    if (now > this.earlierUntil) this.earlier.clear();
    for (const [hash, end] of this.seen) {
      if (end >= now) break;
      this.seen.delete(hash);
    }
    const hash = createHash('sha256').update(authenticator).digest().toString('latin1', 0, HASH_BYTES);
    if (this.seen.has(hash) || this.earlier.has(hash) || this.size >= this.most) return false;
    this.seen.set(hash, now + this.lifetime);
    return true;
  }

  private setBack(): void {
    for (const hash of this.seen.keys()) this.earlier.add(hash);
    this.seen = new Map();
    this.earlierUntil = Math.max(this.earlierUntil, this.addedAt + this.lifetime);
  }
}
