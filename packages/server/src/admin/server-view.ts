// What the admin side sees of a server, so that commands, metrics and tests need no server. Scalars are copied when asked for;
// tables are walked lazily, as they can have millions of rows.

import type { Readable } from 'node:stream';
import type { EnsembleView } from '../ensemble-view.js';
import type { Identity } from '../request/identity.js';

/** A series of measured values: how many, their sum, and their spread. */
export interface SummaryView {
  readonly count: number;
  readonly sum: number;
  readonly average: number;
  /** Negative before the first value. */
  readonly min: number;
  /** Negative before the first value. */
  readonly max: number;
  /** The value below which a share `q` (0 to 1) of the series lies. */
  quantile(q: number): number;
}

/** What `srvr` counts. Times in milliseconds. */
export interface Counts {
  readonly packetsReceived: number;
  readonly packetsSent: number;
  readonly minLatency: number;
  readonly avgLatency: number;
  readonly maxLatency: number;
  /** Requests taken in and not answered. */
  readonly outstanding: number;
  /** The last zxid whose effects are visible. */
  readonly zxid: number;
  readonly connections: number;
  /** Sessions that every server of an ensemble knows. */
  readonly globalSessions: number;
  /** Sessions that only this server knows. */
  readonly localSessions: number;
  /** As Apache counts, which has the root twice. */
  readonly nodes: number;
  readonly ephemerals: number;
  /** Registrations in the data and in the child table. */
  readonly watches: number;
  /** Bytes of paths and data. */
  readonly approximateDataSize: number;
  /** Bytes of replies sent together; -1 before the first. */
  readonly lastResponseSize: number;
  readonly minResponseSize: number;
  readonly maxResponseSize: number;
  readonly authFailed: number;
  readonly fsyncThresholdExceeded: number;
  /** The chance, 0 to 1, with which a connect is refused at present. */
  readonly dropProbability: number;
  /** TLS handshakes under way. */
  readonly handshakes: number;
  readonly uptime: number;
}

/** One client connection. Times in milliseconds. */
export interface ConnectionView {
  /** What tells it from others: the connection that asks is shown differently. */
  readonly identity: unknown;
  /** `address:port`. */
  readonly remote: string;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  readonly outstanding: number;
  readonly packetsReceived: number;
  readonly packetsSent: number;
  /** When it ends unless something comes; monotonic. */
  readonly deadline: number;
  /** Undefined until it has a session. */
  readonly session: ConnectionSession | undefined;
}

export interface ConnectionSession {
  readonly id: bigint;
  readonly timeout: number;
  /** Apache's short name, `NA` for none. */
  readonly lastOperation: string;
  /** Wall clock. */
  readonly established: number;
  /** -1 for none. */
  readonly lastCxid: number;
  /** -1 for none. */
  readonly lastZxid: number;
  /** Monotonic; 0 for none. */
  readonly lastResponseAt: number;
  readonly lastLatency: number;
  readonly minLatency: number;
  readonly avgLatency: number;
  readonly maxLatency: number;
}

/** The part of the configuration that commands show. */
export interface ConfView {
  /** -1 for none. */
  readonly clientPort: number;
  /** -1 for none. */
  readonly secureClientPort: number;
  /** Where clients connect without TLS; undefined if they cannot. */
  readonly clientAddress: { readonly host: string; readonly port: number } | undefined;
  /** `<dataDir>/version-2`. */
  readonly snapshotDir: string;
  /** `<dataLogDir>/version-2`. */
  readonly logDir: string;
  readonly tickTime: number;
  readonly maxClientCnxns: number;
  readonly minSessionTimeout: number;
  readonly maxSessionTimeout: number;
  /** -1 for the system's. */
  readonly clientPortListenBacklog: number;
  readonly serverId: number;
  /** zoo.cfg as it was read. */
  readonly text: string;
}

export interface DigestEntry {
  readonly zxid: number;
  readonly digest: bigint;
}

