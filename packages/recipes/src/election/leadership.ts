// What a leader has in hand.

import type { Tenure } from '../base/tenure.js';

export interface Leadership {
  /** zxid of the election node: every later leader has a greater one. Give it along with all that is done as the leader. */
  readonly fencingToken: number;
  /** The election node. */
  readonly path: string;
  /** Aborted when it may be over: lost, handed over, or closed. Stop then. */
  readonly signal: AbortSignal;
}

export function leadershipOf(tenure: Tenure): Leadership {
  const { path, token } = tenure.seat;
  return { fencingToken: token, path, signal: tenure.over };
}
