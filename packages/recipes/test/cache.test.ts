// Caches: equal to the server's tree, told of every kind of change, through gaps and sessions.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { type Client, ErrorCode, KeeperError } from '@nodekeeper/client';
import { startServer } from '@nodekeeper/testing';
import { Cache, isRecipeError, jsonSerializer, NodeCache, PathChildrenCache, TreeCache } from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, expire, leftovers, open, serve, until } from './support.js';

/** What the server has below and at `path`, as `path=data`. */
async function treeOf(client: Client, path: string): Promise<string[]> {
  const stat = await client.exists(path);
  if (stat === null) return [];
  const { data } = await client.getData(path);
  const { children } = await client.getChildren(path);
  const below = await Promise.all(children.map((name) => treeOf(client, `${path}/${name}`)));
  return [`${path}=${data}`, ...below.flat()].sort();
}

function shown<T>(cache: Cache<T>): string[] {
  return [...cache.all()].map(({ path, data }) => `${path}=${data}`).sort();
}

test('a tree is filled, followed and left without a trace', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  for (const path of ['/c', '/c/a', '/c/a/x', '/c/b']) await other.create(path, { data: path });
  const cache = new Cache(client, '/c');
  const told: string[] = [];
  cache.on('event', (event) => told.push('node' in event ? `${event.type} ${event.node.path}` : event.type));
  await cache.start();
  assert.ok(cache.isInitialized);
  assert.deepEqual(shown(cache), await treeOf(other, '/c'));
  assert.equal(told.at(-1), 'initialized');
  assert.ok(told.indexOf('created /c/a') < told.indexOf('created /c/a/x'));
  told.length = 0;
  const changes = cache.changes();
  await other.setData('/c/a/x', 'new');
  const first = (await changes.next()).value;
  assert.ok(first?.type === 'changed');
  assert.deepEqual([String(first.previous.data), String(first.node.data)], ['/c/a/x', 'new']);
  await other.create('/c/d', { data: 'd' });
  await until(() => cache.get('/c/d') !== undefined);
  await other.deleteRecursive('/c/a');
  await until(() => cache.get('/c/a') === undefined);
  assert.deepEqual(told, ['changed /c/a/x', 'created /c/d', 'deleted /c/a/x', 'deleted /c/a']);
  assert.deepEqual(cache.childNames('/c').sort(), ['b', 'd']);
  assert.equal(cache.size, 3);
  await cache.close();
  while (!(await changes.next()).done);
  await until(async () => (await leftovers(other, server)).watches === 0);
  assert.equal(client.listenerCount('state'), 0);
});

test('nodes that are too large to be read together are read in smaller parts', async (t) => {
  const server = await serve(t);
  const direct = await open(t, server.clientPort);
  await direct.create('/large');
  for (let i = 0; i < 20; i++) await direct.create(`/large/${i}`, { data: Buffer.alloc(30_000) });
  // An answer that the client does not take, and one that the server refuses.
  const small = await open(t, server.clientPort, { maxFrame: 100_000 });
  const refused = await open(t, server.clientPort);
  const read = refused.multiRead.bind(refused);
  t.mock.method(refused, 'multiRead', (operations: readonly { op: 'getData'; path: string }[]) =>
    operations.length > 3 ? Promise.reject(new KeeperError(ErrorCode.MarshallingError, 'multiRead')) : read(operations),
  );
  for (const client of [small, refused]) {
    await using cache = await new Cache(client, '/large').start();
    assert.equal(cache.size, 21);
  }
});

test('what changed during a gap, and between sessions, is told', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  for (const path of ['/g', '/g/stays', '/g/goes', '/g/goes/below', '/g/changes']) await other.create(path);
  await using cache = await new Cache(client, '/g').start();
  for (const loseSession of [false, true]) {
    const told: string[] = [];
    const listener = (event: { type: string }): void => {
      if ('node' in event) told.push(`${event.type} ${(event.node as { path: string }).path}`);
    };
    relay.down();
    await until(() => client.state === 'suspended');
    cache.on('event', listener);
    if (loseSession) await expire(server, client);
    await other.deleteRecursive('/g/goes');
    await other.setData('/g/changes', `now ${loseSession}`);
    await other.create('/g/comes');
    await other.create('/g/comes/too');
    relay.up();
    await until(() => told.length >= 5, 'all is told');
    assert.deepEqual(told.sort(), [
      'changed /g/changes',
      'created /g/comes',
      'created /g/comes/too',
      'deleted /g/goes',
      'deleted /g/goes/below',
    ]);
    assert.deepEqual(shown(cache), await treeOf(other, '/g'));
    cache.removeListener('event', listener);
    await other.deleteRecursive('/g/comes');
    await other.create('/g/goes');
    await other.create('/g/goes/below');
    await until(() => cache.get('/g/comes') === undefined && cache.get('/g/goes/below') !== undefined);
  }
});

