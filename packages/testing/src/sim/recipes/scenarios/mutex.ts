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
      const grace = random.pick([undefined, undefined, undefined, 0, Number.POSITIVE_INFINITY]);
      const waitsForTheServer = grace === Number.POSITIVE_INFINITY;
      const mutex = new InterProcessMutex(client, PATH, { grace });
      while (!part.isOver()) {
        await turn(part, mutex, waitsForTheServer);
        await part.sleep(random.between(0, 60));
      }
    },
    check: (decided) => book.check(decided),
    mayStay: (path) => path === PATH,
  };

  async function turn(part: Part, mutex: InterProcessMutex, waitsForTheServer: boolean): Promise<void> {
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
    const end = book.begin(part, hold, { waitsForTheServer });
    await part.sleep(random.chance(0.15) ? random.between(0, 5000) : random.between(0, 40));
    if (hold.isHeld && random.chance(0.3)) {
      const again = await mutex.acquire({ owner });
      await again.release();
    }
    end();
    await hold.release();
  }
}
