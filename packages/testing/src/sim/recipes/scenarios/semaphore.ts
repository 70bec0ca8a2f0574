// A semaphore: no more holders than its limit.

import { InterProcessSemaphoreV2 } from '@nodekeeper/recipes';
import { HoldBook } from '../holds.js';
import type { Scenario } from '../scenario.js';

const PATH = '/semaphore';
const LIMIT = 2;

export function semaphoreScenario(): Scenario {
  const book = new HoldBook('semaphore', LIMIT);
  return {
    async play(part) {
      const { client, random } = part;
      const semaphore = new InterProcessSemaphoreV2(client, PATH, LIMIT);
      while (!part.isOver()) {
        const timeout = random.pick([undefined, 200]);
        const lease = timeout === undefined ? await semaphore.acquire() : await semaphore.tryAcquire({ timeout });
        if (lease !== undefined) {
          const end = book.begin(part, lease);
          await part.sleep(random.between(0, 60));
          end();
          await lease.release();
        }
        await part.sleep(random.between(0, 60));
      }
    },
    check: (decided) => book.check(decided),
    mayStay: (path) => [PATH, `${PATH}/locks`, `${PATH}/leases`].includes(path),
  };
}
