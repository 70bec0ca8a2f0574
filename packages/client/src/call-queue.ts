// Calls in the order they were sent, found by their xid: nearly every reply answers the first of them.

import type { Request } from './requests.js';

/** A request with somebody who waits for it. */
export interface Call {
  readonly request: Request<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** 0 until it is sent. */
  xid: number;
  /** `performance.now()` when it began to wait for a connection, or for its turn. */
  waitsSince: number;
  /** Whether a persistent watch stood for the one-shot watch of this call when it was sent. */
  covered: boolean;
  /** True once the caller has been answered, be it by the reply, a time-out or an abort. */
  settled: boolean;
  /** Stops the time-out and the listening for an abort. */
  release: (() => void) | undefined;
}

/** A queue in a ring, whose size is a power of two. */
export class CallQueue {
  private ring: (Call | undefined)[] = new Array(64);
  private head = 0;
  length = 0;

  push(call: Call): void {
    if (this.length === this.ring.length) this.grow();
    this.ring[(this.head + this.length) & (this.ring.length - 1)] = call;
    this.length++;
  }

  first(): Call | undefined {
    return this.ring[this.head];
  }

  shift(): Call | undefined {
    if (this.length === 0) return undefined;
    const call = this.ring[this.head];
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.length--;
    return call;
  }

  /**
   * Takes out the call with this xid. Replies come in order, with exceptions: a server may answer an operation that it
   * does not know, or that it refuses early by the ACL, ahead of what was sent before.
   */
  take(xid: number): Call | undefined {
    if (this.ring[this.head]?.xid === xid) return this.shift();
    const mask = this.ring.length - 1;
    for (let i = 1; i < this.length; i++) {
      const call = this.ring[(this.head + i) & mask];
      if (call?.xid !== xid) continue;
      for (let j = i; j > 0; j--) this.ring[(this.head + j) & mask] = this.ring[(this.head + j - 1) & mask];
      this.shift();
      return call;
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<Call> {
    for (let i = 0; i < this.length; i++) yield this.ring[(this.head + i) & (this.ring.length - 1)] as Call;
  }

  /** Empties the queue and returns what was in it. */
  drain(): Call[] {
    const calls = [...this];
    this.ring = new Array(64);
    this.head = 0;
    this.length = 0;
    return calls;
  }

  private grow(): void {
    const calls = [...this];
    this.ring = new Array(this.ring.length * 2);
    this.head = 0;
    for (let i = 0; i < calls.length; i++) this.ring[i] = calls[i];
  }
}
