// Latencies in a fixed table: recording one allocates nothing. Buckets are exact to 1/64 of the value (HdrHistogram's idea).

const SUB_BUCKETS = 64;
const RANGES = 32;

/** Collects durations in milliseconds, from 1 µs to about half an hour, exact to 1.6 %. */
export class Histogram {
  private readonly counts = new Uint32Array(SUB_BUCKETS * RANGES);
  count = 0;
  /** The largest value recorded, exact, in milliseconds. */
  max = 0;

  record(milliseconds: number): void {
    const us = Math.max(0, Math.min(0x7fffffff, milliseconds * 1000)) | 0;
    const shift = us < SUB_BUCKETS * 2 ? 0 : 25 - Math.clz32(us);
    this.counts[shift * SUB_BUCKETS + (us >>> shift)]++;
    this.count++;
    if (milliseconds > this.max) this.max = milliseconds;
  }

  /** The value, in milliseconds, that `share` (0 to 1) of the records do not exceed; 0 without records. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(this.count * share));
    let seen = 0;
    for (let i = 0; i < this.counts.length; i++) {
      seen += this.counts[i];
      if (seen >= rank && seen > 0) return Math.min(this.max, upperBound(i) / 1000);
    }
    return this.max;
  }

  clear(): void {
    this.counts.fill(0);
    this.count = 0;
    this.max = 0;
  }
}

/** The first microsecond value above bucket `i`. */
function upperBound(i: number): number {
  if (i < SUB_BUCKETS * 2) return i + 1;
  const shift = Math.floor(i / SUB_BUCKETS) - 1;
  return (i - shift * SUB_BUCKETS + 1) * 2 ** shift;
}
