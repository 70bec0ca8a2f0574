// Elections, by latch and by selector: one leader at any time, and always another one.

import { isRecipeError, LeaderLatch, LeaderSelector } from '@nodekeeper/recipes';
import { HoldBook } from '../holds.js';
import type { Part, Scenario } from '../scenario.js';

const LATCH = '/latch';
const SELECTOR = '/selector';

export function latchScenario(): Scenario {
  const book = new HoldBook('latch');
  return {
    async play(part) {
      const { client, random } = part;
      while (!part.isOver()) {
        const latch = new LeaderLatch(client, LATCH, { id: part.name });
        let end = (): void => {};
        latch.on('isLeader', (leadership) => {
          end = book.begin(part, leadership);
        });
        latch.start();
        while (!part.isOver() && !random.chance(0.3)) {
          await leads(part, latch);
          await part.sleep(random.between(0, 60));
          end();
          await latch.handOver();
        }
        end();
        await latch.close();
      }
    },
    check: (decided) => book.check(decided),
    mayStay: (path) => path === LATCH,
  };
}

async function leads({ random }: Part, latch: LeaderLatch): Promise<void> {
  try {
    await latch.awaitLeadership({ timeout: random.between(50, 2000) });
  } catch (error) {
    if (!isRecipeError(error, 'Timeout')) throw error;
  }
}

export function selectorScenario(): Scenario {
  const book = new HoldBook('selector');
  return {
    async play(part) {
      const { client, random } = part;
      const lead: ConstructorParameters<typeof LeaderSelector>[2] = async (leadership) => {
        const end = book.begin(part, leadership);
        await part.sleep(random.between(0, 60));
        end();
      };
      await using selector = new LeaderSelector(client, SELECTOR, lead, { id: part.name, autoRequeue: true });
      selector.start();
      while (!part.isOver()) await part.sleep(50);
    },
    check: (decided) => book.check(decided),
    mayStay: (path) => path === SELECTOR,
  };
}
