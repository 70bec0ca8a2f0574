// Queues of bytes, shared with ZooKeeper's recipe and with kazoo.
import { connect } from '@nodekeeper/client';
import { LockingQueue, Queue, SimpleDistributedQueue } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const simple = new SimpleDistributedQueue(client, '/queues/simple');
await simple.offer('one');
console.log(String(await simple.take({ timeout: 5000 })));

const queue = new Queue(client, '/queues/kazoo');
await queue.put('later', 200);
await queue.put('sooner', 50);
console.log(String(await queue.get()));

await using locking = new LockingQueue(client, '/queues/locking');
await locking.put('worked on before it goes');
await new Promise<void>((done) => locking.consume((item) => done(console.log(String(item)))));
