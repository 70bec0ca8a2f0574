// How much waits for the reader of a stream who does not come for it.

import type { UnreadLimit } from '@nodekeeper/client';
import { RecipeError } from './errors.js';
import type { Who } from './wait.js';

/** For values of which each takes the place of the one before: the oldest go. */
export const LATEST: UnreadLimit = { limit: 100 };

/** Changes that wait, and as many more as the recipe has nodes: all of them may change in one moment. */
const CHANGES = 10_000;

/** For changes, of which none can be left out: the stream ends with an Overflow. @param nodes how many there are, or were */
export function everyChange({ recipe, path }: Who, nodes: () => number): UnreadLimit {
  return {
    get limit() {
      return CHANGES + nodes();
    },
    overflow: (unread) => new RecipeError('Overflow', recipe, path, `${unread} changes were not read, and are dropped`),
  };
}
