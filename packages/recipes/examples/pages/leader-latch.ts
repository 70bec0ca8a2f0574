// Leads as long as it is the first, and hears when that ends.
import { connect } from '@nodekeeper/client';
import { LeaderLatch } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using latch = new LeaderLatch(client, '/election/scheduler', { id: 'node-1' }).start();
latch.on('notLeader', () => console.log('leads no more'));
const { fencingToken, signal } = await latch.awaitLeadership({ timeout: 10_000 });
console.log(`leads with a token: ${fencingToken > 0}; over: ${signal.aborted}`);
await latch.handOver(); // to the next in line; here it is the same one again
await latch.awaitLeadership();
console.log((await latch.getParticipants()).map(({ id, isLeader }) => `${id}: ${isLeader}`).join());
