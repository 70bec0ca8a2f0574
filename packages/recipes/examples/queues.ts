// Jobs are put by one process and worked on by others, each job at least once, the urgent ones first.

import { connect } from '@nodekeeper/client';
import { DistributedPriorityQueue, jsonSerializer } from '@nodekeeper/recipes';

interface Job {
  readonly task: string;
}

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
const options = { lockPath: '/examples/jobs-locks', maxItems: 1000 };
await using queue = new DistributedPriorityQueue(client, '/examples/jobs', jsonSerializer<Job>(), options);
queue.on('error', (error) => console.log(`told: ${error instanceof Error ? error.message : error}`));
await queue.put({ task: 'sweep the floor' }, 10);
await queue.put({ task: 'put out the fire' }, 1);
await queue.putMulti([{ task: 'buy bread' }, { task: 'buy milk' }], 5);

let attempts = 0;
const done: string[] = [];
await new Promise<void>((finish) => {
  queue.consume(({ task }) => {
    if (task === 'sweep the floor' && attempts++ === 0) throw new Error('no broom'); // it is put again
    console.log(`done: ${task}`);
    done.push(task);
    if (done.length === 4) finish();
  });
});
