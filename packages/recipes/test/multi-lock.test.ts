// InterProcessMultiLock: all or none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  InterProcessMultiLock,
  InterProcessMutex,
  InterProcessSemaphoreMutex,
  InterProcessSemaphoreV2,
  isRecipeError,
} from '../dist/index.js';
import { childCount, expire, leftovers, open, serve, until } from './support.js';

test('all are held, or none', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const multi = new InterProcessMultiLock(client, ['/a', new InterProcessSemaphoreMutex(client, '/b'), '/c']);
  const c = await new InterProcessMutex(client, '/c').acquire();
  assert.equal(await multi.tryAcquire(), undefined);
  assert.equal(await multi.tryAcquire({ timeout: 20 }), undefined);
  await assert.rejects(multi.acquire({ timeout: 20 }), (error) => isRecipeError(error, 'Timeout'));
  assert.equal((await client.getChildren('/a')).children.length, 0);
  await c.release();
  const hold = await multi.acquire();
  assert.equal(hold.fencingTokens.length, 3);
  assert.ok(hold.isHeld);
  for (const path of ['/a', '/c']) assert.equal(await new InterProcessMutex(client, path).tryAcquire(), undefined);
  await hold.release();
  await assert.rejects(hold.release(), (error) => isRecipeError(error, 'NotHeld'));
  await until(async () => (await leftovers(client, server)).watches === 0);
  assert.deepEqual((await leftovers(client, server)).nodes, ['/a', '/b', '/b/leases', '/b/locks', '/c']);
});

test('the loss of one is told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const watched = new InterProcessMutex(client, '/y', { onRevoke: () => {} });
  await using hold = await new InterProcessMultiLock(client, ['/x', watched]).acquire();
  const [node] = await watched.getParticipantNodes();
  await client.delete(node);
  await until(() => hold.signal.aborted);
  assert.ok(!hold.isHeld);
  assert.throws(
    () => new InterProcessMultiLock(client, []),
    (error) => isRecipeError(error, 'BadArgument'),
  );
});

test('a mutex that is there twice would wait for itself', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  for (const locks of [
    ['/x', '/y', '/x'],
    ['/x', new InterProcessMutex(client, '/x')],
  ]) {
    assert.throws(
      () => new InterProcessMultiLock(client, locks),
      (error) => isRecipeError(error, 'WouldDeadlock') && /\/x is there twice/.test(error.message),
    );
  }
});

test('what is lost while the next one is waited for is asked for again', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const semaphore = new InterProcessSemaphoreV2(other, '/leases', 2);
  const [second, lease] = [await new InterProcessMutex(other, '/b').acquire(), await semaphore.acquire()];
  const both = new InterProcessMultiLock(client, ['/a', '/b']).acquire();
  const leases = new InterProcessSemaphoreV2(client, '/leases', 2).acquireMany(2);
  await childCount(other, '/b', 2);
  await childCount(other, '/leases/leases', 3);
  const { sessionId } = client;
  await expire(server, client);
  await until(() => client.isConnected && client.sessionId !== sessionId);
  await Promise.all([second.release(), lease.release()]);
  const hold = await both;
  assert.ok(hold.isHeld && !hold.signal.aborted);
  for (const one of await leases) assert.ok(one.isHeld);
  assert.equal(await semaphore.tryAcquire(), undefined);
  assert.equal(await new InterProcessMutex(other, '/a').tryAcquire(), undefined);
});

test('what listens for a loss goes with the hold', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const multi = new InterProcessMultiLock(client, ['/a', '/b']);
  const listenOnce = async (): Promise<WeakRef<object>> => {
    const hold = await multi.acquire();
    const listener = { handleEvent: () => {} };
    hold.signal.addEventListener('abort', listener);
    await hold.release();
    return new WeakRef(listener);
  };
  const listener = await listenOnce();
  await until(() => {
    collectGarbage();
    return listener.deref() === undefined;
  });
});
