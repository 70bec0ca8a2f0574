// Cluster, NameService, Topic, LoadBalancer: who is there, where, what is told, and who has room.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN_ACL_UNSAFE, Perms } from '@nodekeeper/client';
import {
  Cluster,
  type Delivery,
  isRecipeError,
  LoadBalancer,
  NameService,
  stringSerializer,
  Topic,
} from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { expire, leftovers, open, serve, until } from './support.js';

test('members report themselves, come and go', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using looking = await new Cluster(other, '/cluster').start();
  const changes = looking.changes();
  const told = async (): Promise<string> => {
    const { value } = await changes.next();
    return value !== undefined && 'member' in value ? `${value.type} ${value.member.id} ${value.member.state}` : 'none';
  };
  const a = await new Cluster(client, '/cluster', { id: 'a', report: { load: 5, metadata: { zone: 'x' } } }).start();
  assert.equal(await told(), 'joined a ready');
  const b = await new Cluster(client, '/cluster', { id: 'b', report: { load: 3 } }).start();
  assert.equal(await told(), 'joined b ready');
  assert.equal(looking.leastLoaded()?.id, 'b');
  assert.deepEqual(a.members.get('a')?.metadata, { zone: 'x' });
  await b.report({ state: 'draining' });
  assert.equal(await told(), 'updated b draining');
  assert.equal(looking.leastLoaded()?.id, 'a');
  await b.close();
  assert.equal(await told(), 'left b draining');
  await other.create('/cluster/foreign', { data: 'no report' });
  assert.equal(await told(), 'joined foreign ');
  await expire(server, client);
  assert.equal(await told(), 'left a ready');
  assert.equal(await told(), 'joined a ready');
  await a.close();
  assert.equal(looking.id, undefined);
  assert.throws(
    () => new Cluster(client, '/cluster', { id: '..' }),
    (e) => isRecipeError(e, 'BadArgument') && e.recipe === 'Cluster',
  );
});

test('members are current when they were read again', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  const leaving = await new Cluster(other, '/gap', { id: 'b' }).start();
  await using cluster = await new Cluster(client, '/gap').start();
  const told: string[] = [];
  cluster.on('change', ({ type }) => told.push(`${type} ${cluster.members.size}`));
  relay.down();
  await until(() => told.length === 1);
  await leaving.close();
  relay.up();
  await until(() => told.length === 3);
  assert.deepEqual(told, ['stale 1', 'left 0', 'current 0']);
});

test('who reads the changes gets all of them, however many members leave in one moment', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  const members = 10_500;
  await other.create('/many');
  for (let i = 0; i < members; i++) {
    void other.create(`/many/m${i}`, { data: '{}' });
    await other.drained();
  }
  await other.sync('/many'); // behind all of them
  await using cluster = await new Cluster(client, '/many').start();
  assert.equal(cluster.members.size, members);
  let left = 0;
  const reading = (async () => {
    for await (const { type } of cluster.changes()) if (type === 'left') left++;
  })();
  relay.down();
  await other.deleteRecursive('/many');
  relay.up();
  await until(() => left === members);
  await cluster.close();
  await reading;
});

test('a server whose node cannot be read is not chosen, and keeps nobody from the others', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using balancer = await new LoadBalancer(client, '/mixed').start();
  for (const [name, data] of Object.entries({ bad: '{', none: 'null' })) {
    await client.create(`/mixed/servers/${name}`, { data, createParents: true });
  }
  await using _offer = await balancer.offer('good', 'address');
  await using chosen = await balancer.choose();
  assert.equal(chosen.server.id, 'good');
});

test('names have addresses, and those who follow them see them change', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const names = new NameService(client, '/names');
  assert.deepEqual(await names.resolve('eu/db'), []);
  await using followed = await new NameService(other, '/names').follow('eu/db');
  const changes = followed.changes();
  const one = await names.bind('eu/db', '10.0.0.1:5432', { role: 'main' });
  assert.deepEqual((await changes.next()).value, [{ address: '10.0.0.1:5432', metadata: { role: 'main' } }]);
  await using _two = await names.bind('eu/db', '10.0.0.2:5432');
  assert.equal((await changes.next()).value?.length, 2);
  await using _below = await names.bind('eu/db/replica', '10.0.0.3:5432');
  assert.equal((await names.resolve('eu/db')).length, 2);
  assert.deepEqual(
    [await names.list(), await names.list('eu'), await names.list('eu/db')],
    [['eu'], ['db'], ['replica']],
  );
  await one.close();
  assert.deepEqual((await changes.next()).value, [{ address: '10.0.0.2:5432', metadata: {} }]);
  for (const bad of ['', '/a', 'a//b', '@a', 'a/..']) {
    await assert.rejects(names.resolve(bad), (e) => isRecipeError(e, 'BadArgument') && e.path === '/names');
  }
});

