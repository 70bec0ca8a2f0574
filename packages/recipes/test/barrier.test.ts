// Barriers: nobody passes too early, and nobody waits for those who are gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DistributedBarrier, DistributedDoubleBarrier, isRecipeError } from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { childCount, expire, leftovers, open, serve, until } from './support.js';

test('a barrier holds until it is removed', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const barrier = new DistributedBarrier(client, '/b/gate');
  await barrier.waitOnBarrier();
  await barrier.setBarrier();
  await barrier.setBarrier();
  const waiting = barrier.waitOnBarrier();
  await assert.rejects(
    barrier.waitOnBarrier({ timeout: 10 }),
    (e) => isRecipeError(e, 'Timeout') && e.path === '/b/gate',
  );
  await other.setData('/b/gate', 'not yet');
  await expire(server, client);
  await until(() => client.isConnected);
  await new DistributedBarrier(other, '/b/gate').removeBarrier();
  await waiting;
  await barrier.removeBarrier();
  await until(async () => (await leftovers(other, server)).watches === 0);
});

test('members enter together and leave together', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const barriers = clients.map((client) => new DistributedDoubleBarrier(client, '/d', 3));
  for (let round = 0; round < 2; round++) {
    let inside = 0;
    const entering = barriers.slice(0, 2).map((barrier) => barrier.enter().then(() => inside++));
    await childCount(clients[2], '/d', 2);
    await Promise.all(clients.map((client) => client.exists('/d')));
    assert.equal(inside, 0);
    await Promise.all([...entering, barriers[2].enter()]);
    let left = 0;
    const leaving = barriers.slice(0, 2).map((barrier) => barrier.leave().then(() => left++));
    await Promise.all(clients.map((client) => client.exists('/d')));
    assert.equal(left, 0);
    await Promise.all([...leaving, barriers[2].leave()]);
    await until(async () => (await leftovers(clients[0], server)).nodes.length === 1, 'only the path is left');
  }
  await until(async () => (await leftovers(clients[0], server)).watches === 0);
});

test('who gives up entering is not counted, who gives up leaving is not waited for', async (t) => {
  const server = await serve(t);
  const [one, two] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const [a, b] = [one, two].map((client) => new DistributedDoubleBarrier(client, '/g', 2));
  await assert.rejects(a.enter({ timeout: 20 }), (e) => isRecipeError(e, 'Timeout'));
  await assert.rejects(b.enter({ timeout: 20 }), (e) => isRecipeError(e, 'Timeout'));
  await Promise.all([a.enter(), b.enter()]);
  await assert.rejects(a.leave({ timeout: 20 }), (e) => isRecipeError(e, 'Timeout'));
  await b.leave();
  await assert.rejects(b.leave(), (e) => isRecipeError(e, 'NotStarted') && e.recipe === 'DistributedDoubleBarrier');
  assert.deepEqual((await leftovers(one, server)).nodes, ['/g']);
  assert.throws(
    () => new DistributedDoubleBarrier(one, '/g', 0),
    (e) => isRecipeError(e, 'BadArgument'),
  );
});

test('a session that expires enters again, and is not waited for when all leave', async (t) => {
  const server = await serve(t);
  const [one, two] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const [a, b] = [one, two].map((client) => new DistributedDoubleBarrier(client, '/x', 2));
  const entering = a.enter();
  await childCount(two, '/x', 1);
  const { sessionId } = one;
  await expire(server, one);
  await until(() => one.isConnected && one.sessionId !== sessionId);
  await childCount(two, '/x', 1);
  await Promise.all([entering, b.enter()]);
  await expire(server, one);
  await b.leave();
});

test('a session that ends before the barrier is ready for the next round leaves nothing in its way', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const barrier = new DistributedDoubleBarrier(client, '/end', 1);
  await barrier.enter();
  const failed = relay.failAt('delete', 'beforeSend', 1);
  relay.refuse();
  const left = barrier.leave();
  await failed;
  await expire(server, client);
  relay.up();
  await left;
  assert.deepEqual((await direct.getChildren('/end')).children, []);
});

test('members that all ended inside leave nothing that lets one in alone', async (t) => {
  const server = await serve(t);
  const [one, two, watching] = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const pair = (): DistributedDoubleBarrier[] =>
    [one, two].map((client) => new DistributedDoubleBarrier(client, '/left', 2));
  await Promise.all(pair().map((barrier) => barrier.enter()));
  for (const client of [one, two]) await expire(server, client);
  await childCount(watching, '/left', 1);
  const [a, b] = pair();
  let isInside = false;
  const entering = a.enter().then(() => {
    isInside = true;
  });
  // Its own node, and that it waits.
  await until(async () => isInside || (await leftovers(watching, server)).watches === 1);
  assert.equal(isInside, false);
  await Promise.all([entering, b.enter()]);
  await Promise.all([a.leave(), b.leave()]);
});

for (const step of STEPS) {
  test(`the connection is lost on the way in and out, ${step}`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const [lossy, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
    const [a, b] = [lossy, direct].map((client) => new DistributedDoubleBarrier(client, '/l', 2));
    const failed = [relay.failAt('create', step), relay.failAt('getChildren', step)];
    await Promise.all([a.enter(), b.enter()]);
    await Promise.all(failed);
    const alsoFailed = relay.failAt('delete', step);
    await Promise.all([a.leave(), b.leave()]);
    await alsoFailed;
    await until(async () => (await leftovers(direct, server)).nodes.length === 1);
  });
}

test('50 members', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
  const barriers = clients.map((client) => new DistributedDoubleBarrier(client, '/crowd', 50));
  let entered = 0;
  await Promise.all(barriers.map((barrier) => barrier.enter().then(() => entered++)));
  assert.equal(entered, 50);
  await Promise.all(barriers.map((barrier) => barrier.leave()));
  await until(async () => (await leftovers(clients[0], server)).nodes.length === 1);
});
