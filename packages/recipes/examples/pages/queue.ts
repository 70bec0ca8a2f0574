// Items are put by some and consumed by others, each at least once.
import { connect } from '@nodekeeper/client';
import { DistributedQueue, jsonSerializer } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const options = { lockPath: '/queues/mail-locks' };
await using queue = new DistributedQueue(client, '/queues/mail', jsonSerializer<{ to: string }>(), options);
await queue.put({ to: 'ada' });
await queue.putMulti([{ to: 'alan' }, { to: 'grace' }]);

let sent = 0;
await new Promise<void>((finish) => {
  queue.consume(({ to }, { signal }) => {
    if (signal.aborted) return; // another consumer may have it by now
    console.log(`mail to ${to}`);
    if (++sent === 3) finish();
  });
});