test('addresses that go together are told together', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const names = new NameService(client, '/names');
  await Promise.all(Array.from({ length: 400 }, (_, i) => names.bind('api', `10.0.0.1:${i}`)));
  await using kept = await new NameService(other, '/names').bind('api', '10.0.0.2:80');
  await using followed = await new NameService(other, '/names').follow('api');
  assert.equal(followed.addresses.length, 401);
  const told: number[] = [];
  followed.on('change', (addresses) => told.push(addresses.length));
  await client.close();
  await until(() => told.at(-1) === 1);
  assert.ok(told.length < 200, `${told.length} lists`); // each is as long as all of them
  await kept.close();
  await until(() => told.at(-1) === 0);
});

test('a node that holds no address, or may not be read, does not hide the addresses beside it', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const names = new NameService(client, '/names');
  await using _bound = await names.bind('db', '10.0.0.1');
  for (const [i, data] of ['no JSON', '5', 'null', '{}', ''].entries())
    await client.create(`/names/db/@${i}`, { data });
  const acl = [{ perms: Perms.admin, scheme: 'world', id: 'anyone' }];
  await client.create('/names/db/@secret', { acl });
  const expected = [{ address: '10.0.0.1', metadata: {} }];
  assert.deepEqual(await names.resolve('db'), expected);
  await using followed = await names.follow('db');
  assert.deepEqual(followed.addresses, expected);
});

test('a subscriber that may not read is told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const topic = new Topic(client, '/topic', stringSerializer);
  await topic.publish('one');
  const subscription = topic.subscribe({ from: 'oldest' });
  assert.equal((await subscription.next()).value?.type, 'message');
  // A message that may not be read, for who waits and for who comes late.
  const acl = [{ perms: Perms.admin, scheme: 'world', id: 'anyone' }];
  const waiting = subscription.next();
  await client.create('/topic/_c_x-message-', { mode: 'persistentSequential', acl });
  await assert.rejects(waiting, { codeName: 'NoAuth' });
  assert.equal((await subscription.next()).done, true);
  await client.setACL('/topic', acl);
  const refused = topic.subscribe();
  await assert.rejects(refused.ready, { codeName: 'NoAuth' });
  await assert.rejects(refused.next(), { codeName: 'NoAuth' });
  assert.equal((await refused.next()).done, true);
  await client.close();
  assert.equal((await topic.subscribe().next()).done, true);
});

test('a message that is published is told as such by who may not clear away what is old', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/topic');
  await client.setACL('/topic', [{ perms: Perms.create | Perms.admin, scheme: 'world', id: 'anyone' }]);
  const topic = new Topic(client, '/topic', stringSerializer, { retention: 1 });
  for (const sequence of [0, 1]) assert.equal(await topic.publish('x'), sequence);
  await client.setACL('/topic', OPEN_ACL_UNSAFE);
  await topic.publish('x');
  assert.deepEqual(await topic.sequences(), [2]);
});

test('all subscribers get all messages in one order', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const topics = clients.map((client) => new Topic(client, '/app/topic', stringSerializer));
  await topics[0].publish('before');
  const stop = new AbortController();
  const streams = topics.map((topic) => topic.subscribe({ from: 'oldest', signal: stop.signal }));
  const late = topics[0].subscribe();
  await late.ready;
  const seen = streams.map(() => [] as Delivery<string>[]);
  const reading = streams.map(async (stream, i) => {
    for await (const delivery of stream) seen[i].push(delivery);
  });
  await until(() => seen.every((one) => one.length === 1));
  await Promise.all(topics.flatMap((topic, i) => [0, 1, 2].map((j) => topic.publish(`${i}-${j}`))));
  await until(() => seen.every((one) => one.length === 10));
  assert.deepEqual(seen[0], seen[1]);
  assert.deepEqual(seen[0], seen[2]);
  const first = (await late.next()).value;
  assert.ok(first?.type === 'message' && first.sequence === 1);
  await late.return();
  stop.abort();
  await Promise.all(reading);
  await until(async () => (await leftovers(clients[0], server)).watches === 0);
});

test('who was away gets what is kept, and is told what is not', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const topic = new Topic(direct, '/t', stringSerializer, { retention: 5 });
  await topic.publish('0');
  const stream = new Topic(client, '/t', stringSerializer).subscribe({ from: 'oldest' });
  assert.equal((await stream.next()).value?.type, 'message');
  relay.down();
  for (let i = 1; i <= 12; i++) await topic.publish(`${i}`);
  assert.deepEqual(await topic.sequences(), [8, 9, 10, 11, 12]);
  relay.up();
  assert.deepEqual((await stream.next()).value, { type: 'gap', missed: 7 });
  for (let i = 8; i <= 12; i++) {
    const { value } = await stream.next();
    assert.ok(value?.type === 'message' && value.value === `${i}`);
  }
  await direct.deleteRecursive('/t');
  await direct.create('/t');
  await topic.publish('again');
  const again = (await stream.next()).value;
  assert.ok(again?.type === 'message' && again.value === 'again');
});