export interface SnapshotStream {
  readonly zxid: number;
  /** Bytes. */
  readonly size: number;
  /** Makes the stream; it is not called if only the snapshot is wanted. */
  readonly open: () => Readable;
}

export type CommandFailure = 'snapshotRateLimited' | 'snapshotFailed' | 'restoreRateLimited' | 'restoreFailed';

/** What became of the credentials of a command that needs all permissions on the root. */
export type Authorization = 'allowed' | 'not authenticated' | 'not authorized';

export interface ServerView {
  /** `<x.y.z-…>, built on <date>`. */
  readonly version: string;
  /** Whether clients are served: false during an election, and once the server has failed or is stopping. */
  readonly serving: boolean;
  /** Whether there is something to tell of: a leader that serves no clients is active. */
  readonly active: boolean;
  readonly readOnly: boolean;
  /** standalone, leader, follower, observer or read-only. */
  readonly state: string;
  readonly conf: ConfView;
  /** Undefined for a standalone server. */
  readonly ensemble: EnsembleView | undefined;
  /** Of gtmk and stmk; it is kept and shown, nothing more. */
  traceMask: bigint;

  counts(): Counts;
  /** A counter by Apache's name; undefined if the server does not count it. */
  counter(name: string): number | undefined;
  /** A series by Apache's name; undefined if the server does not measure it. */
  summary(name: string): SummaryView | undefined;
  /** Series kept for each key (a namespace, a server) by the name of their set; empty if the server does not measure it. */
  summarySet(name: string): Iterable<readonly [string, SummaryView]>;
  /** Numbers kept for each key by the name of their set: counters, and gauges as they are now. */
  numberSet(name: string): Iterable<readonly [string, number]>;
  /** Bytes on disk. */
  dirSizes(): { readonly snapshots: number; readonly logs: number };
  /** Zxid and time, in milliseconds since 1970; both negative if there is none. */
  lastSnapshot(): { readonly zxid: number; readonly at: number };
  /** Every 128th zxid with the digest of the tree, oldest first. */
  digests(): Iterable<DigestEntry>;

  connections(): Iterable<ConnectionView>;
  /**
   * Deadlines (monotonic milliseconds) with the ids of the sessions that end there, of those that this server ends: its local
   * ones, or the global ones, which a learner does not end.
   */
  expiryBuckets(which: 'local' | 'global'): Iterable<readonly [number, Iterable<bigint>]>;
  /** The global sessions with their timeouts in milliseconds. */
  globalSessions(): Iterable<readonly [bigint, number]>;
  ephemeralOwners(): Iterable<bigint>;
  ephemeralPaths(owner: bigint): Iterable<string>;
  /** Paths of the data-watch table with the sessions that watch; may be walked over several turns. */
  watchesByPath(): Iterable<readonly [string, Iterable<bigint>]>;
  readonly watchedPaths: number;
  readonly dataWatches: number;

  /** The wall clock's time at a monotonic one. */
  wallClock(monotonic: number): number;
  /** A word was answered: it counts as a packet sent. */
  onAnswered(): void;
  resetStats(): void;
  resetConnectionStats(): void;

  /** Why a write could not be served now; undefined if it could. */
  whyNotReady(): Promise<string | undefined>;
  /** @param header the value of the HTTP header Authorization: `<scheme> <token>` */
  authorize(header: string, remoteAddress: string, byCertificate: readonly Identity[]): Authorization;
  /** An admin command was refused, or failed: it counts in the metrics. */
  onCommandFailed(what: CommandFailure): void;
  /** Whether snapshots tell their last zxid, which snapshot and restore need. */
  readonly snapshotsTellZxid: boolean;
  /** Takes a snapshot. Absent if the server cannot. */
  snapshot?(): Promise<SnapshotStream>;
  /** Replaces the data by a snapshot's; resolves with its last zxid. Absent if the server cannot. */
  restore?(snapshot: Readable): Promise<number>;
}

/** Whether the server ends sessions that expire: one alone, and a leader. */
export function endsSessions({ ensemble }: ServerView): boolean {
  return ensemble === undefined || ensemble.part?.mode === 'leader';
}
