// Who held what, when, as the holders saw it; and whether that was right.

import assert from 'node:assert/strict';

interface Period {
  readonly holder: string;
  readonly token: number;
  readonly from: number;
  /** Until the holder began to release, was told of the loss, or could be told at the earliest. */
  until: number;
}

/** A history of holds of one thing, by one clock. */
export class HoldHistory {
  private readonly periods: Period[] = [];
  private readonly current = new Map<string, Period>();

  /** Called when the holder learns that it holds. The returned function is called before it gives back, or at the loss. */
  begin(holder: string, token: number): () => void {
    const period = { holder, token, from: performance.now(), until: Number.POSITIVE_INFINITY };
    this.periods.push(period);
    this.current.set(holder, period);
    return () => this.end(holder, period);
  }

  /** Somebody else ends the holder's session now: what it thinks from here on does not count. */
  endedFromOutside(holder: string): void {
    const period = this.current.get(holder);
    if (period !== undefined) this.end(holder, period);
  }

  get length(): number {
    return this.periods.length;
  }

  /** At most `limit` at any time; with 1, tokens grow in the order of holding. Every token is given once. */
  check(limit = 1): void {
    const byTime = this.periods.flatMap((period) => [
      { time: period.from, change: 1, period },
      { time: period.until, change: -1, period },
    ]);
    byTime.sort((a, b) => a.time - b.time || a.change - b.change);
    let holders = 0;
    for (const { change, period, time } of byTime) {
      holders += change;
      assert.ok(
        holders <= limit,
        `${holders} hold it at ${time}, ${period.holder} with token ${period.token} among them`,
      );
    }
    const tokens = this.periods.map(({ token }) => token);
    assert.equal(new Set(tokens).size, tokens.length, 'a token was given twice');
    if (limit === 1)
      assert.deepEqual(
        tokens,
        [...tokens].sort((a, b) => a - b),
        'tokens grow',
      );
  }

  private end(holder: string, period: Period): void {
    period.until = Math.min(period.until, performance.now());
    if (this.current.get(holder) === period) this.current.delete(holder);
  }
}
