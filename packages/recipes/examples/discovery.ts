// Servers publish where they are, and a client finds one that is there.

import { connect } from '@nodekeeper/client';
import { NameService } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
const names = new NameService(client, '/examples/services');

await using found = await names.follow('eu/payments');
const changes = found.changes();
const one = await connect(servers);
await new NameService(one, '/examples/services').bind('eu/payments', '10.0.0.1:8080', { version: '1' });
await changes.next();
await using _two = await names.bind('eu/payments', '10.0.0.2:8080', { version: '2' });
await changes.next();
console.log(
  `in the service: ${found.addresses
    .map(({ address }) => address)
    .sort()
    .join(', ')}`,
);

await one.close(); // the process ends, and its address goes with its session
console.log(`after one has gone: ${(await changes.next()).value?.map(({ address }) => address).join()}`);
console.log(`names below eu: ${(await names.list('eu')).join()}`);
