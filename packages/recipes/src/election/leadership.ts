// What a leader has in hand.

import { RecipeError } from '../base/errors.js';
import type { Tenure } from '../base/tenure.js';

export interface Leadership {
  /** zxid of the election node: every later leader has a greater one. Give it along with all that is done as the leader. */
  readonly fencingToken: number;
  /** The election node. */
  readonly path: string;
  /** Aborted when it may be over: with a `Lost` error, or with `Closed` if it was given up here. Stop then. */
  readonly signal: AbortSignal;
}

export function leadershipOf(tenure: Tenure): Leadership {
  const { path, token } = tenure.seat;
  return { fencingToken: token, path, signal: tenure.over };
}

/** The reason of a leadership's signal when it ends by the participant's own will. */
export function givenUp(recipe: string, path: string): RecipeError {
  return new RecipeError('Closed', recipe, path, 'the leadership was given up');
}
