// The members of a cluster: their state and load, who came and who went.

import { connect } from '@nodekeeper/client';
import { Cluster } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
await using console_ = await new Cluster(client, '/examples/cluster').start();
const changes = console_.changes();
async function next(): Promise<void> {
  const { value } = await changes.next();
  if (value !== undefined && 'member' in value) {
    const { id, state, load } = value.member;
    console.log(`${id} ${value.type}: ${state}, load ${load}`);
  }
}

const one = await connect(servers);
await using two = await connect(servers);
await new Cluster(one, '/examples/cluster', { id: 'one', report: { load: 0.2 } }).start();
await next();
const member = await new Cluster(two, '/examples/cluster', { id: 'two', report: { load: 0.9 } }).start();
await next();
console.log(`room is on ${console_.leastLoaded()?.id}`);
await member.report({ state: 'draining' });
await next();
await one.close();
await next();
console.log(`left: ${[...console_.members.keys()].join()}`);
