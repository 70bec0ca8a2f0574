// The server with the fewest clients.
import { connect } from '@nodekeeper/client';
import { LoadBalancer } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using balancer = await new LoadBalancer(client, '/balancer').start();
await using _offer = await balancer.offer('a', '10.0.0.1:80');
await using assignment = await balancer.choose({ timeout: 10_000 });
console.log(`goes to ${assignment.server.address}`);
