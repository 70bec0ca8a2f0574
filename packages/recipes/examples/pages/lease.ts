// A job that stays on one machine for an hour, and moves if that machine is gone.
import { connect } from '@nodekeeper/client';
import { MultiNonBlockingLease, NonBlockingLease } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const lease = new NonBlockingLease(client, '/leases/cleanup', 70 * 60_000, { identifier: 'host-1' });
const term = await lease.obtain();
console.log(`cleans up for an hour: ${term !== undefined}`);

const other = new NonBlockingLease(client, '/leases/cleanup', 70 * 60_000, { identifier: 'host-2' });
console.log(`another host: ${(await other.obtain()) !== undefined}`);
const two = new MultiNonBlockingLease(client, 2, '/leases/report', 60_000, { identifier: 'host-2' });
console.log(`one of two: ${(await two.obtain())?.path}`);
