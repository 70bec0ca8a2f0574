// What the request layer sees of a connection.

import type { Session } from '../session/session-table.js';
import type { Watcher } from '../tree/watches.js';
import type { Fifo } from './fifo.js';
import type { Identity } from './identity.js';
import type { ReplyBuffer } from './reply-buffer.js';

/** What holds a session: a connection of this server, or another server through which its client came. */
export interface SessionOwner {
  readonly closed: boolean;
  /** The session is closed or goes on elsewhere. */
  close(reason: string): void;
}

/** A connection that has ended, and of which nothing more is kept: what it is not is a server that may still ask for something. */
export const DEPARTED: SessionOwner = { closed: true, close() {} };

export interface Client extends Watcher, SessionOwner {
  /** Replaced as a whole when an identity is added, so that a queued request can keep the set it was parsed with. */
  identities: readonly Identity[];
  session: Session<SessionOwner> | undefined;
  /** Requests taken in and not yet answered, oldest first; see fifo.ts. */
  readonly fifo: Fifo;
  /** Where replies go; taking it makes the connection flush at the end of the turn. */
  output(): ReplyBuffer;
  /** A request looked at so many bytes that are in no reply: they count as if they were. */
  charge(bytes: number): void;
  /** Ends the connection, what was written before is still sent. */
  close(reason: string): void;
  /**
   * The session is closed, and the answer waits behind other replies: no more requests are taken in, and {@link close} follows
   * once the client has taken them, or when the session's time is over.
   */
  closeWhenAnswered(): void;
  /** Called when a reply was written; `latency` in milliseconds. */
  answered(latency: number): void;
  /** Sends the list of a node's children piece by piece; later requests of the connection wait for it. */
  streamChildren(xid: number, node: number, withStat: boolean): void;
  /** No reply may be written now: such a list is under way, or what was written has not left. */
  readonly blocked: boolean;
  /** Has replies written all the same: the rest of a list at once. A client that leaves too much unread is let go. */
  makeRoom(): void;
  /** The session that the connection asked for is committed. */
  sessionCreated(): void;
  /** Whether the session that the connection wants to go on with is alive. */
  revalidated(valid: boolean): void;
  /** The last operation and its transaction ids, for `cons`. */
  lastOp: number;
  lastCxid: number;
  lastZxid: number;
  readonly closed: boolean;
  readonly remoteAddress: string;
}
