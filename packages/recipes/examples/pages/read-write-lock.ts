// Many read, one writes; a writer goes on as a reader.
import { connect } from '@nodekeeper/client';
import { InterProcessReadWriteLock } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/locks/catalogue');
const [one, two] = await Promise.all([readLock.acquire(), readLock.acquire()]);
console.log(`writing meanwhile: ${(await writeLock.tryAcquire()) !== undefined}`);
await Promise.all([one.release(), two.release()]);

await using reading = await writeLock.run(() => readLock.acquire({ owner: 'me' }), { owner: 'me' });
console.log(`a downgraded writer reads: ${reading.isHeld}`);
