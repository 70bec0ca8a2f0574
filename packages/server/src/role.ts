// What a server of an ensemble is, between two elections: a leader or a learner.

import type { EnsemblePart } from './ensemble-view.js';

export interface Role extends EnsemblePart {
  /** Whether it has a quorum's leader and its history, so that clients may be served. */
  readonly serving: boolean;
  /** To follow the leader that was found once more would end alike. */
  readonly endsAlike: boolean;
  /** It was elected to lead, and too few came to follow. */
  readonly unfollowed: boolean;
  /** The leader let it go before it sent anything of its history. */
  readonly turnedAway: boolean;
  /**
   * Whether the history of its epoch tells of each session that has moved, so that connections may go on with the next leader: one
   * that its client has left could be taken for the newer one.
   */
  readonly tellsOfMoves: boolean;
  /** What it waits for while it does not serve. */
  readonly waitsFor: string;
  /** The log holds everything up to a zxid. */
  onDurable(zxid: number): void;
  /** Takes no more requests; resolves when what was begun is finished, or is taking too long. */
  finish(): Promise<void>;
  /** Ends it: the server is told, and looks for its next one. */
  stop(reason: string): void;
}

/** Entries that the log holds, and that were not committed yet: they are part of the history until a leader says otherwise. */
export interface LoggedEntry {
  readonly zxid: number;
  readonly entry: Buffer;
}
