// What serves learners: the leader, or a follower that serves observers in its place (observer-master.ts).

import type { ForeignRequest } from '../request/originating.js';
import type { Runtime } from '../runtime.js';
import type { LearnerHandler } from './learner-handler.js';
import type { Outbox } from './packet-link.js';
import type { PacketTrace } from './packet-trace.js';
import type { RecentProposals } from './recent-proposals.js';
import type { BodySource } from './snapshot-stream.js';
import type { BroadcastStats } from './stats.js';
import type { SyncKind, SyncLimits } from './sync-limits.js';

/** The log on disk, read from some zxid on. */
export interface LogCursor {
  /** The next transaction, or undefined at the end of what is written. */
  next(): { readonly zxid: number; readonly entry: Buffer } | undefined;
  /** Something that is neither a transaction nor the end stands before what follows. */
  readonly damaged: boolean;
  close(): void;
}

/** The history that learners are brought to, and the server that has it. */
export interface HistoryHost {
  readonly id: number;
  readonly runtime: Pick<Runtime, 'after' | 'every' | 'now' | 'soon'>;
  readonly outbox: Outbox;
  readonly tickTime: number;
  readonly initLimit: number;
  readonly syncLimit: number;
  /** The largest packet, in bytes. */
  readonly maxPacket: number;
  readonly recent: RecentProposals;
  readonly stats: BroadcastStats;
  readonly acceptedEpoch: number;
  /** Of the last transaction that is in the tree. */
  readonly lastZxid: number;
  readonly logAllowed: boolean;
  readonly forceSnapshotSync: boolean;
  /** Learners that may be brought up to date at once, each way. */
  readonly mostSyncs: Readonly<Record<SyncKind, number>>;
  readonly configVersion: number;
  /** The text that NEWLEADER carries. */
  configText(): string;
  /** The tree as a snapshot begins now. */
  snapshotBody(): BodySource & { readonly zxid: number; end(): void };
  /** The log from a transaction on, or undefined where it does not reach back that far or is too long. */
  logAfter(zxid: number): LogCursor | undefined;
  /** Whether a snapshot on disk holds transactions above a zxid and below another. */
  holdsBetween(above: number, below: number): boolean;
  /** What keeps the packets of a connection; undefined for nothing. */
  newTrace?(): PacketTrace | undefined;
  guard(action: () => void): void;
  info(message: string): void;
  warn(message: string): void;
}

/** What a {@link LearnerHandler} asks for. */
export interface LearnerMaster {
  readonly host: HistoryHost;
  readonly epoch: number;
  /** Whether it refuses learners that acknowledge proposals. */
  readonly observersOnly: boolean;
  /** Whether the history tells of each session that moves: Apache's leaders have it tell of none. */
  readonly tellsOfMoves: boolean;
  readonly syncLimits: SyncLimits;
  /** Learners that the log on disk could not bring up to date. */
  readonly needSnapshot: Set<number>;
  /** The last zxid that learners may have been told of. */
  readonly lastProposed: number;
  /** Proposals that are not committed, oldest first. */
  uncommitted(): Iterable<{ readonly zxid: number; readonly entry: Buffer }>;

  /** A learner shows the epoch that it accepted last. */
  promise(handler: LearnerHandler): void;
  /** A learner shows its history. */
  confirm(handler: LearnerHandler): void;
  /** A learner has the history on its disk. */
  follow(handler: LearnerHandler): void;
  /** A learner has everything up to a zxid on its disk. Returns what is wrong with that. */
  acked(handler: LearnerHandler, zxid: number): string | undefined;
  left(handler: LearnerHandler, reason: string): void;

  touch(session: bigint, timeout: number): void;
  /**
   * {@link LearnerHandler.answerRevalidation} follows.
   * @param ifFree not if the session is at home elsewhere by now
   */
  revalidate(handler: LearnerHandler, session: bigint, timeout: number, ifFree: boolean): void;
  /** {@link LearnerHandler.answerSync} follows. */
  sync(handler: LearnerHandler, request: ForeignRequest): void;
  submit(handler: LearnerHandler, request: ForeignRequest): void;
}
