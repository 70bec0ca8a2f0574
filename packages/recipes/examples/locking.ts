// Five workers use something that only one may use at a time.

import { connect } from '@nodekeeper/client';
import { InterProcessMutex } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
let users = 0;

/** Refuses to be used by two at once, and by holders of older locks. */
function useResource(worker: number, token: number, highest: { token: number }): void {
  if (users > 0) throw new Error('used by two at once');
  if (token < highest.token) throw new Error('a lock that is over was used');
  highest.token = token;
  console.log(`worker ${worker} uses the resource`);
}

const highest = { token: 0 };
await Promise.all(
  [1, 2, 3, 4, 5].map(async (worker) => {
    await using client = await connect(servers);
    const lock = new InterProcessMutex(client, '/examples/lock');
    for (let turn = 0; turn < 2; turn++) {
      await lock.run(async ({ fencingToken, signal }) => {
        useResource(worker, fencingToken, highest);
        users++;
        await client.sync('/examples/lock'); // the work; it ends early if the signal is aborted
        signal.throwIfAborted();
        users--;
      });
    }
  }),
);
console.log('each worker had its turns, one at a time');
