// What a server counts of elections and broadcast: plain numbers and series, nothing that a request would have to pay for.

import type { BroadcastStats } from './broadcast/stats.js';
import { Summary } from './server-stats.js';

/** The counters. */
function counts() {
  return {
    /** Elections that were begun. */
    looking: 0,
    /** Times that this server gave up leading as a voter had turned away. */
    disloyalVoters: 0,
    proposals: 0,
    commits: 0,
    /** Learners that were brought up to date by transactions. */
    diffs: 0,
    /** Learners that were sent a snapshot. */
    snapshots: 0,
    revalidations: 0,
    learnerProposals: 0,
    learnerCommits: 0,
  };
}

/** Counts of one server, over all its roles. Times in milliseconds. */
export class EnsembleStats implements BroadcastStats {
  readonly counts = counts();
  /** From the beginning of an election to its end. */
  readonly electionTime = new Summary();
  /** Without a quorum, up to the time when clients are served. */
  readonly unavailableTime = new Summary();
  readonly leaderUnavailableTime = new Summary();
  /** From the connection to the leader to the time when clients are served. */
  readonly followerSyncTime = new Summary();
  readonly observerSyncTime = new Summary();
  /** From a proposal to its acknowledgement by each server. */
  readonly ackLatency = new Map<number, Summary>();
  /** From a proposal to its acknowledgement by a quorum. */
  readonly quorumAckLatency = new Summary();
  /** From the making of a transaction to the time when a learner hears of it, and of its commit. */
  readonly proposalLatency = new Summary();
  readonly commitPropagationLatency = new Summary();
  /** Bytes of the transactions that were proposed by this leader; -1 before the first. */
  lastProposalSize = -1;
  minProposalSize = -1;
  maxProposalSize = -1;

  onProposal(bytes: number): void {
    this.counts.proposals++;
    this.lastProposalSize = bytes;
    if (bytes > this.maxProposalSize) this.maxProposalSize = bytes;
    if (this.minProposalSize < 0 || bytes < this.minProposalSize) this.minProposalSize = bytes;
  }

  onCommit(ms: number): void {
    this.counts.commits++;
    this.quorumAckLatency.add(ms);
  }

  onAck(id: number, ms: number): void {
    let series = this.ackLatency.get(id);
    if (series === undefined) {
      series = new Summary();
      this.ackLatency.set(id, series);
    }
    series.add(ms);
  }

  onCaughtUp(by: 'diff' | 'snapshot'): void {
    if (by === 'diff') this.counts.diffs++;
    else this.counts.snapshots++;
  }

  onRevalidation(): void {
    this.counts.revalidations++;
  }

  onProposalReceived(madeAt: number, now: number): void {
    this.counts.learnerProposals++;
    this.proposalLatency.addSince(madeAt, now);
  }

  onCommitReceived(madeAt: number, now: number): void {
    this.counts.learnerCommits++;
    this.commitPropagationLatency.addSince(madeAt, now);
  }

  /** Sizes of proposals are those of one term. */
  resetProposalSizes(): void {
    this.lastProposalSize = -1;
    this.minProposalSize = -1;
    this.maxProposalSize = -1;
  }

  reset(): void {
    Object.assign(this.counts, counts());
    for (const value of Object.values(this)) if (value instanceof Summary) value.reset();
    this.ackLatency.clear();
    this.resetProposalSizes();
  }
}
