// A node that is made again when it goes.
import { connect } from '@nodekeeper/client';
import { PersistentNode, PersistentTtlNode } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using node = await new PersistentNode(client, '/workers/me', { data: 'ready' }).start();
const again = new Promise((resolve) => node.once('created', resolve));
await client.delete('/workers/me');
await again;
console.log(`it is there again: ${(await client.getData('/workers/me')).data}`);

await using lasting = await new PersistentTtlNode(client, '/leases/me', 60_000, {
  data: 'outlives me by a minute',
}).start();
console.log(String(lasting.data));
