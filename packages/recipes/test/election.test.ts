// LeaderLatch, LeaderSelector, followLeader: one leader at a time, and always a next one.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Perms } from '@nodekeeper/client';
import { followLeader, isRecipeError, LeaderLatch, LeaderSelector, type Leadership } from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { atEnd, childCount, deferred, expire, leftovers, open, serve, until } from './support.js';

test('the first leads, the next follows, and those who look on see it', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const leaders = followLeader(clients[2], '/app/election');
  assert.equal((await leaders.next()).value, undefined);
  const a = new LeaderLatch(clients[0], '/app/election', { id: 'a' }).start();
  const first = await a.awaitLeadership({ timeout: 5000 });
  const b = new LeaderLatch(clients[1], '/app/election', { id: 'b' }).start();
  await childCount(clients[2], '/app/election', 2);
  assert.equal((await leaders.next()).value?.id, 'a');
  assert.deepEqual(
    (await b.getParticipants()).map(({ id, isLeader }) => [id, isLeader]),
    [
      ['a', true],
      ['b', false],
    ],
  );
  assert.ok(a.hasLeadership && !b.hasLeadership && b.leadership === undefined);
  let isOver = false;
  a.on('notLeader', () => {
    isOver = true;
  });
  await a.handOver();
  const second = await b.awaitLeadership();
  assert.ok(second.fencingToken > first.fencingToken && first.signal.aborted && isOver);
  const seen = (await leaders.next()).value;
  assert.deepEqual([seen?.id, seen?.fencingToken], ['b', second.fencingToken]);
  await b.close();
  await a.awaitLeadership();
  assert.equal((await leaders.next()).value?.id, 'a');
  await a.close();
  assert.equal((await leaders.next()).value, undefined);
  await leaders.return?.();
  await until(async () => (await leftovers(clients[2], server)).watches === 0);
  assert.deepEqual((await leftovers(clients[2], server)).nodes, ['/app', '/app/election']);
  for (const client of clients) assert.equal(client.listenerCount('state'), 0);
});

test('an expired session loses the leadership and joins again', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using a = new LeaderLatch(client, '/e', { id: 'a' }).start();
  const first = await a.awaitLeadership();
  await using b = new LeaderLatch(other, '/e', { id: 'b' }).start();
  await childCount(other, '/e', 2);
  await expire(server, client);
  const second = await b.awaitLeadership();
  await until(() => first.signal.aborted);
  await childCount(other, '/e', 2);
  await b.handOver();
  assert.ok((await a.awaitLeadership()).fencingToken > second.fencingToken);
});

test('a short gap costs nothing, a long one the leadership, and deletion by others too', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port, { sessionTimeout: 9000 }), await open(t, server.clientPort)];
  await using latch = new LeaderLatch(client, '/gap').start();
  const first = await latch.awaitLeadership();
  const reconnected = once(client, 'reconnected');
  relay.cut();
  await reconnected;
  assert.ok(!first.signal.aborted);
  relay.down();
  await until(() => first.signal.aborted, 'the grace is over');
  relay.up();
  const second = await latch.awaitLeadership();
  assert.ok(second.fencingToken > first.fencingToken);
  assert.equal((await direct.getChildren('/gap')).children.length, 1);
  await direct.delete(second.path);
  await until(() => second.signal.aborted);
  await latch.awaitLeadership();
});

test('leading is a function that runs, one at a time', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const turns: string[] = [];
  const tokens: number[] = [];
  let running = 0;
  const selectors = clients.map((client, i) => {
    const lead = async ({ fencingToken }: Leadership): Promise<void> => {
      assert.equal(++running, 1);
      turns.push(`s${i}`);
      tokens.push(fencingToken);
      await client.exists('/s');
      running--;
    };
    return new LeaderSelector(client, '/s', lead, { id: `s${i}`, autoRequeue: true }).start();
  });
  await until(() => ['s0', 's1', 's2'].every((id) => turns.filter((one) => one === id).length > 2));
  await Promise.all(selectors.map((selector) => selector.close()));
  assert.deepEqual(
    tokens,
    [...tokens].sort((a, b) => a - b),
  );
  assert.deepEqual(await leftovers(clients[0], server), { nodes: ['/s'], watches: 0 });
});

test('a leader is interrupted, queues again, and its errors are told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const led: Leadership[] = [];
  const selector = new LeaderSelector(
    client,
    '/i',
    (leadership) =>
      new Promise((_, reject) => {
        led.push(leadership);
        leadership.signal.addEventListener('abort', () => reject(new Error('stopped')));
      }),
    { layout: 'kazoo', id: 'me' },
  );
  const errors: unknown[] = [];
  selector.on('error', (error) => errors.push(error));
  assert.throws(
    () => selector.requeue(),
    (error) => isRecipeError(error, 'NotStarted'),
  );
  selector.start();
  await until(() => led.length === 1);
  assert.match(led[0].path, /__lock__0000000000$/);
  assert.equal((await selector.getLeader())?.id, 'me');
  assert.equal(selector.requeue(), false);
  selector.interruptLeadership();
  await until(() => errors.length === 1 && !selector.hasLeadership);
  await until(() => selector.requeue());
  await until(() => led.length === 2);
  await selector.close();
  assert.deepEqual(await leftovers(client, server), { nodes: ['/i'], watches: 0 });
  assert.throws(
    () => selector.start(),
    (error) => isRecipeError(error, 'Closed') && error.path === '/i',
  );
});

