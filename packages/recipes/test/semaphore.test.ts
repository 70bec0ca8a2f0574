// InterProcessSemaphoreV2: never more leases than the limit, in the order of asking.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ErrorCode, KeeperError, Perms } from '@nodekeeper/client';
import {
  InterProcessSemaphoreMutex,
  InterProcessSemaphoreV2,
  isRecipeError,
  type Lease,
  SharedCount,
} from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { childCount, deferred, expire, leftovers, open, serve, until } from './support.js';

for (const layout of ['curator', 'kazoo'] as const) {
  test(`as many leases as the limit says (${layout})`, async (t) => {
    const server = await serve(t);
    const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
    const semaphore = new InterProcessSemaphoreV2(client, '/sem', 2, { layout, data: 'mine' });
    const rival = new InterProcessSemaphoreV2(other, '/sem', 2, { layout });
    const [one, two] = await semaphore.acquireMany(2);
    assert.equal(String(await one.getData()), 'mine');
    assert.equal(await rival.tryAcquire(), undefined);
    assert.equal(await rival.tryAcquire({ timeout: 20 }), undefined);
    await assert.rejects(rival.acquire({ timeout: 20 }), (error) => isRecipeError(error, 'Timeout'));
    await until(async () => (await semaphore.getParticipantNodes()).length === 2, 'who gave up is gone');
    const next = rival.acquire();
    await one.release();
    const third = await next;
    assert.ok(third.fencingToken > two.fencingToken);
    await Promise.all([two.release(), third.release()]);
    await assert.rejects(two.release(), (error) => isRecipeError(error, 'NotHeld'));
    const { nodes, watches } = await leftovers(client, server);
    assert.deepEqual(nodes, layout === 'kazoo' ? ['/sem', '/sem-__lock__'] : ['/sem', '/sem/leases', '/sem/locks']);
    assert.equal(watches, 0);
  });
}

test('a limit that others do not share is refused in the layout of kazoo', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await (await new InterProcessSemaphoreV2(client, '/k', 3, { layout: 'kazoo' }).acquire()).release();
  assert.equal(String((await client.getData('/k')).data), '3');
  await assert.rejects(
    new InterProcessSemaphoreV2(client, '/k', 4, { layout: 'kazoo' }).acquire(),
    (error) => isRecipeError(error, 'BadArgument') && /the limit is 3, not 4/.test(error.message),
  );
});

test('no lease stays behind when its turn cannot be given back', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  for (const path of ['/t', '/t/locks', '/t/leases']) await client.create(path);
  const perms = Perms.all & ~Perms.delete;
  await client.setACL('/t/locks', [{ perms, scheme: 'world', id: 'anyone' }]);
  await assert.rejects(new InterProcessSemaphoreV2(client, '/t', 2).acquire(), { codeName: 'NoAuth' });
  assert.deepEqual((await client.getChildren('/t/leases')).children, []);
});

test('a shared count is the limit, and changes for those who wait', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using count = await new SharedCount(client, '/limit', 1).start();
  const semaphore = new InterProcessSemaphoreV2(client, '/shared', count);
  const one = await semaphore.acquire();
  const waiting = semaphore.acquire();
  await childCount(client, '/shared/leases', 2);
  await count.setCount(2);
  const two = await waiting;
  assert.ok(one.isHeld && two.isHeld);
  await Promise.all([one.release(), two.release()]);
  assert.equal(count.listenerCount('change'), 0);
});

for (const operation of ['create', 'getChildren', 'delete'] as const) {
  for (const step of STEPS) {
    test(`the connection is lost at the second ${operation}, ${step}`, async (t) => {
      const server = await serve(t);
      const relay = await Relay.start(t, server.clientPort);
      const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
      const semaphore = new InterProcessSemaphoreV2(client, '/lossy', 3);
      await (await semaphore.acquire()).release();
      const failed = relay.failAt(operation, step, 1);
      const lease = await semaphore.acquire();
      assert.deepEqual(
        (await direct.getChildren('/lossy/leases')).children.map((name) => `/lossy/leases/${name}`),
        [lease.path],
      );
      await lease.release();
      await failed;
      assert.deepEqual((await leftovers(direct, server)).nodes, ['/lossy', '/lossy/leases', '/lossy/locks']);
    });
  }
}

test('an expired session returns its leases, and who waits in one waits on', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const lease = await new InterProcessSemaphoreV2(client, '/exp', 1).acquire();
  const next = new InterProcessSemaphoreV2(other, '/exp', 1).acquire();
  await childCount(client, '/exp/leases', 2);
  await expire(server, other);
  await until(() => other.isConnected && other.state === 'connected');
  await childCount(client, '/exp/leases', 2);
  await expire(server, client);
  await until(() => lease.signal.aborted);
  await (await next).release();
});