test('parents are told before their children, and deletions the other way', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  await other.create('/p/x/y', { createParents: true });
  await using cache = await new Cache(client, '/p').start();
  const told: string[] = [];
  cache.on('created', ({ path }) => told.push(`+${path}`));
  cache.on('deleted', ({ path }) => told.push(`-${path}`));
  relay.down();
  await once(client, 'suspended');
  await other.deleteRecursive('/p');
  relay.up();
  await until(() => told.length === 3);
  assert.deepEqual(told.splice(0), ['-/p/x/y', '-/p/x', '-/p']);
  await other.create('/p/x', { createParents: true });
  await until(() => told.length === 2);
  // What happens at once is told at once, too.
  const [x, y] = ['/p/x', '/p/x/y'];
  await other.transaction().create(y).delete(y).delete(x).create(x).create(y).commit();
  await until(() => cache.get(y) !== undefined);
  assert.deepEqual(told.slice(2), ['-/p/x', '+/p/x', '+/p/x/y']);
});

test('that order holds for reads that are ahead of the events, and for deletions while all is read again', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  const [x, y] = ['/p/x', '/p/x/y'];
  await other.create(y, { createParents: true });
  await using cache = await new Cache(client, '/p').start();
  const told: string[] = [];
  cache.on('created', ({ path }) => told.push(`+${path}`));
  cache.on('deleted', ({ path }) => told.push(`-${path}`));
  const anew = relay.holdAt('multiRead');
  await other.setData(y, 'read when it was made anew');
  const release = await anew;
  await other.transaction().delete(y).delete(x).create(x).create(y).commit();
  release();
  await until(() => told.length === 4);
  assert.deepEqual(told.splice(0), [`-${y}`, `-${x}`, `+${x}`, `+${y}`]);
  relay.down();
  await other.delete(y);
  const second = relay.holdAt('multiRead', 1); // when the first is answered the server watches again
  relay.up();
  const goOn = await second;
  await other.delete(x);
  goOn();
  await until(() => told.length === 2);
  assert.deepEqual(told, [`-${y}`, `-${x}`]);
});

test('a connection lost while it is filled, at any step, only costs time', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  for (const path of ['/f', '/f/a', '/f/a/b']) await other.create(path);
  for (const [operation, skip] of [
    ['addWatch', 0],
    ['getChildren', 0],
    ['getChildren', 1],
  ] as const) {
    for (const step of ['beforeSend', 'afterCommit'] as const) {
      const failed = relay.failAt(operation, step, skip);
      await using cache = await new Cache(client, '/f').start();
      await failed;
      assert.deepEqual(shown(cache), await treeOf(other, '/f'));
    }
  }
});

test('a connection lost while more nodes are listed than may be asked for at once only costs time', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port, { maxOutstanding: 2 }), await open(t, server.clientPort)];
  for (let i = 0; i < 8; i++) await other.create(`/many/${i}/x`, { createParents: true });
  const lost = relay.failAt('getChildren', 'afterSend', 2);
  await using cache = await new Cache(client, '/many').start();
  await lost;
  assert.deepEqual(shown(cache), await treeOf(other, '/many'));
});

test('a cache that others write to without rest ends up equal', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  await other.create('/busy');
  await using cache = await new Cache(client, '/busy').start();
  for (let round = 0; round < 30; round++) {
    const work: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      const path = `/busy/${(i * 7 + round) % 40}`;
      if (i % 3 === 0) work.push(other.create(path).catch(() => {}));
      else if (i % 3 === 1) work.push(other.setData(path, `${round}`).catch(() => {}));
      else work.push(other.delete(path).catch(() => {}));
    }
    await Promise.all(work);
    if (round % 10 === 5) relay.cut();
  }
  await other.create('/busy/last');
  await until(() => cache.get('/busy/last') !== undefined);
  await until(() => client.isConnected);
  const expected = await treeOf(other, '/busy');
  await until(() => JSON.stringify(shown(cache)) === JSON.stringify(expected), 'the cache is equal');
  assert.ok(expected.length > 2);
});

test('a cache is filled, and forgets what has gone, although nodes change without rest', async (t) => {
  const server = await startServer();
  atEnd(t, () => server.close());
  const relay = await Relay.start(t, server.port);
  const [client, direct] = [await open(t, relay.port), await open(t, server.connectString)];
  for (const path of ['/busy', '/busy/x', '/busy/gone']) await direct.create(path);
  // Answers take longer than it takes until the next change, so that a read is always under way.
  server.delayReplies(20);
  const timer = setInterval(() => void direct.setData('/busy/x', '').catch(() => {}), 3);
  atEnd(t, () => clearInterval(timer));
  await using cache = await new Cache(client, '/busy').start();
  assert.equal(cache.size, 3);
  relay.down();
  await once(client, 'suspended');
  await direct.delete('/busy/gone');
  const deleted = once(cache, 'deleted');
  relay.up();
  assert.equal((await deleted)[0].path, '/busy/gone');
});

