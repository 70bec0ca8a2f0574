// What the server counts about the requests it answers: plain numbers that cost the hot path nothing.

import { EventType } from '@nodekeeper/protocol';

/** Smallest, largest and sum of a series, and how many there were. */
export class Summary {
  count = 0;
  sum = 0;
  min = -1;
  max = -1;
  /** Counts by power of two with eight steps each, for quantiles; a busy server counts beyond 2^32 within a few days. */
  private readonly buckets = new Float64Array(256);

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (this.min < 0 || value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const bucket = bucketOf(value);
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
  }

  /** Adds the time from then to now; none where clocks disagree so that it would be negative. */
  addSince(then: number, now: number): void {
    if (now >= then) this.add(now - then);
  }

  get average(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** The value below which a share `q` (0 to 1) of the series lies, within an eighth of it. */
  quantile(q: number): number {
    if (this.count === 0) return 0;
    let rest = Math.ceil(this.count * q);
    for (let i = 0; i < this.buckets.length; i++) {
      rest -= this.buckets[i] as number;
      if (rest <= 0) return Math.min(upperBound(i), this.max);
    }
    return this.max;
  }

  reset(): void {
    this.count = 0;
    this.sum = 0;
    this.min = -1;
    this.max = -1;
    this.buckets.fill(0);
  }
}

/** The bucket in which the value 1 is; 0 is that of 0. Values below 1/32 share the next one, those above 2^26 the last. */
const ONE = 41;
const EXPONENT_OF_ONE = 1023;

// A logarithm costs more than all the rest: exponent and first bits of a double are what a bucket is named by.
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
double[0] = 1;
const HIGH = words[1] === 0 ? 0 : 1; // whichever end this machine begins with

function bucketOf(value: number): number {
  if (value <= 0) return 0;
  double[0] = value;
  const bucket = ((words[HIGH] as number) >>> 17) - EXPONENT_OF_ONE * 8 + ONE;
  return bucket < 1 ? 1 : bucket > 255 ? 255 : bucket;
}

function upperBound(bucket: number): number {
  if (bucket === 0) return 0;
  const steps = bucket - ONE + 1;
  const power = Math.floor(steps / 8);
  return 2 ** power * (1 + (steps - power * 8) / 8);
}

const WATCHED_EVENTS = [
  EventType.nodeCreated,
  EventType.nodeDeleted,
  EventType.nodeDataChanged,
  EventType.nodeChildrenChanged,
];

/** Counts of one server. Times in milliseconds. */
export class ServerStats {
  readonly readLatency = new Summary();
  readonly updateLatency = new Summary();
  readonly fsyncTime = new Summary();
  readonly batchSize = new Summary();
  readonly snapshotTime = new Summary();
  /** How long the process stood still, if that is measured. */
  readonly pauseTime = new Summary();
  readonly requestQueueTime = new Summary();
  /** Latency of all requests, as srvr shows it. */
  readonly latency = new Summary();
  fsyncThresholdExceeded = 0;
  staleSessionsExpired = 0;
  staleReplies = 0;
  snapshotErrors = 0;
  /** Of the admin commands. */
  snapshotsRateLimited = 0;
  restoreErrors = 0;
  restoresRateLimited = 0;
  readonly restoreTime = new Summary();
  /** Watchers that heard of an event, by its type. */
  readonly watchesTriggered: ReadonlyMap<number, Summary> = new Map(
    WATCHED_EVENTS.map((type) => [type, new Summary()]),
  );
  readonly dbInitTime = new Summary();
  /** What was read when the server started. */
  readonly startupSnapshotTime = new Summary();
  readonly startupTxnsTime = new Summary();
  readonly startupTxns = new Summary();
  /** From the making of a transaction to its application here. */
  readonly propagationLatency = new Summary();
  /** The last snapshot that was written; times in milliseconds since 1970. */
  lastSnapshot: { readonly zxid: number; readonly at: number } | undefined;
  /** Bytes of replies that left together. */
  lastResponseSize = -1;
  minResponseSize = -1;
  maxResponseSize = -1;

  onResponse(bytes: number): void {
    this.lastResponseSize = bytes;
    if (bytes > this.maxResponseSize) this.maxResponseSize = bytes;
    if (this.minResponseSize < 0 || bytes < this.minResponseSize) this.minResponseSize = bytes;
  }

  onTriggered(eventType: number, watchers: number): void {
    this.watchesTriggered.get(eventType)?.add(watchers);
  }

  onAnswered(isWrite: boolean, latency: number): void {
    this.latency.add(latency);
    (isWrite ? this.updateLatency : this.readLatency).add(latency);
  }

  /** Begins all anew but what is told of the last snapshot. */
  reset(): void {
    for (const value of Object.values(this)) if (value instanceof Summary) value.reset();
    for (const value of this.watchesTriggered.values()) value.reset();
    this.staleSessionsExpired = 0;
    this.staleReplies = 0;
    this.snapshotErrors = 0;
    this.snapshotsRateLimited = 0;
    this.restoreErrors = 0;
    this.restoresRateLimited = 0;
    this.resetResponseSizes();
  }

  /** Begins anew what srvr shows. */
  beginCounts(): void {
    this.latency.reset();
    this.fsyncThresholdExceeded = 0;
    this.resetResponseSizes();
  }

  private resetResponseSizes(): void {
    this.lastResponseSize = -1;
    this.minResponseSize = -1;
    this.maxResponseSize = -1;
  }
}
