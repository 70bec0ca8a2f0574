// Several queues as one.
import { connect } from '@nodekeeper/client';
import { DistributedQueue, QueueSharder, stringSerializer } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using sharder = await new QueueSharder(client, '/shards', '/shards-leader', (path) => {
  const queue = new DistributedQueue(client, path, stringSerializer);
  queue.consume((item) => console.log(`consumed ${item}`)); // in a process that consumes
  return queue;
}).start();
await sharder.getQueue().put('an item');
while ((await sharder.getQueue().size()) > 0);
