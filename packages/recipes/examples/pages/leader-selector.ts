// Leading is a function: it is called when this one leads, and its end gives the leadership on.
import { connect } from '@nodekeeper/client';
import { LeaderSelector } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await new Promise<void>((done) => {
  const selector = new LeaderSelector(
    client,
    '/election/backup',
    async ({ fencingToken, signal }) => {
      if (signal.aborted) return;
      await client.create('/backup', { data: String(fencingToken) });
      done();
    },
    { id: 'node-1' },
  );
  selector.on('error', (error) => console.error(error));
  selector.start();
});
console.log('the backup was made by the leader');
