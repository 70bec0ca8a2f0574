// Requests that wait because enough are in work (request_throttle_max_requests): one queue for all connections, oldest first,
// behind the limit that stops the reading of connections (globalOutstandingLimit).
// Source: RequestThrottler and Request.isStale of Apache ZooKeeper.

import { OpCode } from '@nodekeeper/protocol';
import { isWrite, type RequestProcessor } from '../request/processor.js';
import type { Runtime, Timer } from '../runtime.js';
import type { ClientConnection } from './client-connection.js';

/** Times in milliseconds. */
export interface RequestThrottleSettings {
  /** Requests in work beyond which further ones wait. */
  readonly maxRequests: number;
  /** After how long a standing queue is looked at again, at the latest. */
  readonly stallTime: number;
  /** Whether stale requests are dropped, and their connections closed. */
  readonly dropStale: boolean;
  /** Whether a request is stale when its connection has ended. */
  readonly staleConnectionCheck: boolean;
  /** Whether a request is stale when it is older than its session's timeout. */
  readonly staleLatencyCheck: boolean;
  /** A request that waited longer is refused; 0 for never. */
  readonly throttledOpWaitTime: number;
}

export interface RequestThrottlerHooks {
  /** Null while the server is not serving. */
  processor(): RequestProcessor | null;
  /** A turn in which waiting requests go on. */
  turn(action: () => void): void;
  /** A request went on after waiting so many milliseconds. */
  onAdmitted(waited: number): void;
}

/** A request, or with op createSession a connection's wish for a session. */
interface Waiting {
  readonly client: ClientConnection;
  readonly xid: number;
  readonly op: number;
  readonly body: Buffer;
  /** Monotonic milliseconds. */
  readonly arrived: number;
  /** The timeout of a session to be created, in milliseconds. */
  readonly timeout: number;
  next: Waiting | null;
}

const NOTHING = Buffer.alloc(0);

export class RequestThrottler {
  private readonly settings: RequestThrottleSettings;
  private readonly runtime: Runtime;
  private readonly hooks: RequestThrottlerHooks;
  private head: Waiting | null = null;
  private tail: Waiting | null = null;
  private timer: Timer | null = null;
  private stopping = false;
  /** Requests that wait. */
  length = 0;
  /** Bytes of their bodies. */
  bytes = 0;
  /** Counts under the names of Apache's metrics. */
  staleRequests = 0;
  staleRequestsDropped = 0;
  throttledOps = 0;
  waitCount = 0;

  constructor(settings: RequestThrottleSettings, runtime: Runtime, hooks: RequestThrottlerHooks) {
    this.settings = settings;
    this.runtime = runtime;
    this.hooks = hooks;
  }

  /** Takes in a request with the body `buf[start, end)`. */
  submit(
    client: ClientConnection,
    xid: number,
    op: number,
    buf: Buffer,
    start: number,
    end: number,
    now: number,
  ): void {
    if (this.stopping) this.drop(client);
    else if (this.head === null && this.inWork < this.settings.maxRequests) {
      this.hooks.onAdmitted(0);
      client.run(xid, op, buf, start, end);
    } else this.push(client, xid, op, Buffer.from(buf.subarray(start, end)), 0, now);
  }

  /** Takes in a connection's wish for a session of that timeout. */
  createSession(client: ClientConnection, timeout: number, now: number): void {
    if (this.stopping) this.drop(client);
    else if (this.head === null && this.inWork < this.settings.maxRequests) {
      this.hooks.onAdmitted(0);
      client.beginSession(timeout);
    } else this.push(client, 0, OpCode.createSession, NOTHING, timeout, now);
  }

  /** Lets go on what may. To be called when requests were answered. */
  drain(now: number): void {
    if (this.head === null) return;
    const { maxRequests, dropStale } = this.settings;
    for (let oldest: Waiting | null = this.head; oldest !== null; oldest = this.head) {
      const { client } = oldest;
      const stale = this.isStale(oldest, now);
      if (client.dropped) this.shift();
      else if (stale && dropStale) {
        this.shift();
        this.drop(client);
        this.staleRequestsDropped++;
      } else if (this.inWork < maxRequests) {
        this.shift();
        if (stale) this.staleRequests++;
        this.admit(oldest, now);
      } else {
        this.stall();
        return;
      }
    }
    this.timer?.cancel();
    this.timer = null;
  }

  /** Takes no more. What waits and is not stale is sent on its way; to be called once no connection is left. */
  stop(now: number): void {
    this.stopping = true;
    this.drain(now);
    this.clear();
  }

  /** Forgets what waits; its connections are closed by others. */
  clear(): void {
    while (this.head !== null) this.shift();
    this.timer?.cancel();
    this.timer = null;
  }

  private get inWork(): number {
    return this.hooks.processor()?.outstanding ?? 0;
  }

  private push(
    client: ClientConnection,
    xid: number,
    op: number,
    body: Buffer,
    timeout: number,
    arrived: number,
  ): void {
    const request: Waiting = { client, xid, op, body, arrived, timeout, next: null };
    if (this.tail === null) this.head = request;
    else this.tail.next = request;
    this.tail = request;
    this.length++;
    this.bytes += body.length;
    client.waiting++;
    this.stall();
  }

  private shift(): void {
    const request = this.head;
    if (request === null) return;
    this.head = request.next;
    if (this.head === null) this.tail = null;
    this.length--;
    this.bytes -= request.body.length;
    request.client.waiting--;
  }

  private admit({ client, xid, op, body, arrived, timeout }: Waiting, now: number): void {
    const processor = this.hooks.processor();
    if (processor === null) return;
    const waited = now - arrived;
    this.hooks.onAdmitted(waited);
    const { throttledOpWaitTime } = this.settings;
    if (op === OpCode.createSession) {
      if (!client.closed) client.beginSession(timeout);
    } else if (throttledOpWaitTime > 0 && waited > throttledOpWaitTime && isThrottlable(op)) {
      this.throttledOps++;
      if (!client.closed) processor.refuseLate(client, xid);
    } else if (!client.closed) {
      client.run(xid, op, body, 0, body.length);
    } else if (isWrite(op)) {
      // Nobody waits for the answer, but a write that was taken in takes effect.
      processor.submit(client, xid, op, body, 0, body.length);
      processor.abandon(client);
    }
  }

  private isStale({ client, op, arrived, timeout }: Waiting, now: number): boolean {
    if (op === OpCode.closeSession) return false; // it is there to end what a lost connection leaves
    if (this.settings.staleConnectionCheck && client.closed) return true;
    return this.settings.staleLatencyCheck && now - arrived > (client.session?.timeout ?? timeout);
  }

  /** No later request of the connection may be done either, so it ends. */
  private drop(client: ClientConnection): void {
    client.dropped = true;
    client.close('the server has too many requests to do (request_throttle_max_requests)');
  }

  private stall(): void {
    if (this.timer !== null) return;
    this.waitCount++;
    this.timer = this.runtime.after(this.settings.stallTime, () => {
      this.timer = null;
      this.hooks.turn(() => this.drain(this.runtime.now()));
    });
  }
}

function isThrottlable(op: number): boolean {
  return op !== OpCode.ping && op !== OpCode.closeSession && op !== OpCode.createSession;
}
