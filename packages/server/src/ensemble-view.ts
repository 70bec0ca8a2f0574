// What a server tells of its part in an ensemble: for the admin side, which knows nothing else of elections and broadcast.

import type { EnsembleStats } from './ensemble-stats.js';
import type { Member, QuorumConfig } from './quorum/quorum-config.js';

/** What is so at the moment of asking. */
export interface EnsembleView {
  /** This server's. */
  readonly id: number;
  /** Ticks. */
  readonly initLimit: number;
  readonly syncLimit: number;
  /** This server as it was listed last: it may be removed. */
  readonly own: Member;
  /** The committed configuration. */
  readonly config: QuorumConfig;
  /** Whether there may be sessions that only one server knows. */
  readonly localSessions: boolean;
  /** What it has with a quorum behind it; undefined during an election and until the history is agreed. */
  readonly part: EnsemblePart | undefined;
  readonly stats: EnsembleStats;
}

export interface EnsemblePart {
  readonly mode: 'leader' | 'follower' | 'observer';
  /** The id of the server that leads. */
  readonly leaderId: number;
  /** The id of the server whose learner it is: the leader, unless said otherwise. */
  readonly masterId?: number;
  /** The learners of a follower that serves observers. */
  readonly observers?: Iterable<LearnerView> | undefined;
  /** Of a leader only. */
  readonly leading: LeadingView | undefined;
}

export interface LeadingView {
  /** Milliseconds that clients have been served. */
  readonly uptime: number;
  /** Every connection at the quorum port. */
  readonly learners: Iterable<LearnerView>;
  /** The sessions that it ends, deadlines with those that end there. */
  readonly expiryBuckets: () => Iterable<readonly [number, Iterable<{ readonly id: bigint; readonly local: boolean }>]>;
  /** Syncs of clients that wait for a transaction to be committed. */
  readonly pendingSyncs: number;
}

export interface LearnerView {
  /** Its server id; undefined until it has introduced itself. */
  readonly id: number | undefined;
  /** Whether it acknowledges proposals; an observer does not. */
  readonly participates: boolean;
  /** Whether it is sent what is new. */
  readonly synced: boolean;
  /** `address:port`. */
  readonly remote: string;
  /** Monotonic milliseconds. */
  readonly connectedAt: number;
  /** Bytes that it has not taken. */
  readonly unsent: number;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly requests: number;
  /** The last that it was sent; -1 for none. */
  readonly lastZxid: number;
  /** Begins the counts anew. */
  resetCounts(): void;
}
