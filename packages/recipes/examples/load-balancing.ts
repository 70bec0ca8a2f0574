// Clients spread over servers by how many each has.

import { connect } from '@nodekeeper/client';
import { LoadBalancer } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
await using balancer = await new LoadBalancer(client, '/examples/workers').start();
await using _small = await balancer.offer('small', '10.0.0.1:80', 1);
await using _large = await balancer.offer('large', '10.0.0.2:80', 3);
while (balancer.servers.length < 2) await new Promise<void>((seen) => balancer.once('change', () => seen()));

const assignments = [];
for (let i = 0; i < 8; i++) assignments.push(await balancer.choose());
for (const { id, clients } of balancer.servers) console.log(`${id} has ${clients} clients`);
await Promise.all(assignments.map((assignment) => assignment.release()));
