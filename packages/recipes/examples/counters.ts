// Counters that many change, ids that nobody else gets, and a number that all follow.

import { connect } from '@nodekeeper/client';
import { CachedAtomicLong, DistributedAtomicLong, SharedCount } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
await using other = await connect(servers);

const promotedToLock = { path: '/examples/visits-lock' };
const [mine, theirs] = [client, other].map((c) => new DistributedAtomicLong(c, '/examples/visits', { promotedToLock }));
await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? mine : theirs)?.increment()));
console.log(`visits: ${await mine?.get()}`);

const ids = new CachedAtomicLong(new DistributedAtomicLong(client, '/examples/ids'), 100);
console.log(`ids: ${await ids.next()}, ${await ids.next()}`);

await using limit = await new SharedCount(client, '/examples/limit', 5).start();
await using seen = await new SharedCount(other, '/examples/limit').start();
const changes = seen.changes();
await limit.setCount(8);
console.log(`the limit is now ${(await changes.next()).value?.value}`);
