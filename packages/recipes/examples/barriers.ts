// Three workers begin a job together and end it together.

import { connect } from '@nodekeeper/client';
import { DistributedBarrier, DistributedDoubleBarrier } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
const gate = new DistributedBarrier(client, '/examples/gate');
await gate.setBarrier();

const work = [1, 2, 3].map(async (worker) => {
  await using own = await connect(servers);
  await new DistributedBarrier(own, '/examples/gate').waitOnBarrier();
  const barrier = new DistributedDoubleBarrier(own, '/examples/job', 3);
  await barrier.enter();
  console.log(`worker ${worker} works`);
  await barrier.leave();
});
console.log('the gate is opened');
await gate.removeBarrier();
await Promise.all(work);
console.log('all have done their work');
