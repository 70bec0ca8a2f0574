// Where a load client gets its frames from.

import type { RawConnection } from './raw-connection.js';

export interface RequestSource {
  /** Sends up to `count` further requests over `connection` and returns how many; fewer only when there are no more. */
  send(connection: RawConnection, count: number): number;
}

/** Changes the frame that starts at `at` for its `sequence`-th sending. */
export type Patch = (buf: Buffer, at: number, sequence: number) => void;

/**
 * Frames encoded beforehand and sent round and round. Consecutive ones leave as one slice, and the slices are kept, so
 * that sending allocates nothing. There must be at least as many frames as can be outstanding, as a patched frame may
 * only change after its reply.
 */
export class RequestRing implements RequestSource {
  private readonly bytes: Buffer;
  private readonly offsets: number[] = [0];
  private readonly slices = new Map<number, Uint8Array>();
  private readonly patch: Patch | undefined;
  private next = 0;
  private sequence = 0;

  constructor(frames: readonly Buffer[], patch?: Patch) {
    this.bytes = Buffer.concat(frames);
    for (const frame of frames) this.offsets.push(this.offsets[this.offsets.length - 1] + frame.length);
    this.patch = patch;
  }

  send(connection: RawConnection, count: number): number {
    const size = this.offsets.length - 1;
    for (let left = count; left > 0; ) {
      const run = Math.min(left, size - this.next);
      if (this.patch !== undefined) {
        for (let i = 0; i < run; i++) this.patch(this.bytes, this.offsets[this.next + i], this.sequence++);
      }
      connection.write(this.slice(this.next, run));
      this.next = (this.next + run) % size;
      left -= run;
    }
    return count;
  }

  private slice(start: number, run: number): Uint8Array {
    const key = start * this.offsets.length + run;
    let slice = this.slices.get(key);
    if (slice === undefined) {
      slice = this.bytes.subarray(this.offsets[start], this.offsets[start + run]);
      this.slices.set(key, slice);
    }
    return slice;
  }
}

/** Frames made when they are needed, from a generator that may end. Slower than a ring; for filling a tree. */
export class RequestStream implements RequestSource {
  private readonly frames: Iterator<Buffer>;

  constructor(frames: Iterable<Buffer>) {
    this.frames = frames[Symbol.iterator]();
  }

  send(connection: RawConnection, count: number): number {
    const batch: Buffer[] = [];
    while (batch.length < count) {
      const { value, done } = this.frames.next();
      if (done) break;
      batch.push(value);
    }
    if (batch.length > 0) connection.write(Buffer.concat(batch));
    return batch.length;
  }
}

/** Writes `value` as `width` decimal digits at `pos`. */
export function writeDigits(buf: Buffer, pos: number, width: number, value: number): void {
  let rest = value;
  for (let i = pos + width - 1; i >= pos; i--) {
    const quotient = Math.floor(rest / 10);
    buf[i] = 0x30 + rest - quotient * 10;
    rest = quotient;
  }
}
