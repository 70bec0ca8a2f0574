// One owner at a time, for as long as the block runs.
import { connect } from '@nodekeeper/client';
import { InterProcessMutex } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const lock = new InterProcessMutex(client, '/locks/report');
await lock.run(async ({ fencingToken, signal }) => {
  await client.create('/report', { data: `written under ${fencingToken}` });
  signal.throwIfAborted(); // before what must not be done without the lock
});

const hold = await lock.tryAcquire({ timeout: 1000 });
console.log(hold === undefined ? 'somebody else has it' : `held by ${hold.path}`);
await hold?.release();
