// Several locks, all or none.
import { connect } from '@nodekeeper/client';
import { InterProcessMultiLock } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const both = new InterProcessMultiLock(client, ['/accounts/a-lock', '/accounts/b-lock']);
await using hold = await both.acquire({ timeout: 10_000 });
console.log(`tokens: ${hold.fencingTokens.length}, held: ${hold.isHeld}`);
