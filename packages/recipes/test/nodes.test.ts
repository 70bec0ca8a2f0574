// PersistentNode, PersistentTtlNode, GroupMember, Party: there as long as they should be, and no longer.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ErrorCode, KeeperError } from '@nodekeeper/client';
import { GroupMember, isRecipeError, Party, PersistentNode, PersistentTtlNode, ShallowParty } from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { atEnd, childCount, deferred, expire, leftovers, open, serve, until } from './support.js';

test('a node is made again when it goes, with the data it should have', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const node = await new PersistentNode(client, '/app/node', { data: 'one' }).start();
  assert.equal(node.actualPath, '/app/node');
  await node.setData('two');
  await other.delete('/app/node');
  await until(async () => (await other.exists('/app/node')) !== null);
  assert.equal(String((await other.getData('/app/node')).data), 'two');
  await other.setData('/app/node', 'theirs'); // which is none of its business
  const { sessionId } = client;
  await expire(server, client);
  await until(() => client.isConnected && client.sessionId !== sessionId);
  await until(async () => (await other.exists('/app/node'))?.ephemeralOwner === client.sessionId);
  await node.close();
  assert.equal(await other.exists('/app/node'), null);
  await until(async () => (await leftovers(other, server)).watches === 0);
  await assert.rejects(node.start(), (e) => isRecipeError(e, 'Closed') && e.path === '/app/node');
});

test('data that is set while the node is being made is not lost', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/soon');
  for (const path of ['/soon/made', '/soon']) {
    await using node = new PersistentNode(client, path, { mode: 'persistent', data: 'one', deleteOnClose: false });
    const starting = node.start();
    await node.setData('two');
    await starting;
    assert.equal(String((await client.getData(path)).data), 'two');
  }
});

test('a node that outlives sessions is written over their end, and made once', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const node = await new PersistentNode(client, '/kept', { mode: 'persistent', data: 'old' }).start();
  const numbered = await new PersistentNode(client, '/numbered/n-', { mode: 'persistentSequential' }).start();
  relay.down();
  await once(client, 'suspended');
  const written = node.setData('new');
  // It is read again as soon as there is a connection, which is then in another session.
  await direct.setData(String(numbered.actualPath), 'changed');
  await expire(server, client);
  relay.up();
  await written;
  assert.equal(String((await direct.getData('/kept')).data), 'new');
  await client.sync();
  await client.getChildren('/numbered');
  await childCount(direct, '/numbered', 1);
  await numbered.close();
  await childCount(direct, '/numbered', 0);
  await node.close();
});

test('a node of an older session is taken over, and made anew when that session ends', async (t) => {
  const server = await serve(t);
  const [client, older] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await older.create('/n', { mode: 'ephemeral', data: 'old' });
  await using _node = await new PersistentNode(client, '/n', { data: 'new' }).start();
  assert.equal(String((await older.getData('/n')).data), 'new');
  await older.close();
  await until(async () => (await client.exists('/n'))?.ephemeralOwner === client.sessionId);
});

test('closing takes a node of the own session, and not that of another with the same name', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const node = await new PersistentNode(client, '/name').start();
  const failed = deferred();
  const failing = t.mock.method(client, 'delete', async () => {
    failing.mock.restore();
    const { sessionId } = client;
    await expire(server, client);
    await other.create('/name', { mode: 'ephemeral' });
    // The next session is there before the next try.
    await until(() => client.isConnected && client.sessionId !== sessionId);
    failed.resolve();
    throw new KeeperError(ErrorCode.ConnectionLoss, 'delete', '/name', { outcomeUnknown: true });
  });
  await node.close();
  await failed.promise;
  await new Promise((resolve) => setTimeout(resolve, 50)); // far longer than the pause before a next try
  await client.sync();
  assert.notEqual(await other.exists('/name'), null);
});

test('sequential and protected nodes are recognised; persistent ones may stay', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using sequential = await new PersistentNode(client, '/s/n-', { mode: 'ephemeralSequential' }).start();
  assert.match(sequential.actualPath ?? '', /^\/s\/_c_[0-9a-f-]{36}-n-0000000000$/);
  await client.delete(sequential.actualPath ?? '');
  await until(() => /n-0000000001$/.test(sequential.actualPath ?? ''));
  const staying = await new PersistentNode(client, '/p', { mode: 'persistent', deleteOnClose: false }).start();
  await staying.close();
  assert.notEqual(await client.exists('/p'), null);
});

