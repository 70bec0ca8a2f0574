// Names that stand for addresses.
import { connect } from '@nodekeeper/client';
import { NameService } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const names = new NameService(client, '/names');
await using followed = await names.follow('eu/db');
followed.on('change', (addresses) => console.log(`${addresses.length} addresses`));
const binding = await names.bind('eu/db', '10.0.0.7:5432', { role: 'main' });
console.log((await names.resolve('eu/db')).map(({ address, metadata }) => `${address} ${metadata.role}`).join());
await binding.close();
