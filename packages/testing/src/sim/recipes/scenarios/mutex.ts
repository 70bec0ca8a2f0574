// A mutex: one holder at any time, tokens that grow, and no node left of those who gave up.

import { InterProcessMutex, isRecipeError } from '@nodekeeper/recipes';
import { HoldBook } from '../holds.js';
import type { Part, Scenario } from '../scenario.js';

const PATH = '/mutex';

export function mutexScenario(): Scenario {
  const book = new HoldBook('mutex');
  return {
    async play(part) {
      const { client, random } = part;
      const grace = random.pick([undefined, 0, Number.POSITIVE_INFINITY]);
      const mutex = new InterProcessMutex(client, PATH, { grace });
      while (!part.isOver()) {
        await turn(part, mutex);
        await part.sleep(random.between(0, 60));
      }
    },
    check: (decided) => book.check(decided),
    mayStay: (path) => path === PATH,
  };

  async function turn(part: Part, mutex: InterProcessMutex): Promise<void> {
    const { random } = part;
    const timeout = random.pick([undefined, 0, 50, 1000]);
    const owner = part.name;
    let hold: Awaited<ReturnType<typeof mutex.tryAcquire>>;
    try {
      hold = timeout === undefined ? await mutex.acquire({ owner }) : await mutex.tryAcquire({ owner, timeout });
    } catch (error) {
      if (!isRecipeError(error, 'Timeout')) throw error;
    }
    if (hold === undefined) return;
    const end = book.begin(part, hold);
    await part.sleep(random.between(0, 40));
    if (hold.isHeld && random.chance(0.3)) {
      // Again, by the same owner; unless the hold is lost meanwhile, it is the same one.
      const again = await mutex.acquire({ owner });
      const endAgain = again.fencingToken === hold.fencingToken ? () => {} : book.begin(part, again);
      endAgain();
      await again.release();
    }
    end();
    await hold.release();
  }
}
