// A counter: every increment that is told to be made is made once, and no number is given twice.

import { isKeeperError } from '@nodekeeper/client';
import { DistributedAtomicLong, int64Serializer } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import type { Scenario } from '../scenario.js';

const PATH = '/counter';
const LOCK = '/counter-lock';

export function counterScenario(): Scenario {
  const numbers = new Map<bigint, string>();
  const twice: Finding[] = [];
  /** Increments of which it is not known whether they were made: also those that nobody was told of. */
  let unknown = 0;
  return {
    async play(part) {
      const { client, random } = part;
      const counter = new DistributedAtomicLong(client, PATH, { promotedToLock: { path: LOCK } });
      while (!part.isOver()) {
        unknown++; // until it is known
        try {
          const { succeeded, postValue } = await counter.increment();
          unknown--;
          if (succeeded && postValue !== undefined) given(part.name, postValue);
        } catch (error) {
          if (!isKeeperError(error)) throw error;
          if (!error.outcomeUnknown) unknown--;
        }
        await part.sleep(random.between(0, 40));
      }
    },
    *check({ model }) {
      yield* twice;
      const node = model.nodes.get(PATH);
      const value = Number(node === undefined ? 0n : int64Serializer.deserialize(node.data));
      if (value < numbers.size || value > numbers.size + unknown)
        yield {
          kind: 'counter',
          message: `it is ${value} after ${numbers.size} increments and ${unknown} of which nobody knows`,
        };
    },
    mayStay: (path) => path === PATH || path === LOCK,
  };

  function given(who: string, value: bigint): void {
    const other = numbers.get(value);
    if (other !== undefined) twice.push({ kind: 'counter', message: `${other} and ${who} have counted to ${value}` });
    numbers.set(value, who);
  }
}
