// A gate that is closed and opened.
import { connect } from '@nodekeeper/client';
import { DistributedBarrier } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const barrier = new DistributedBarrier(client, '/barriers/maintenance');
await barrier.setBarrier();
const waiting = barrier.waitOnBarrier({ timeout: 10_000 });
await barrier.removeBarrier();
await waiting;
console.log('the gate is open');
