// A holder that gives the lock back when it is asked to.
import { connect } from '@nodekeeper/client';
import { attemptRevoke, InterProcessMutex, type LockHold } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
let hold: LockHold | undefined;
const lock = new InterProcessMutex(client, '/locks/long-job', { onRevoke: () => void hold?.release() });
hold = await lock.acquire();

const [holder] = await lock.getParticipantNodes();
if (holder !== undefined) await attemptRevoke(client, holder);
const next = await lock.acquire({ timeout: 10_000 });
console.log('given back on request');
await next.release();
