// A server whose process stood still: who has shown a sign of life meanwhile is not dead, and who has not is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Patience } from '../../dist/session/patience.js';
import { Clock } from './clock.js';
import { RawClient, serve } from './raw-client.js';

test('a session whose sign of life is read after the server wakes up lives on, a silent one expires', async (t) => {
  const clock = new Clock();
  const { server, clientPort } = await serve(t, { tickTime: 2000 }, { runtime: clock.runtime });
  const silent = await RawClient.open(t, clientPort, { timeout: 4000 });
  const alive = await RawClient.open(t, clientPort, { timeout: 4000 });
  await clock.pass(100);
  await clock.pass(60_000);
  assert.equal((await alive.ping()).error, 0);
  while (!silent.ended) await clock.pass(400);
  assert.equal(alive.ended, false);
  assert.deepEqual([...server.database.sessionTimeouts.keys()], [alive.id]);
});

test('a server that is late again and again lets the silent expire all the same', async (t) => {
  const clock = new Clock();
  const { clientPort } = await serve(t, { tickTime: 2000 }, { runtime: clock.runtime });
  const silent = await RawClient.open(t, clientPort, { timeout: 4000 });
  for (let i = 0; i < 100 && !silent.ended; i++) await clock.pass(1000);
  assert.equal(silent.ended, true);
});

test('while requests are held, pings are not read: whoever is connected lives on', async (t) => {
  const clock = new Clock();
  const { server, clientPort } = await serve(t, { tickTime: 2000 }, { runtime: clock.runtime });
  const client = await RawClient.open(t, clientPort, { timeout: 4000 });
  server.port.hold(1_000_000);
  for (let i = 0; i < 20; i++) await clock.pass(400);
  assert.deepEqual([...server.database.sessionTimeouts.keys()], [client.id]);
  server.port.hold(0);
  while (!client.ended) await clock.pass(400);
});

test('after each time it stood still what has come is read before anybody is taken for dead', () => {
  const patience = new Patience(2000, 0);
  assert.equal(patience.mayExpire(100), true);
  assert.equal(patience.mayExpire(10_000), false, 'a tick of grace');
  assert.equal(patience.mayExpire(10_100), false);
  for (let now = 10_500; now < 12_000; now += 400) patience.mayExpire(now);
  assert.equal(patience.mayExpire(12_100), true);
  assert.equal(patience.mayExpire(15_000), false, 'without another grace');
  assert.equal(patience.mayExpire(15_100), true);
  assert.equal(patience.mayExpire(16_000), false);
  assert.equal(patience.mayExpire(17_000), true, 'late all the time');
});
