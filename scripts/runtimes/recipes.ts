// A client that was got by `require` fits the recipes; compiled and never run.

import { type Client, connect } from '@nodekeeper/client';
import { Cache, InterProcessMutex } from '@nodekeeper/recipes';

export async function program(target: string): Promise<void> {
  const client: Client = await connect(target);
  const cache = await new Cache(client, '/a').start();
  for await (const { type } of cache.changes())
    if (type === 'state') await new InterProcessMutex(client, '/b').acquire();
}
