// What can be set on a client, and what holds if it is not.

import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { SessionTicket } from './handshake.js';
import type { BackOff, Resolver } from './hosts.js';
import type { RetryPolicy } from './retry.js';
import type { SaslOptions } from './sasl.js';
import type { Watcher } from './watch-events.js';

/** An identity to present: for scheme `digest`, `auth` is `user:password`. */
export interface Credential {
  readonly scheme: string;
  readonly auth: string | Uint8Array;
}

/** All times in milliseconds, all sizes in bytes. */
export interface ClientOptions {
  /** Session time-out to ask for; the server has the last word. 30 000. */
  readonly sessionTimeout?: number | undefined;
  /**
   * Limit of one attempt to reach one server; the session time-out (without a session at most 15 000) divided by the number of servers,
   * or by 3 if there are fewer; at least 1000.
   */
  readonly connectTimeout?: number | undefined;
  /** Limit of every call that does not bring its own, but for those of recipes; none, as a dead connection is found by pings. */
  readonly requestTimeout?: number | undefined;
  /** A session to take up: what another client's `sessionId` and `sessionPassword` say. */
  readonly session?: SessionTicket | undefined;
  /** Pause between rounds through the servers: from 50, doubling, to 2000. */
  readonly reconnect?: Partial<BackOff> | undefined;
  /** Whether a new session takes the place of an expired one. True. */
  readonly renewSession?: boolean | undefined;
  /** Accept a server that serves reads only, cut off from its quorum. False. */
  readonly readOnly?: boolean | undefined;
  /** Applies to calls that are safe to repeat; none. */
  readonly retry?: RetryPolicy | undefined;
  readonly auth?: readonly Credential[] | undefined;
  /** How to log in on each connection; a server that refuses ends the client. */
  readonly sasl?: SaslOptions | undefined;
  /** True for TLS with the system's authorities, or options of Node's tls.connect. */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Requests on their way at once; further ones wait in the client. 1000, the servers' globalOutstandingLimit. */
  readonly maxOutstanding?: number | undefined;
  /** Largest request; set it as the servers' jute.maxbuffer. 1 048 575. */
  readonly maxRequest?: number | undefined;
  /** Largest answer. 64 MiB, and never less than requests need. */
  readonly maxFrame?: number | undefined;
  /** Gets the events of reads made with `watch: true`. */
  readonly onEvent?: Watcher | undefined;
  /** Opens connections instead of the system, and without TLS: for networks that are simulated. */
  readonly open?: ((address: string, port: number) => Socket) | undefined;
  /** Resolves names instead of the system. */
  readonly resolver?: Resolver | undefined;
  /** How often SRV records are looked at while connected. 60 000. */
  readonly srvRefresh?: number | undefined;
}

/** Every call takes these. */
export interface CallOptions {
  /** Gives the call up with the signal's reason. It may have been executed all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up with OperationTimeout after so many milliseconds, with waiting for a connection and retries. */
  readonly timeout?: number | undefined;
  /** Instead of the client's policy. Given with a write, it says that the write may be repeated. */
  readonly retry?: RetryPolicy | undefined;
}
