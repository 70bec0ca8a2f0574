// The recipes with the client that `require` gives: its classes are others than those of the client that `import` gives.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { type TestContext, test } from 'node:test';
import type { Client } from '@nodekeeper/client';
import { Cache, DistributedQueue, stringSerializer } from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, open, serve, until } from './support.js';

const required = createRequire(import.meta.url)('@nodekeeper/client') as typeof import('@nodekeeper/client');

async function openRequired(t: TestContext, port: number): Promise<Client> {
  const client = await required.connect(`127.0.0.1:${port}`);
  atEnd(t, () => client.close({ timeout: 500 }));
  return client;
}

test('a cache takes a read that failed for what it is', async (t) => {
  const server = await serve(t);
  const client = await openRequired(t, server.clientPort);
  const acl = [{ perms: 2, scheme: 'world', id: 'anyone' }]; // to be written only
  await client.create('/c');
  await client.create('/c/secret', { acl });
  const cache = new Cache(client, '/c');
  const errors: unknown[] = [];
  cache.on('error', (error) => errors.push(error));
  await assert.doesNotReject(cache.start());
  await until(() => errors.length === 1);
  assert.ok(required.isKeeperError(errors[0], 'NoAuth'));
  assert.deepEqual(
    [...cache.all()].map(({ path }) => path),
    ['/c'],
  );
});

test('a consumer goes on after a failure', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await openRequired(t, relay.port), await open(t, server.clientPort)];
  const producer = new DistributedQueue(direct, '/q', stringSerializer);
  await using queue = new DistributedQueue(client, '/q', stringSerializer);
  const errors: unknown[] = [];
  queue.on('error', (error) => errors.push(error));
  const got: string[] = [];
  queue.consume((item) => void got.push(item));
  // An item of which nobody knows who has taken it, and a list that may not be read.
  void relay.failAt('multi', 'afterCommit');
  await producer.put('a');
  await until(() => errors.length === 1);
  const refused = t.mock.method(client, 'getChildren', () => {
    refused.mock.restore();
    return Promise.reject(new required.KeeperError(required.ErrorCode.NoAuth, 'getChildren', '/q'));
  });
  await producer.put('b');
  await until(() => errors.length === 2);
  await producer.put('c');
  await until(() => got.length === 2);
  assert.deepEqual(got, ['b', 'c']);
});
