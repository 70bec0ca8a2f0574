// At most three at a time; the limit can be a shared count.
import { connect } from '@nodekeeper/client';
import { InterProcessSemaphoreV2 } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const semaphore = new InterProcessSemaphoreV2(client, '/locks/licences', 3);
const leases = await semaphore.acquireMany(3);
console.log(`a fourth: ${(await semaphore.tryAcquire()) !== undefined}`);
await leases[0]?.release();
await using lease = await semaphore.acquire({ timeout: 5000 });
console.log(`now there is one: ${lease.isHeld}`);
await Promise.all(leases.slice(1).map((one) => one.release()));
