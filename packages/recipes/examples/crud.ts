// Nodes are created, read, written and deleted; several changes are made together; a change by others is noticed.

import { connect, isKeeperError, nextEvent } from '@nodekeeper/client';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');

const { path, stat } = await client.create('/shop/price', { data: '10', createParents: true });
console.log(`created ${path} in transaction ${stat.czxid}`);

const read = await client.getData('/shop/price');
await client.setData('/shop/price', String(Number(read.data) + 1), { version: read.stat.version });
await client.setData('/shop/price', '99', { version: read.stat.version }).catch((error) => {
  if (!isKeeperError(error, 'BadVersion')) throw error;
  console.log('somebody else had changed the price: nothing was overwritten');
});

const [made, written] = await client
  .transaction()
  .create('/shop/offer', { data: 'half price' })
  .setData('/shop/price', '5')
  .commit();
console.log(`${made.path} and version ${written.version} of the price came at once`);

const change = nextEvent();
await client.exists('/shop/offer', { watcher: change.watcher });
await client.delete('/shop/offer');
console.log(`told: ${(await change.event).type}`);
console.log(`deleted ${await client.deleteRecursive('/shop')} nodes`);