test('a node that may not be read is told, and the others are followed on', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, owner] = [await open(t, relay.port), await open(t, server.clientPort)];
  await owner.addAuth('digest', 'owner:secret');
  const acl = [{ perms: 31, scheme: 'auth', id: '' }];
  await owner.create('/some');
  await owner.create('/some/open', { data: '1' });
  await owner.create('/some/secret', { acl });
  const cache = new Cache(client, '/some');
  const errors: unknown[] = [];
  cache.on('error', (error) => errors.push((error as KeeperError).codeName));
  await cache.start();
  assert.deepEqual([...cache.all()].map(({ path }) => path).sort(), ['/some', '/some/open']);
  assert.deepEqual(errors, ['NoAuth']);
  relay.cut();
  await once(client, 'reconnected');
  await until(() => errors.length === 2);
  await owner.setData('/some/open', '2');
  await until(() => String(cache.get('/some/open')?.data) === '2');
  assert.deepEqual(errors, ['NoAuth', 'NoAuth']);
  await cache.close();
  await owner.create('/closed', { acl });
  await assert.rejects(new Cache(client, '/closed').start(), { codeName: 'NoAuth' });
});

test('a node cache follows a node that comes and goes', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using cache = await new NodeCache(client, '/n', { serializer: jsonSerializer<{ n: number }>() }).start();
  assert.equal(cache.current, undefined);
  await other.create('/n', { data: '{"n":1}' });
  await until(() => cache.current?.value.n === 1);
  await other.create('/n/below');
  await other.setData('/n', 'no json');
  await until(() => String(cache.current?.data) === 'no json');
  assert.throws(
    () => cache.current?.value,
    (error) => isRecipeError(error, 'BadData') && error.path === '/n' && error.recipe === 'NodeCache',
  );
  await other.deleteRecursive('/n');
  await until(() => cache.current === undefined);
  assert.equal(cache.size, 0);
});

test('null, no bytes and all of a stat are as the server has them', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/k');
  await client.create('/k/null', { data: null });
  await client.create('/k/large', { data: Buffer.alloc(20_000, 7), mode: 'ephemeral' });
  await client.setData('/k/null', null);
  await using cache = await new Cache(client, '/k').start();
  for (const path of ['/k', '/k/null', '/k/large']) {
    const { data, stat } = await client.getData(path);
    assert.deepEqual([cache.get(path)?.data, cache.get(path)?.stat], [data, stat]);
  }
});

test('a children cache keeps one level, a tree cache what is selected', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  for (const path of ['/t', '/t/a', '/t/a/deep', '/t/skip', '/t/skip/below']) await client.create(path);
  await using children = await new PathChildrenCache(client, '/t').start();
  await using tree = await new TreeCache(client, '/t', { selector: (path) => !path.endsWith('/skip') }).start();
  await client.create('/t/a/deep/er');
  await client.create('/t/skip/below/er');
  await client.create('/t/b');
  await until(() => children.current.has('b') && tree.get('/t/b') !== undefined);
  assert.deepEqual([...children.current.keys()].sort(), ['a', 'b', 'skip']);
  assert.deepEqual(
    [...tree.all()].map(({ path }) => path),
    ['/t', '/t/a', '/t/a/deep', '/t/a/deep/er', '/t/b'],
  );
});

test('bad use is told, and a listener that throws harms nobody', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  assert.throws(
    () => new Cache(client, '/x/'),
    (error) => isRecipeError(error, 'BadPath') && error.recipe === 'Cache',
  );
  const cache = new Cache(client, '/x');
  assert.throws(
    () => cache.changes(),
    (error) => isRecipeError(error, 'NotStarted'),
  );
  const failures: unknown[] = [];
  cache.on('error', (error) => failures.push(error));
  cache.on('created', () => {
    throw new Error('mine');
  });
  await cache.start();
  await assert.rejects(cache.start(), (error) => isRecipeError(error, 'AlreadyStarted'));
  await client.create('/x');
  await until(() => failures.length === 1);
  assert.match(String(failures[0]), /mine/);
  assert.equal(cache.size, 1);
  await cache.close();
  await assert.rejects(cache.start(), (error) => isRecipeError(error, 'Closed'));
});

test('changes that nobody reads are not gathered without end, and who keeps up with them loses none', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  const nodes = 12_000;
  const fill = async (): Promise<void> => {
    await other.create('/c');
    for (let i = 0; i < nodes; i++) {
      void other.create(`/c/${i}`);
      await other.drained();
    }
    await other.sync('/c'); // behind all of them
  };
  await fill();
  const cache = await new Cache(client, '/c').start();
  const [unread, read] = [cache.changes(), cache.changes()];
  let deletions = 0;
  const reading = (async () => {
    for await (const { type } of read) if (type === 'deleted') deletions++;
  })();
  relay.down();
  await other.deleteRecursive('/c');
  relay.up();
  await until(() => deletions === nodes + 1); // all told in one moment
  assert.ok(unread.length > nodes);
  await fill();
  await until(() => unread.length === 0);
  await assert.rejects(
    unread.next(),
    (e) => isRecipeError(e, 'Overflow') && e.message === 'Cache /c: 22001 changes were not read, and are dropped',
  );
  assert.equal((await unread.next()).done, true);
  assert.equal(cache.listenerCount('event'), 1);
  await cache.close();
  await reading;
});
