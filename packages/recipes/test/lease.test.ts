// NonBlockingLease, MultiNonBlockingLease: had until a time, renewed under the same name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecipeError, MultiNonBlockingLease, NonBlockingLease } from '../dist/index.js';
import { leftovers, open, serve } from './support.js';

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