test('who queues again while the last leadership is given back leads again', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const given = deferred();
  const remove = client.delete.bind(client);
  const deleting = t.mock.method(client, 'delete', (path: string) => given.promise.then(() => remove(path)));
  let turns = 0;
  await using selector = new LeaderSelector(client, '/s', () => void turns++).start();
  await until(() => deleting.mock.callCount() === 1);
  assert.equal(selector.requeue(), true);
  assert.equal(selector.requeue(), false);
  given.resolve();
  await until(() => turns === 2);
});

for (const step of STEPS) {
  test(`the connection is lost while joining and while leaving, ${step}`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
    const failed = ['create', 'getChildren', 'delete'].map((operation) => relay.failAt(operation as 'create', step));
    const latch = new LeaderLatch(client, '/lossy').start();
    await latch.awaitLeadership();
    assert.equal((await direct.getChildren('/lossy')).children.length, 1);
    await latch.close();
    await Promise.all(failed);
    await childCount(direct, '/lossy', 0);
    await until(async () => (await leftovers(direct, server)).watches === 0);
  });
}

test('a leadership ends with a reason, and stopping for that reason is no error', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const latch = new LeaderLatch(client, '/why').start();
  const lost = await latch.awaitLeadership();
  const reasons: unknown[] = [];
  const stop = ({ signal }: Leadership): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reasons.push(signal.reason.code);
        reject(signal.reason);
      });
    });
  const selector = new LeaderSelector(client, '/selector', stop, { autoRequeue: true }).start();
  selector.on('error', (error) => reasons.push(error));
  await until(() => selector.hasLeadership);
  await expire(server, client);
  await until(() => reasons.length === 1 && selector.hasLeadership);
  assert.ok(isRecipeError(lost.signal.reason, 'Lost'));
  const given = await latch.awaitLeadership();
  await latch.close();
  assert.ok(isRecipeError(given.signal.reason, 'Closed'));
  await selector.close();
  assert.deepEqual(reasons, ['Lost', 'Closed']);
});

test('who was held up longer than the session may last leads no more', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const latch = new LeaderLatch(client, '/stall').start();
  const { signal } = await latch.awaitLeadership();
  const selector = new LeaderSelector(
    client,
    '/stalled',
    async (own) => void (await once(own.signal, 'abort')),
  ).start();
  await until(() => selector.hasLeadership);
  const now = performance.now.bind(performance);
  const clock = t.mock.method(performance, 'now', () => now() + client.sessionTimeout);
  assert.deepEqual([latch.hasLeadership, latch.leadership, selector.hasLeadership], [false, undefined, false]);
  clock.mock.restore();
  assert.ok(isRecipeError(signal.reason, 'Lost'));
  await Promise.all([latch.close(), selector.close()]);
});

test('a function is not called with a session that may be over, but when it has a turn again', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const creating = t.mock.method(client, 'create');
  const stall = t.mock.getter(client, 'sessionSafeUntil', () => 0);
  const led: boolean[] = [];
  const selector: LeaderSelector = new LeaderSelector(client, '/held-up', () => void led.push(selector.hasLeadership));
  selector.start();
  await until(() => creating.mock.callCount() > 4);
  stall.mock.restore();
  await until(() => led.length === 1);
  assert.deepEqual(led, [true]);
  await selector.close();
  await childCount(client, '/held-up', 0);
});

test('50 participants lead in turn, never two of them', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
  let leaders = 0;
  let token = 0;
  let turns = 0;
  const latches = clients.map((client) => {
    const latch = new LeaderLatch(client, '/crowd');
    latch.on('isLeader', (leadership) => {
      assert.equal(++leaders, 1);
      assert.ok(leadership.fencingToken > token);
      token = leadership.fencingToken;
      turns++;
      leadership.signal.addEventListener('abort', () => leaders--, { once: true });
      void client.exists('/crowd').then(() => latch.close());
    });
    atEnd(t, () => latch.close());
    return latch.start();
  });
  await until(() => turns === 50 && latches.every((latch) => !latch.hasLeadership));
  await until(async () => (await leftovers(clients[0], server)).nodes.length === 1);
  assert.equal((await leftovers(clients[0], server)).watches, 0);
});

test('who follows the leader and may not read is told', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/secret', { acl: [{ perms: Perms.write, scheme: 'world', id: 'anyone' }] });
  await assert.rejects(followLeader(client, '/secret').next(), { codeName: 'NoAuth' });
  const leaders = followLeader(client, '/none');
  assert.equal((await leaders.next()).value, undefined);
  await client.close();
  assert.equal((await leaders.next()).done, true);
});

test('waiting for leadership ends with its limits', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using leader = new LeaderLatch(client, '/w').start();
  await leader.awaitLeadership();
  const latch = new LeaderLatch(client, '/w');
  await assert.rejects(latch.awaitLeadership(), (error) => isRecipeError(error, 'NotStarted'));
  latch.start();
  await assert.rejects(latch.awaitLeadership({ timeout: 10 }), (error) => isRecipeError(error, 'Timeout'));
  const waiting = assert.rejects(latch.awaitLeadership(), (error) => isRecipeError(error, 'Closed'));
  await latch.close();
  await waiting;
  assert.throws(
    () => new LeaderLatch(client, 'w'),
    (error) => isRecipeError(error, 'BadPath') && error.recipe === 'LeaderLatch',
  );
});
