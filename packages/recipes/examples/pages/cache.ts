// A subtree in memory, and what changes in it.
import { connect } from '@nodekeeper/client';
import { Cache, NodeCache, PathChildrenCache } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await client.create('/services/web/a', { data: 'one', createParents: true });
await using cache = await new Cache(client, '/services').start();
console.log(`${cache.size} nodes, ${cache.get('/services/web/a')?.data}`);

await using children = await new PathChildrenCache(client, '/services/web').start();
await using node = await new NodeCache(client, '/services/web/a').start();
const changes = cache.changes();
await client.setData('/services/web/a', 'two');
for await (const event of changes) {
  if (event.type !== 'changed') continue;
  console.log(`${event.node.path}: ${event.previous.data} became ${event.node.data}`);
  break;
}
console.log(`children: ${[...children.current.keys()].join()}; still there: ${node.current !== undefined}`);
