// Changes that are made on the value they were computed from.
import { connect } from '@nodekeeper/client';
import { DistributedAtomicLong, DistributedAtomicValue, jsonSerializer } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const visits = new DistributedAtomicLong(client, '/counters/visits', { promotedToLock: { path: '/counters/lock' } });
const { succeeded, preValue, postValue } = await visits.add(5);
console.log(`${succeeded}: ${preValue} became ${postValue}`);

const best = new DistributedAtomicValue(client, '/counters/best', jsonSerializer<{ name: string; points: number }>());
await best.update((before) => (before !== undefined && before.points > 7 ? before : { name: 'ada', points: 7 }));
console.log((await best.get())?.name);
