// Members, their state and load.
import { connect } from '@nodekeeper/client';
import { Cluster } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using cluster = await new Cluster(client, '/cluster', { id: 'node-1', report: { load: 0.4 } }).start();
const changes = cluster.changes();
await cluster.report({ state: 'draining', load: 0.1 });
for await (const change of changes) {
  if (change.type !== 'updated') continue;
  console.log(`${change.member.id} is ${change.member.state}, load ${change.member.load}`);
  break;
}
console.log(`ready: ${cluster.leastLoaded()?.id ?? 'nobody'}`);
