// A connection that ends with very many watches: others are served while they are removed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

const COUNT = 80_000;

test('watches of who is gone go bit by bit, and all of them', async (t) => {
  const { clientPort, server } = await serve(t);
  const [gone, other] = [await RawClient.open(t, clientPort), await RawClient.open(t, clientPort)];
  const { watches } = server.database.tree;
  const none: readonly string[] = [];
  const exist = Array.from({ length: COUNT }, (_, i) => `/${i}`);
  const set = await gone.request(OpCode.setWatches, (w) => {
    w.long53(0);
    for (const list of [none, exist, none]) w.vector(list, (x, path) => x.string(path));
  });
  assert.equal(set.error, 0);
  await other.getData('/', true);
  assert.equal(watches.count, COUNT + 1);
  gone.socket.destroy();
  await until(() => server.port.connections.size === 1);
  assert.ok(watches.count > COUNT / 2, 'not all at once');
  assert.equal((await other.create('/79999')).error, 0);
  await until(() => watches.count <= 1);
  assert.equal((await other.create('/x')).error, 0);
  assert.equal(watches.count, 1);
});
