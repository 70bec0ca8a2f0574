// A double barrier, a new one for each round: nobody is inside before all have begun to enter, and all get out again.

import { DistributedDoubleBarrier, isRecipeError } from '@nodekeeper/recipes';
import type { Finding } from '../../checks.js';
import type { Scenario } from '../scenario.js';

const PATH = '/double-barrier';
const MEMBERS = 2;

export function doubleBarrierScenario(): Scenario {
  const findings: Finding[] = [];
  /** Who has begun to enter, by round. */
  const entering = new Map<number, Set<string>>();
  return {
    async play(part) {
      const { client, name, random } = part;
      if (name > `c${MEMBERS}`) return;
      for (let round = 0; !part.isOver(); round++) {
        const barrier = new DistributedDoubleBarrier(client, `${PATH}/${round}`, MEMBERS);
        entering.set(round, (entering.get(round) ?? new Set()).add(name));
        // Once it is over, or if the other has died, nobody else may come.
        const timeout = random.between(2000, 8000);
        if (!(await passes(() => barrier.enter({ timeout })))) return;
        if (entering.get(round)?.size !== MEMBERS)
          findings.push({ kind: 'barrier', message: `${name} is alone in ${round}` });
        await part.sleep(random.between(0, 50));
        if (!(await passes(() => barrier.leave({ timeout })))) return;
      }
    },
    check: () => findings,
    mayStay: (path) => path === PATH || /^\/double-barrier\/\d+(\/ready)?$/.test(path),
  };
}

async function passes(step: () => Promise<void>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (!isRecipeError(error, 'Timeout')) throw error;
    return false;
  }
}
