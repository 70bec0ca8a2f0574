// Two members begin together and end together.
import { connect } from '@nodekeeper/client';
import { DistributedDoubleBarrier } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const members = [1, 2].map(() => new DistributedDoubleBarrier(client, '/barriers/job', 2));
await Promise.all(members.map((member) => member.enter({ timeout: 10_000 })));
console.log('both are in');
await Promise.all(members.map((member) => member.leave()));
console.log('both are out');
