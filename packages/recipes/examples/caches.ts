// A subtree is followed in memory, with every change.

import { connect } from '@nodekeeper/client';
import { Cache, jsonSerializer } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await client.ensurePath('/examples/stock');
await client.create('/examples/stock/apples', { data: '{"count":3}' });

const serializer = jsonSerializer<{ readonly count: number }>();
await using cache = await new Cache(client, '/examples/stock', { maxDepth: 1, serializer }).start();
console.log(`apples: ${cache.get('/examples/stock/apples')?.value.count}`);

const changes = cache.changes();
await client.create('/examples/stock/pears', { data: '{"count":5}' });
await client.setData('/examples/stock/apples', '{"count":2}');
await client.delete('/examples/stock/pears');
for await (const event of changes) {
  if (event.type === 'created') console.log(`${event.node.path} is new`);
  if (event.type === 'changed')
    console.log(`${event.node.path}: ${event.previous.value.count} to ${event.node.value.count}`);
  if (event.type === 'deleted' && event.node.path.endsWith('pears')) break;
}
console.log(`left: ${cache.childNames('/examples/stock').join()}`);
