// SharedValue, SharedCount: everybody sees the last value, and conditional writes do not overwrite.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, isKeeperError, KeeperError } from '@nodekeeper/client';
import { isRecipeError, jsonSerializer, SharedCount, SharedValue, stringSerializer } from '../dist/index.js';
import { Relay } from './relay.js';
import { expire, leftovers, open, serve, until } from './support.js';

test('a value is seen by all, and written on condition', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const mine = await new SharedValue(client, '/app/value', { n: 1 }, jsonSerializer<{ n: number }>()).start();
  const theirs = await new SharedValue(other, '/app/value', { n: 9 }, jsonSerializer<{ n: number }>()).start();
  assert.deepEqual([mine.value, theirs.value], [{ n: 1 }, { n: 1 }]);
  const before = theirs.versionedValue;
  const changes = theirs.changes();
  await mine.setValue({ n: 2 });
  assert.deepEqual((await changes.next()).value?.value, { n: 2 });
  assert.equal(await theirs.trySetValue(before, { n: 3 }), false);
  assert.equal(await theirs.trySetValue(theirs.versionedValue, { n: 3 }), true);
  assert.deepEqual((await mine.refresh()).value, { n: 3 });
  await mine.close();
  await theirs.close();
  assert.equal((await changes.next()).value?.version, 2);
  assert.equal((await changes.next()).done, true);
  await until(async () => (await leftovers(client, server)).watches === 0);
  assert.equal(client.listenerCount('state'), 0);
});

test('of values that nobody reads the last hundred are kept', async (t) => {
  const server = await serve(t);
  await using count = await new SharedCount(await open(t, server.clientPort), '/count').start();
  const changes = count.changes();
  for (let i = 1; i <= 120; i++) await count.setCount(i);
  assert.equal(changes.length, 100);
  assert.equal((await changes.next()).value?.value, 21);
});

test('changes during a gap and in another session are seen', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  await using count = await new SharedCount(client, '/count', 5).start();
  const write = (n: number): Promise<unknown> => {
    const data = Buffer.alloc(4);
    data.writeInt32BE(n);
    return direct.setData('/count', data);
  };
  relay.down();
  await write(6);
  relay.up();
  await until(() => count.count === 6);
  await expire(server, client);
  await write(7);
  await until(() => count.count === 7);
  await direct.delete('/count');
  await direct.create('/count', { data: Buffer.from([0, 0, 0, 8]) });
  await until(() => count.count === 8);
});

test('a conditional write whose answer is lost: not executed is tried again, executed is left open', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port);
  await using count = await new SharedCount(client, '/count').start();
  void relay.failAt('setData', 'beforeSend');
  assert.equal(await count.trySetCount(count.versionedValue, 1), true);
  void relay.failAt('setData', 'afterCommit');
  const error = await count.trySetCount(count.versionedValue, 2).catch((e: unknown) => e);
  assert.ok(isKeeperError(error, 'ConnectionLoss') && error.outcomeUnknown);
  assert.equal((await count.refresh()).value, 2);
  void relay.failAt('setData', 'afterCommit');
  await count.setCount(3);
  assert.equal((await count.refresh()).value, 3);
});

test('a conditional write that finds the session gone is made in the next one', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using count = await new SharedCount(client, '/count').start();
  const failing = t.mock.method(client, 'setData', async () => {
    failing.mock.restore();
    throw new KeeperError(ErrorCode.SessionExpired, 'setData', '/count');
  });
  assert.equal(await count.trySetCount(count.versionedValue, 5), true);
  assert.equal(count.count, 5);
});

test('bad use and bad data are told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/text', { data: 'x' });
  const bad = new SharedCount(client, '/text');
  await assert.rejects(bad.start(), (error) => isRecipeError(error, 'BadData') && error.recipe === 'SharedCount');
  const count = new SharedCount(client, '/n');
  await assert.rejects(count.setCount(1), (error) => isRecipeError(error, 'NotStarted') && error.path === '/n');
  await count.start();
  await assert.rejects(count.start(), (error) => isRecipeError(error, 'AlreadyStarted'));
  const told = new Promise((resolve) => count.on('error', resolve));
  await client.setData('/n', 'x');
  assert.ok(isRecipeError(await told, 'BadData'));
  await count.close();
  await count.close();
  await assert.rejects(count.setCount(1), (error) => isRecipeError(error, 'Closed'));
  await assert.rejects(count.start(), (error) => isRecipeError(error, 'Closed'));
});

test('a write that costs every connection is not repeated without end', async (t) => {
  const server = await serve(t, { 'jute.maxbuffer': 5000 });
  const client = await open(t, server.clientPort, { reconnect: { minDelay: 1, maxDelay: 1 } });
  await using value = await new SharedValue(client, '/large', 'x', stringSerializer).start();
  const large = 'y'.repeat(20_000);
  await assert.rejects(value.setValue(large), { codeName: 'ConnectionLoss', outcomeUnknown: true });
  await assert.rejects(new SharedValue(client, '/seed', large, stringSerializer).start(), {
    codeName: 'ConnectionLoss',
  });
  await assert.rejects(value.trySetValue(value.versionedValue, large), { codeName: 'ConnectionLoss' });
  await value.setValue('small');
  assert.equal(String((await client.getData('/large')).data), 'small');
});
