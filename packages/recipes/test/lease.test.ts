// NonBlockingLease, MultiNonBlockingLease: had until a time, renewed under the same name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, KeeperError } from '@nodekeeper/client';
import { isRecipeError, MultiNonBlockingLease, NonBlockingLease } from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { expire, leftovers, open, serve, until } from './support.js';

test('a lease is had by one, renewed, and passes on when its time is over', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  let time = Date.UTC(2026, 0, 1, 12, 0, 0, 500);
  const now = (): number => time;
  const a = new NonBlockingLease(client, '/lease', 60_000, { identifier: 'a', now });
  const b = new NonBlockingLease(client, '/lease', 60_000, { identifier: 'b', now });
  assert.equal((await a.obtain())?.end.toISOString(), '2026-01-01T12:01:00.000Z');
  assert.equal(
    String((await client.getData('/lease/lease_holder')).data),
    '{"version":1,"holder":"a","end":"2026-01-01T12:01:00"}',
  );
  assert.equal(await b.obtain(), undefined);
  time += 30_000;
  assert.equal((await a.obtain())?.end.toISOString(), '2026-01-01T12:01:30.000Z');
  time += 60_000;
  assert.ok(await b.obtain());
  assert.equal(await a.obtain(), undefined);
  await client.setData('/lease/lease_holder', '{"version":2}');
  assert.equal(await b.obtain(), undefined);
  await client.setData('/lease/lease_holder', 'x');
  await assert.rejects(b.obtain(), (e) => isRecipeError(e, 'BadData') && e.recipe === 'NonBlockingLease');
  assert.deepEqual(await leftovers(client, server), { nodes: ['/lease', '/lease/lease_holder'], watches: 0 });
});

test('one of several leases, and bad arguments', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const take = (identifier: string): ReturnType<MultiNonBlockingLease['obtain']> =>
    new MultiNonBlockingLease(client, 2, '/leases', 60_000, { identifier }).obtain();
  assert.deepEqual(
    [(await take('a'))?.path, (await take('b'))?.path, await take('c')],
    ['/leases/0', '/leases/1', undefined],
  );
  for (const make of [
    () => new NonBlockingLease(client, '/l', 0),
    () => new MultiNonBlockingLease(client, 0, '/l', 1),
  ]) {
    assert.throws(make, (e) => isRecipeError(e, 'BadArgument') && e.path === '/l');
  }
});

test('a node that holds no lease is told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/bad/lease_holder', { data: 'null', createParents: true });
  const lease = new NonBlockingLease(client, '/bad', 1000);
  await assert.rejects(lease.obtain(), (error) => isRecipeError(error, 'BadData'));
});

test('a session that ends while the lease is written ends the attempt: another may have it since', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  for (const path of ['/kept', '/new']) {
    if (path === '/kept') await new NonBlockingLease(other, path, 1, { identifier: 'old', now: () => 0 }).obtain();
    const operation = path === '/kept' ? 'setData' : 'create';
    const failing = t.mock.method(client, operation, async (at: string, ...rest: never[]) => {
      if (at !== `${path}/lease_holder`) return Object.getPrototypeOf(client)[operation].call(client, at, ...rest);
      failing.mock.restore();
      const { sessionId } = client;
      await expire(server, client);
      assert.ok(await new NonBlockingLease(other, path, 60_000, { identifier: 'b' }).obtain());
      // The next session is there before the next try.
      await until(() => client.isConnected && client.sessionId !== sessionId);
      throw new KeeperError(ErrorCode.ConnectionLoss, operation, at, { outcomeUnknown: true });
    });
    assert.equal(await new NonBlockingLease(client, path, 60_000, { identifier: 'a' }).obtain(), undefined);
    assert.match(String((await other.getData(`${path}/lease_holder`)).data), /"holder":"b"/);
  }
});

for (const operation of ['create', 'setData'] as const) {
  for (const step of STEPS) {
    test(`the connection is lost while the lease is written, ${operation}, ${step}`, async (t) => {
      const server = await serve(t);
      const relay = await Relay.start(t, server.clientPort);
      const client = await open(t, relay.port);
      const lease = new NonBlockingLease(client, '/lossy', 60_000, { identifier: 'a' });
      if (operation === 'setData') await lease.obtain();
      else await client.ensurePath('/lossy');
      const failed = relay.failAt(operation, step, operation === 'create' ? 1 : 0); // behind that of the lock's node
      assert.ok(await lease.obtain());
      await failed;
      assert.match(String((await client.getData('/lossy/lease_holder')).data), /"holder":"a"/);
    });
  }
}
