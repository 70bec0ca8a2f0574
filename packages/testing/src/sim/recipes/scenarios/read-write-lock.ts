// A read-write lock: a writer is alone, readers are not in each other's way.

import { InterProcessReadWriteLock } from '@nodekeeper/recipes';
import { HoldBook } from '../holds.js';
import type { Scenario } from '../scenario.js';

const PATH = '/read-write';

export function readWriteLockScenario(): Scenario {
  const book = new HoldBook('read-write lock');
  return {
    async play(part) {
      const { client, random } = part;
      const lock = new InterProcessReadWriteLock(client, PATH, { grace: random.pick([undefined, 0]) });
      const owner = part.name;
      while (!part.isOver()) {
        const isReader = random.chance(0.4);
        const hold = await (isReader ? lock.readLock : lock.writeLock).acquire({ owner });
        const end = book.begin(part, hold, { shared: isReader });
        await part.sleep(random.between(0, 40));
        if (!isReader && random.chance(0.7)) {
          const reading = await lock.readLock.acquire({ owner });
          const endReading = book.begin(part, reading, { shared: true, heirOf: hold.path });
          end();
          await hold.release(); // a downgrade
          await part.sleep(random.between(0, 20));
          endReading();
          await reading.release();
        } else {
          end();
          await hold.release();
        }
        await part.sleep(random.between(0, 60));
      }
    },
    check: (decided) => book.check(decided),
    mayStay: (path) => path === PATH,
  };
}
