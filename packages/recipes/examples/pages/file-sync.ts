// A file that holds what a node holds.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nodekeeper/client';
import { FileSync } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await client.create('/files/motd', { data: 'hello', createParents: true });
const file = join(tmpdir(), `motd-${process.pid}`);
await using sync = await new FileSync(client, '/files/motd', file, { onReload: () => console.log('reload') }).start();
const written = new Promise((resolve) => sync.once('synced', resolve));
await client.setData('/files/motd', 'good bye');
await written;
console.log(readFileSync(file, 'utf8'));
rmSync(file);