test('a slow subscriber has a part of the messages in its memory, and misses what is dropped before it takes it', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const topic = new Topic(client, '/topic', stringSerializer, { retention: 600 });
  for (let i = 0; i < 600; i++) await topic.publish(String(i));
  const reads = t.mock.method(other, 'getData');
  const slow = new Topic(other, '/topic', stringSerializer).subscribe({ from: 'oldest' });
  await slow.ready;
  const seen: number[] = [];
  const take = async (count: number): Promise<void> => {
    while (seen.length < count) {
      const { value } = await slow.next();
      assert.ok(value !== undefined && value.type !== 'unreadable');
      if (value.type === 'message') seen.push(value.sequence);
      else seen.push(...Array.from({ length: value.missed }, () => -1));
    }
  };
  await take(10);
  await other.sync();
  assert.ok(reads.mock.callCount() < 300, `${reads.mock.callCount()} messages are read ahead`);
  for (let i = 600; i < 1400; i++) await topic.publish(String(i));
  await take(1400);
  assert.deepEqual(
    seen.slice(0, 256),
    Array.from({ length: 256 }, (_, i) => i),
  );
  assert.deepEqual(
    seen.slice(-600),
    Array.from({ length: 600 }, (_, i) => 800 + i),
  );
  assert.ok(seen.includes(-1)); // what was dropped is counted
  assert.equal(seen.length, 1400);
  await slow.return();
});

test('who asks for what is after a sequence gets all of a topic that was made anew and has not come as far', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const topic = new Topic(client, '/anew', stringSerializer);
  for (const value of ['a', 'b']) await topic.publish(value);
  const subscription = topic.subscribe({ from: 7 });
  const { value } = await subscription.next();
  assert.deepEqual(value?.type === 'message' && [value.sequence, value.value], [0, 'a']);
  await subscription.return();
});

test('a subscriber whose session ends while it reads goes on in the next one', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const topic = new Topic(direct, '/on', stringSerializer);
  const stream = new Topic(client, '/on', stringSerializer).subscribe();
  await stream.ready;
  const lost = relay.failAt('getData', 'beforeSend');
  await topic.publish('a');
  await lost;
  relay.down();
  await expire(server, client);
  relay.up();
  await topic.publish('b');
  for (const expected of ['a', 'b']) {
    const { value } = await stream.next();
    assert.ok(value?.type === 'message' && value.value === expected, `${expected} is delivered`);
  }
});

for (const step of STEPS) {
  test(`a message is published once though the connection is lost ${step}`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const client = await open(t, relay.port);
    const topic = new Topic(client, '/once', stringSerializer);
    await topic.publish('a');
    const failed = relay.failAt('create', step);
    assert.equal(await topic.publish('b'), 1);
    await failed;
    assert.deepEqual(await topic.sequences(), [0, 1]);
  });
}

test('who waits for a server learns that the balancer is closed, and a choice that is soon released is not counted', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const balancer = await new LoadBalancer(client, '/lb').start();
  const waiting = assert.rejects(balancer.choose(), (e) => isRecipeError(e, 'Closed') && e.recipe === 'LoadBalancer');
  await balancer.close();
  await waiting;
  await using another = await new LoadBalancer(client, '/lb').start();
  await using _offer = await another.offer('a', 'host-a:1');
  for (let i = 0; i < 20; i++) await (await another.choose()).release();
  await until(() => another.servers[0]?.clients === 0, 'nothing is pending');
});

test('the server with the fewest clients is chosen, by weight', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using balancer = await new LoadBalancer(client, '/lb').start();
  await assert.rejects(balancer.choose({ timeout: 10 }), (e) => isRecipeError(e, 'Timeout') && e.path === '/lb');
  const choosing = balancer.choose();
  const servers = new LoadBalancer(other, '/lb');
  const offer = await servers.offer('a', 'host-a:1');
  const first = await choosing;
  assert.equal(first.server.address, 'host-a:1');
  await servers.offer('b', 'host-b:1', 3);
  await until(() => balancer.servers.length === 2);
  const chosen = await Promise.all([0, 1, 2].map(() => balancer.choose()));
  assert.deepEqual(
    chosen.map((one) => one.server.id),
    ['b', 'b', 'b'],
  );
  await until(() => balancer.servers.every(({ clients, weight }) => clients === weight));
  await first.release();
  await assert.rejects(first.release(), (e) => isRecipeError(e, 'NotHeld'));
  await until(() => balancer.servers[0].id === 'a' && balancer.servers[0].clients === 0);
  await offer.close();
  await until(() => balancer.servers.length === 1);
  await expire(server, client);
  await until(() => chosen.every((one) => one.signal.aborted));
  await until(() => balancer.servers[0]?.clients === 0, 'the counts of an ended session are gone');
  assert.equal((await balancer.choose()).server.id, 'b');
});
