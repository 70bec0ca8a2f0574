// The requests of one connection that wait for an answer, in order: writes on their way to the log, and reads behind them.

import type { Session } from '../session/session-table.js';
import type { Client, SessionOwner } from './client.js';
import type { Identity } from './identity.js';

/** A write whose transaction is on its way to the log. */
export class PendingWrite {
  readonly kind = 'write';
  next: Request | null = null;
  /** Bytes of the request. */
  size = 0;
  /** In the order of zxids, over all connections. */
  nextCommit: PendingWrite | null = null;
  /** Who waits for the answer; null for the server's own writes. */
  readonly client: Client | null;
  readonly xid: number;
  readonly op: number;
  /** 0 while it is not known: a write that another server gives its zxid. */
  zxid: number;
  /** What the transaction was prepared with; known where it was prepared. */
  readonly error: number;
  /** Where the entry stands: in its own buffer or, if that is null, in the log's batch. */
  entry: Buffer | null = null;
  start = 0;
  end = 0;
  path: string | null = null;
  multiTypes: number[] | null = null;
  /** The reply, where it has to wait for replies before it that could not be written yet. */
  reply: Buffer | null = null;
  /** The code of an answer that needs no transaction, Ok too; null for a write that becomes one. */
  refusal: number | null = null;
  /** The session to close where no client asked for it. */
  session: Session<SessionOwner> | undefined;
  identities: readonly Identity[] = [];
  /** The request's body, kept if writes are audited. */
  request: Buffer | null = null;
  /** Milliseconds of the monotonic clock. */
  readonly arrived: number;

  constructor(client: Client | null, xid: number, op: number, zxid: number, error: number, arrived: number) {
    this.client = client;
    this.xid = xid;
    this.op = op;
    this.zxid = zxid;
    this.error = error;
    this.arrived = arrived;
  }

  /** Whether its answer is known, and waits for those before it only. */
  get answered(): boolean {
    return this.reply !== null || this.refusal !== null;
  }
}

/** A read that waits for the connection's own writes before it. */
export class WaitingRead {
  readonly kind = 'read';
  next: Request | null = null;
  /** Bytes of the request. */
  size = 0;
  readonly xid: number;
  readonly op: number;
  /** The request's body, kept alive until it is answered. */
  readonly body: Buffer;
  readonly identities: readonly Identity[];
  readonly arrived: number;
  /** What it is answered with instead of being done; 0 if it is done. */
  error = 0;
  /** False for a sync that the leader has not answered. */
  ready = true;

  constructor(xid: number, op: number, body: Buffer, identities: readonly Identity[], arrived: number) {
    this.xid = xid;
    this.op = op;
    this.body = body;
    this.identities = identities;
    this.arrived = arrived;
  }
}

export type Request = PendingWrite | WaitingRead;

/** A linked queue; `length` counts what waits, `bytes` its sizes. */
export class Fifo {
  head: Request | null = null;
  private tail: Request | null = null;
  length = 0;
  bytes = 0;

  /** Whether the oldest request can be answered as soon as the connection takes replies. */
  get headReady(): boolean {
    const { head } = this;
    return head !== null && (head.kind === 'read' ? head.ready : head.answered);
  }

  push(request: Request): void {
    if (this.tail === null) this.head = request;
    else this.tail.next = request;
    this.tail = request;
    this.length++;
  }

  /** Says how many bytes the youngest request has. */
  weigh(bytes: number): void {
    if (this.tail === null) throw new Error('no request waits');
    this.tail.size = bytes;
    this.bytes += bytes;
  }

  /** Takes the oldest request away. There has to be one. */
  shift(): Request {
    const request = this.head;
    if (request === null) throw new Error('no request waits');
    this.head = request.next;
    if (this.head === null) this.tail = null;
    request.next = null;
    this.length--;
    this.bytes -= request.size;
    return request;
  }
}
