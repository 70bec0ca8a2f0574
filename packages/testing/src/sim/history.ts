// What clients did and saw, as the checkers read it. `order` numbers count everything that clients do and see.

import type { Answer, Operation } from './operations.js';

/** One session, over all of its connections. */
export interface SessionRecord {
  readonly id: bigint;
  readonly client: string;
  readonly timeout: number;
  readonly openedAt: number;
  /** The client was told that it is over. */
  expiredAt?: number;
  /** What the client sent and was answered, pings too. */
  readonly heard: { readonly server: string; readonly sentAt: number; readonly answeredAt: number }[];
  /** The client itself asked to close it. */
  closeSentAt?: number;
}

export interface Call {
  readonly client: string;
  readonly session: SessionRecord;
  /** Which connection of the client. */
  readonly connection: number;
  readonly server: string;
  readonly xid: number;
  readonly op: Operation;
  readonly sentAt: number;
  readonly sentOrder: number;
  /** Undefined while, and if ever, there is no answer. */
  reply?: Reply;
}

export interface Reply {
  readonly at: number;
  readonly order: number;
  readonly zxid: number;
  readonly error: number;
  readonly answer: Answer;
}

/** A reply to a ping or to setWatches: it shows how far the server is. */
export interface Sighting {
  readonly session: SessionRecord;
  readonly connection: number;
  readonly order: number;
  readonly zxid: number;
  readonly kind: 'ping' | 'setWatches';
}

export interface Notification {
  readonly session: SessionRecord;
  readonly connection: number;
  readonly order: number;
  readonly type: number;
  readonly path: string;
}

export class History {
  readonly calls: Call[] = [];
  readonly sessions: SessionRecord[] = [];
  readonly sightings: Sighting[] = [];
  readonly notifications: Notification[] = [];
  private last = 0;

  nextOrder(): number {
    return ++this.last;
  }
}
