// Queues that members divide among them.
import { connect } from '@nodekeeper/client';
import { SetPartitioner } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await new Promise<void>((done) => {
  const work = async (items: readonly string[], signal: AbortSignal): Promise<void> => {
    console.log(`works on ${items.join()}`);
    if (!signal.aborted) done();
  };
  const options = { identifier: 'member-1', timeBoundary: 100 };
  void new SetPartitioner(client, '/partition', ['queue-a', 'queue-b'], work, options).start();
});