test('a session that ends while the lease is made costs the turn, and nobody waits for good', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const lease = await new InterProcessSemaphoreV2(other, '/ended', 1).acquire();
  const failed = deferred();
  const create = client.create.bind(client);
  const failing = t.mock.method(client, 'create', async (path: string, options: object) => {
    if (!path.startsWith('/ended/leases/')) return create(path, options);
    failing.mock.restore();
    await failed.promise;
    throw new KeeperError(ErrorCode.ConnectionLoss, 'create', path, { outcomeUnknown: true });
  });
  const waiting = new InterProcessSemaphoreV2(client, '/ended', 1).acquire();
  await childCount(other, '/ended/locks', 1);
  const rival = new InterProcessSemaphoreV2(other, '/ended', 1).acquire({ timeout: 10_000 });
  await childCount(other, '/ended/locks', 2);
  const { sessionId } = client;
  await expire(server, client);
  await until(() => client.isConnected && client.sessionId !== sessionId);
  await childCount(other, '/ended/leases', 2); // the rival has the turn
  failed.resolve();
  await childCount(other, '/ended/locks', 2); // who has lost it stands in line again
  await lease.release();
  await (await rival).release();
  await (await waiting).release();
});

test('who waits for a lease keeps its turn while the session lives, however long the connection is away', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 6000 });
  const [holder, third] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const lease = await new InterProcessSemaphoreV2(holder, '/turn', 1).acquire();
  const next = new InterProcessSemaphoreV2(client, '/turn', 1).acquire();
  await childCount(holder, '/turn/leases', 2);
  const last = new InterProcessSemaphoreV2(third, '/turn', 1).acquire();
  await childCount(holder, '/turn/locks', 2);
  relay.down();
  await once(client, 'suspended');
  // Longer than the grace, a third of the session time-out. Who gave up the turn and kept the place would be in the way of the next.
  await new Promise((resolve) => setTimeout(resolve, 2100));
  relay.up();
  await client.connected();
  await lease.release();
  await (await next).release();
  await (await last).release();
});

test('of two that try for the last lease at once, one hears soon that there is none', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const [a, b, c] = clients.map((client) => new InterProcessSemaphoreV2(client, '/try', 1));
  const tried = await Promise.all([a.tryAcquire(), b.tryAcquire()]);
  assert.equal(tried.filter((lease) => lease === undefined).length, 1);
  for (const lease of tried) await lease?.release();
  // So does who finds the line blocked by one that waits for a lease.
  const lease = await a.acquire();
  const waiting = b.acquire();
  await childCount(clients[0], '/try/leases', 2);
  assert.equal(await c.tryAcquire(), undefined);
  await lease.release();
  await (await waiting).release();
  await (await c.tryAcquire())?.release();
  const left = await leftovers(clients[0], server);
  assert.deepEqual(left.nodes, ['/try', '/try/leases', '/try/locks']);
  await until(async () => (await leftovers(clients[0], server)).watches === 0);
});

test('who does not wait does not wait after the end of its session either', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const semaphore = new InterProcessSemaphoreV2(other, '/over', 1);
  const others: Promise<Lease>[] = [];
  const create = client.create.bind(client);
  const failing = t.mock.method(client, 'create', async (path: string, options: object) => {
    if (!path.startsWith('/over/leases/')) return create(path, options);
    failing.mock.restore();
    // Behind this one there are two already: the first gets the lease, the second has the turn and waits.
    others.push(semaphore.acquire(), semaphore.acquire());
    await childCount(other, '/over/locks', 3);
    throw new KeeperError(ErrorCode.SessionExpired, 'create', path);
  });
  assert.equal(await new InterProcessSemaphoreV2(client, '/over', 1).tryAcquire(), undefined);
  for (const lease of others) await (await lease).release();
});

test('more leases than there are are not waited for', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const semaphore = new InterProcessSemaphoreV2(client, '/many', 2);
  await assert.rejects(semaphore.acquireMany(3), (error) => isRecipeError(error, 'WouldDeadlock'));
  assert.equal((await semaphore.acquireMany(2)).length, 2);
});

test('50 clients never hold more than the limit', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
  let held = 0;
  let most = 0;
  await Promise.all(
    clients.map(async (client) => {
      const semaphore = new InterProcessSemaphoreV2(client, '/crowd', 5);
      for (let i = 0; i < 2; i++) {
        const lease: Lease = await semaphore.acquire();
        most = Math.max(most, ++held);
        await until(() => most > 1); // so that others come in
        held--;
        await lease.release();
      }
    }),
  );
  assert.ok(most > 1 && most <= 5, `${most} at once`);
  assert.deepEqual(await leftovers(clients[0], server), {
    nodes: ['/crowd', '/crowd/leases', '/crowd/locks'],
    watches: 0,
  });
});

test('a semaphore mutex is held once, and bad limits are refused', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const mutex = new InterProcessSemaphoreMutex(client, '/one');
  const hold = await mutex.acquire();
  assert.equal(await mutex.tryAcquire(), undefined);
  await hold.release();
  for (const limit of [0, -1, 1.5, Number.NaN])
    assert.throws(
      () => new InterProcessSemaphoreV2(client, '/bad', limit),
      (error) => isRecipeError(error, 'BadArgument') && error.path === '/bad',
    );
});
