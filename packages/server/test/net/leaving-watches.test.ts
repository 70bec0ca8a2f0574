// Connections with very many watches: others are served while those of one that ends are removed, and all together have a bound.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, OpCode } from '@nodekeeper/protocol';
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

test('who watches most is let go once all watch more than there is memory for, and nobody else', async (t) => {
  const { clientPort, server } = await serve(t);
  const { port } = server;
  port.mostWatched = 4_000_000;
  const [much, few, later] = await Promise.all([1, 2, 3].map(() => RawClient.open(t, clientPort)));
  const watch = (client: RawClient | undefined, name: string) =>
    client?.send(OpCode.exists, (w) => w.string(`/${name.repeat(500_000)}`).bool(true));
  watch(few, 'f');
  assert.equal((await few?.reply())?.error, ErrorCode.NoNode);
  for (const name of 'abcdefgh') watch(much, name);
  await much?.closed();
  await until(() => port.connections.size === 2);
  for (const name of 'abcdef') {
    watch(later, name);
    assert.equal((await later?.reply())?.error, ErrorCode.NoNode);
  }
  const { watches } = server.database.tree;
  await until(() => watches.count === 7);
  assert.ok(watches.bytes > 3_500_000 && watches.bytes < port.mostWatched, `${watches.bytes} bytes`);
  assert.equal((await few?.ping())?.error, 0);
});