for (const step of STEPS) {
  for (const protect of [false, true]) {
    test(`the connection is lost while the node is made and deleted, ${step}, ${protect ? '' : 'un'}protected`, async (t) => {
      const server = await serve(t);
      const relay = await Relay.start(t, server.clientPort);
      const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
      const failed = [relay.failAt('create', step), relay.failAt('getData', step)];
      const node = await new PersistentNode(client, '/l/n', { protect }).start();
      await childCount(direct, '/l', 1);
      await Promise.all(failed);
      await until(() => client.isConnected);
      const alsoFailed = relay.failAt('delete', step);
      await node.close();
      await alsoFailed;
      await childCount(direct, '/l', 0);
    });
  }
}

test('a node with a time to live outlives its session until it is not touched', async (t) => {
  const server = await serve(t, { 'znode.container.checkIntervalMs': 50 });
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const node = await new PersistentTtlNode(client, '/ttl', 400, { data: 'x' }).start();
  const { mtime } = (await other.exists('/ttl/touch')) ?? { mtime: 0 };
  await until(
    async () => ((await other.exists('/ttl/touch'))?.mtime ?? 0) > mtime + 400,
    'it is touched beyond its time',
  );
  await node.close();
  assert.notEqual(await other.exists('/ttl'), null);
  await until(async () => (await other.exists('/ttl')) === null, 'the server deletes it');
  assert.throws(
    () => new PersistentTtlNode(client, '/ttl', 0),
    (e) => isRecipeError(e, 'BadArgument') && e.recipe === 'PersistentTtlNode',
  );
});

test('members know each other, who came and who went', async (t) => {
  const server = await serve(t);
  const [one, two] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using a = await new GroupMember(one, '/group', 'a', 'A').start();
  const told: string[] = [];
  a.on('joined', (id) => told.push(`+${id}`));
  a.on('left', (id) => told.push(`-${id}`));
  a.on('changed', (id, data) => told.push(`${id}=${data}`));
  const b = await new GroupMember(two, '/group', 'b').start();
  await until(() => told.length === 1);
  assert.deepEqual([...b.getCurrentMembers().keys()].sort(), ['a', 'b']);
  assert.equal(String(b.getCurrentMembers().get('a')), 'A');
  await b.setThisData('B');
  await until(() => told.length === 2);
  await expire(server, two);
  await until(() => told.length === 4);
  await b.close();
  await until(() => told.length === 5);
  assert.deepEqual(told, ['+b', 'b=B', '-b', '+b', '-b']);
  assert.throws(
    () => new GroupMember(one, '/group', 'a/b'),
    (e) => isRecipeError(e, 'BadArgument') && e.recipe === 'GroupMember',
  );
});

test('a party is joined and left', async (t) => {
  const server = await serve(t);
  const [one, two] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  for (const Kind of [Party, ShallowParty]) {
    const path = `/${Kind.name}`;
    const [a, b] = [new Kind(one, path, 'a'), new Kind(two, path, 'b')];
    assert.deepEqual(await a.members(), []);
    await Promise.all([a.join(), b.join()]);
    await a.join();
    assert.deepEqual((await a.members()).sort(), ['a', 'b']);
    assert.equal(await b.size(), 2);
    assert.equal(await a.leave(), true);
    assert.equal(await a.leave(), false);
    assert.deepEqual(await b.members(), ['b']);
    assert.ok(b.isParticipating && !a.isParticipating);
    await b.leave();
    assert.equal(await b.size(), 0);
  }
});

test('50 members come and go', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
  const members = await Promise.all(clients.map((client, i) => new GroupMember(client, '/crowd', `m${i}`).start()));
  for (const member of members) atEnd(t, () => member.close());
  await until(() => members.every((member) => member.getCurrentMembers().size === 50));
  await Promise.all(members.slice(1).map((member) => member.close()));
  await until(() => members[0].getCurrentMembers().size === 1);
});

test('who joins a party twice is in when either call says so, and who left and joined again can leave', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const [party, looking] = [new Party(client, '/party', 'a'), new Party(other, '/party')];
  const first = party.join();
  await party.join();
  assert.deepEqual(await looking.members(), ['a']);
  await first;
  await party.leave();
  const given = assert.rejects(party.join(), (error) => isRecipeError(error, 'Closed'));
  const left = party.leave();
  const again = party.join();
  await Promise.all([given, left, again]);
  assert.equal(party.isParticipating, true);
  assert.equal(await party.leave(), true);
  await client.sync();
  assert.deepEqual(await looking.members(), []);
});
