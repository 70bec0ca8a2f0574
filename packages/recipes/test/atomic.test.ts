// Atomic values and counters: no change is lost, and none is made twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKeeperError, noRetry, retryNTimes } from '@nodekeeper/client';
import {
  CachedAtomicLong,
  Counter,
  DistributedAtomicInteger,
  DistributedAtomicLong,
  DistributedAtomicValue,
  isRecipeError,
  jsonSerializer,
} from '../dist/index.js';
import { Relay } from './relay.js';
import { leftovers, open, serve } from './support.js';

test('a value is initialized, compared, set and updated', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const value = new DistributedAtomicValue(client, '/app/v', jsonSerializer<{ n: number }>());
  assert.equal(await value.get(), undefined);
  assert.equal(await value.initialize({ n: 1 }), true);
  assert.equal(await value.initialize({ n: 2 }), false);
  assert.equal((await value.compareAndSet({ n: 5 }, { n: 6 })).succeeded, false);
  assert.equal((await value.compareAndSet({ n: 1 }, { n: 6 })).succeeded, true);
  assert.deepEqual((await value.trySet({ n: 7 })).preValue, { n: 6 });
  const result = await value.update((before) => ({ n: (before?.n ?? 0) * 2 }));
  assert.deepEqual([result.preValue, result.postValue, result.optimisticTries], [{ n: 7 }, { n: 14 }, 1]);
  await value.forceSet({ n: 0 });
  assert.deepEqual(await value.get(), { n: 0 });
  await client.delete('/app/v');
  await value.forceSet({ n: 3 });
  assert.deepEqual(await value.get(), { n: 3 });
});

test('counters count in their layouts, and wrap as in Java', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const long = new DistributedAtomicLong(client, '/long');
  assert.equal((await long.increment()).postValue, 1n);
  await long.forceSet(2n ** 63n - 1n);
  assert.equal((await long.increment()).postValue, -(2n ** 63n));
  assert.equal((await long.subtract(1)).postValue, 2n ** 63n - 1n);
  assert.equal((await client.getData('/long')).data?.toString('hex'), '7fffffffffffffff');
  const int = new DistributedAtomicInteger(client, '/int');
  await int.forceSet(2 ** 31 - 1);
  assert.equal((await int.increment()).postValue, -(2 ** 31));
  assert.equal((await int.decrement()).postValue, 2 ** 31 - 1);
  const counter = new Counter(client, '/decimal');
  assert.equal((await counter.add(12)).postValue, 12n);
  assert.equal((await counter.subtract(2)).postValue, 10n);
  assert.equal(String((await client.getData('/decimal')).data), '10');
});

for (const promoted of [false, true]) {
  test(`50 clients count together${promoted ? ', promoted to a lock' : ''}`, async (t) => {
    const server = await serve(t);
    const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
    const results = await Promise.all(
      clients.map(async (client) => {
        const options = promoted
          ? { retry: noRetry, promotedToLock: { path: '/count-lock' } }
          : { retry: retryNTimes(1000, 1) };
        const counter = new DistributedAtomicLong(client, '/count', options);
        const own = [];
        for (let i = 0; i < 4; i++) own.push(await counter.increment());
        return own;
      }),
    );
    const all = results.flat();
    assert.ok(all.every((result) => result.succeeded));
    assert.equal(new Set(all.map((result) => result.postValue)).size, 200);
    assert.equal(await new DistributedAtomicLong(clients[0], '/count').get(), 200n);
    assert.equal(
      all.some((result) => result.promotedTries > 0),
      promoted,
    );
    assert.equal((await leftovers(clients[0], server)).watches, 0);
  });
}

test('a change whose answer is lost is made once, or left open', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  const counter = new DistributedAtomicLong(client, '/lossy');
  void relay.failAt('create', 'beforeSend');
  assert.equal((await counter.increment()).postValue, 1n);
  void relay.failAt('setData', 'beforeSend');
  assert.equal((await counter.increment()).postValue, 2n);
  void relay.failAt('setData', 'afterCommit');
  await assert.rejects(counter.increment(), (e) => isKeeperError(e, 'ConnectionLoss') && e.outcomeUnknown);
  assert.equal(await counter.get(), 3n);
  void relay.failAt('getData', 'afterCommit');
  assert.equal((await counter.increment()).postValue, 4n);
  await other.delete('/lossy');
  void relay.failAt('create', 'afterCommit');
  await assert.rejects(counter.increment(), (e) => isKeeperError(e, 'ConnectionLoss') && e.outcomeUnknown);
  assert.equal(await counter.get(), 1n);
});

test('numbers taken in blocks are nobody else’s', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const take = (): CachedAtomicLong => new CachedAtomicLong(new DistributedAtomicLong(client, '/ids'), 3);
  const [a, b] = [take(), take()];
  const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? a : b).next()));
  assert.equal(new Set(taken).size, 20);
});

test('bad data and bad arguments are told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/bad', { data: 'abc' });
  const counter = new DistributedAtomicLong(client, '/bad');
  await assert.rejects(counter.get(), (e) => isRecipeError(e, 'BadData') && e.recipe === 'DistributedAtomicLong');
  assert.throws(
    () => new CachedAtomicLong(counter, 0),
    (e) => isRecipeError(e, 'BadArgument') && e.path === '/bad',
  );
  assert.throws(
    () => new DistributedAtomicLong(client, 'bad'),
    (e) => isRecipeError(e, 'BadPath'),
  );
});

test('numbers of another length are not taken for one, nor written over', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const isBad = (error: unknown): boolean => isRecipeError(error, 'BadData');
  for (const [length, Kind] of [
    [8, DistributedAtomicInteger],
    [3, DistributedAtomicInteger],
    [9, DistributedAtomicLong],
    [4, DistributedAtomicLong],
  ] as const) {
    const data = Buffer.alloc(length, 1);
    await client.create('/number', { data });
    const number = new Kind(client, '/number');
    await assert.rejects(number.get(), isBad);
    await assert.rejects(number.add(1), isBad);
    assert.deepEqual((await client.getData('/number')).data, data);
    await client.delete('/number');
  }
});
