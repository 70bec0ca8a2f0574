// What leader and learner tell of, to be counted.

export interface BroadcastStats {
  /** The leader proposes a transaction. */
  onProposal(bytes: number): void;
  /** A proposal is committed, so many milliseconds after it was made. */
  onCommit(ms: number): void;
  /** A server has acknowledged a proposal that is not committed, so many milliseconds after it was made. */
  onAck(id: number, ms: number): void;
  /** A learner is sent what it lacks: transactions, or a snapshot. */
  onCaughtUp(by: 'diff' | 'snapshot'): void;
  /** A learner asks whether a session is alive. */
  onRevalidation(): void;
  /** A learner hears of a proposal, which was made at a time. Milliseconds since 1970. */
  onProposalReceived(madeAt: number, now: number): void;
  /** A learner hears of a commit, likewise. */
  onCommitReceived(madeAt: number, now: number): void;
}
