// Queues: order, delivery as promised, and nothing lost or doubled beyond that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, isKeeperError, KeeperError, OPEN_ACL_UNSAFE, Perms } from '@nodekeeper/client';
import {
  DistributedDelayQueue,
  DistributedIdQueue,
  DistributedPriorityQueue,
  DistributedQueue,
  isRecipeError,
  LockingQueue,
  Queue,
  SimpleDistributedQueue,
  stringSerializer,
} from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { childCount, deferred, expire, leftovers, open, serve, until } from './support.js';

for (const lockPath of [undefined, '/locks']) {
  const options = lockPath === undefined ? {} : { lockPath };
  const name = lockPath === undefined ? 'without locks' : 'with locks';

  test(`items are consumed in order, those before and those after the consumer (${name})`, async (t) => {
    const server = await serve(t);
    const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
    const producer = new DistributedQueue(client, '/app/queue', stringSerializer, options);
    await using queue = new DistributedQueue(other, '/app/queue', stringSerializer, options);
    await producer.put('a');
    await producer.putMulti(['b', 'c']);
    assert.equal(await producer.size(), 2);
    const got: string[] = [];
    const consumer = queue.consume((item, { fencingToken }) => {
      assert.equal(fencingToken > 0, lockPath !== undefined);
      got.push(item);
    });
    await until(() => got.length === 3);
    await producer.put('d');
    await until(() => got.length === 4);
    assert.deepEqual(got, ['a', 'b', 'c', 'd']);
    await consumer.close();
    await producer.put('e');
    assert.equal(await queue.size(), 1);
    assert.equal(got.length, 4);
    await until(async () => (await leftovers(client, server)).watches === 0);
  });

  test(`50 consumers get each item once (${name})`, async (t) => {
    const server = await serve(t);
    const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
    const got: string[] = [];
    const queues = clients.map((client) => new DistributedQueue(client, '/crowd', stringSerializer, options));
    const consumers = queues.map((queue) => queue.consume((item) => void got.push(item), { concurrency: 2 }));
    await Promise.all(queues.flatMap((queue, i) => [0, 1, 2, 3].map((j) => queue.put(`${i}-${j}`))));
    await until(() => got.length >= 200);
    await Promise.all(consumers.map((consumer) => consumer.close()));
    assert.equal(got.length, 200);
    assert.equal(new Set(got).size, 200);
    const { nodes, watches } = await leftovers(clients[0], server);
    assert.deepEqual(nodes, lockPath === undefined ? ['/crowd'] : ['/crowd', '/locks']);
    assert.equal(watches, 0);
  });
}

test('an item whose handler fails is put again, or deleted', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using queue = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
  const errors: unknown[] = [];
  queue.on('error', (error) => errors.push(error));
  await queue.put('bad');
  await queue.put('good');
  const got: string[] = [];
  const fail = (item: string): void => {
    got.push(item);
    if (item === 'bad' && got.length < 3) throw new Error('no');
  };
  const consumer = queue.consume(fail);
  await until(() => got.length === 3);
  assert.deepEqual(got, ['bad', 'good', 'bad']);
  assert.equal(errors.length, 1);
  await consumer.close();
  await queue.put('bad');
  await client.create('/q/queue-9999999999', { data: 'no item' });
  got.length = 0;
  queue.consume(fail, { onError: 'delete' });
  await until(() => errors.length === 3);
  assert.ok(isRecipeError(errors[2], 'BadData') && errors[2].path === '/q/queue-9999999999');
  await childCount(client, '/q', 0);
});

test('consumers that wait hear of the death of another, although no item has come or gone', async (t) => {
  const server = await serve(t);
  const [client, other, watching] = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const options = { lockPath: '/l' };
  const first = new DistributedQueue(client, '/q', stringSerializer, options);
  const second = new DistributedQueue(other, '/q', stringSerializer, options);
  let finish: () => void = () => {};
  const begun = new Promise<void>((hasBegun) => {
    first.consume(() => {
      hasBegun();
      return new Promise((resolve) => {
        finish = resolve;
      });
    });
  });
  await first.put('a');
  await begun;
  const got: string[] = [];
  second.consume((item) => void got.push(item));
  // The first watches the items, the second these and the locks.
  await until(async () => (await leftovers(watching, server)).watches === 3, 'the second waits');
  await expire(server, client);
  await until(() => got.length === 1, 'the item goes to the second');
  finish();
  await Promise.all([first.close(), second.close()]);
  await until(async () => (await leftovers(watching, server)).watches === 0, 'no watch is left');
});

test('an item of a consumer whose session ends goes to another, and the first is told', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using mine = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
  await using theirs = new DistributedQueue(other, '/q', stringSerializer, { lockPath: '/l' });
  await mine.put('x');
  const tokens: number[] = [];
  let isTold = false;
  const first = new Promise<void>((resolve) => {
    mine.consume(async (_item, { signal, fencingToken }) => {
      tokens.push(fencingToken);
      resolve();
      await new Promise((over) => signal.addEventListener('abort', over));
      assert.equal(signal.reason.recipe, 'DistributedQueue');
      isTold = true;
    });
  });
  await first;
  theirs.consume((_item, { fencingToken }) => void tokens.push(fencingToken));
  await expire(server, client);
  await until(() => tokens.length === 2 && isTold);
  assert.ok(tokens[1] > tokens[0]);
  await childCount(other, '/q', 0);
  await childCount(other, '/l', 0);
});

test('what a handler leaves undone, as its signal is aborted, is delivered again though its session lives on', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port, { sessionTimeout: 6000 }), await open(t, server.clientPort)];
  await using queue = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
  await queue.putMulti(['a', 'b']);
  const { sessionId } = client;
  const done: string[] = [];
  let isCut = false;
  queue.consume(async (item, { signal }) => {
    if (signal.aborted) return;
    if (!isCut) {
      isCut = true;
      relay.down();
      await new Promise((over) => signal.addEventListener('abort', over));
      relay.up();
    }
    done.push(item);
  });
  await until(() => done.includes('b'), 'the second item is worked on');
  await childCount(direct, '/q', 0);
  await childCount(direct, '/l', 0);
  assert.equal(client.sessionId, sessionId);
});

for (const step of STEPS) {
  for (const operation of ['create', 'getData', 'getChildren', 'multi'] as const) {
    test(`with locks, every item is delivered though the connection is lost at ${operation}, ${step}`, async (t) => {
      const server = await serve(t);
      const relay = await Relay.start(t, server.clientPort);
      const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
      const producer = new DistributedQueue(direct, '/q', stringSerializer);
      await using queue = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
      await client.create('/l');
      for (const item of ['a', 'b', 'c']) await producer.put(item);
      const failed = relay.failAt(operation, step);
      const got: string[] = [];
      queue.consume((item) => void got.push(item));
      await failed;
      await childCount(direct, '/q', 0);
      await childCount(direct, '/l', 0);
      assert.deepEqual(got, ['a', 'b', 'c']); // the session lives on, so nobody else could get one
    });
  }

  test(`without locks, an item is delivered at most once though the connection is lost at its taking, ${step}`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
    const producer = new DistributedQueue(direct, '/q', stringSerializer);
    await using queue = new DistributedQueue(client, '/q', stringSerializer);
    for (const item of ['a', 'b', 'c']) await producer.put(item);
    const errors: unknown[] = [];
    queue.on('error', (error) => errors.push(error));
    const failed = relay.failAt('multi', step);
    const got: string[] = [];
    queue.consume((item) => void got.push(item));
    await failed;
    await childCount(direct, '/q', 0);
    await until(() => got.at(-1) === 'c');
    // What the answer was lost of is told as such, and is not delivered.
    assert.deepEqual(got, errors.length === 0 ? ['a', 'b', 'c'] : ['b', 'c']);
    assert.ok(errors.every((error) => isKeeperError(error, 'ConnectionLoss') && error.outcomeUnknown));
    if (step !== 'afterSend') assert.equal(errors.length, step === 'beforeSend' ? 0 : 1);
  });

  test(`a put whose connection is lost ${step} is there once or told, or repeated if that is wanted`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
    await client.create('/q');
    const careful = new DistributedQueue(client, '/q', stringSerializer);
    void relay.failAt('create', step);
    const error: unknown = await careful.put('x').then(
      () => undefined,
      (e) => e,
    );
    assert.ok(error === undefined || (isKeeperError(error) && error.outcomeUnknown));
    if (step === 'beforeSend') await careful.put('x').catch(() => {});
    const once = (await direct.getChildren('/q')).children.length;
    assert.ok(once <= 1 || step === 'beforeSend');
    void relay.failAt('create', step);
    await new DistributedQueue(client, '/q', stringSerializer, { whenUnknown: 'repeat' }).put('y');
    assert.ok((await direct.getChildren('/q')).children.length > once);
  });
}

test('an item that another has consumed while its lock was tried for again is not delivered', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  await new DistributedQueue(direct, '/q', stringSerializer).put('first');
  await using queue = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
  const got: string[] = [];
  const failed = relay.failAt('create', 'afterCommit', 1).then(() => relay.down()); // after the lock, its parent is made
  queue.consume((item) => void got.push(item));
  await failed;
  await direct.delete('/q/queue-0000000000');
  await new DistributedQueue(direct, '/q', stringSerializer).put('second');
  relay.up();
  await until(() => got.includes('second'));
  assert.deepEqual(got, ['second']);
});

test("a consumer whose session ends before it has read the item leaves another's lock alone", async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const mine = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
  const theirs = new DistributedQueue(direct, '/q', stringSerializer, { lockPath: '/l' });
  await direct.create('/l');
  await theirs.put('first');
  const failed = relay.failAt('getData', 'afterCommit').then(() => relay.down()); // after the lock
  const got: string[] = [];
  mine.consume((item) => void got.push(item));
  await failed;
  await expire(server, client);
  const finish = deferred();
  const begun = deferred();
  theirs.consume(() => {
    begun.resolve();
    return finish.promise;
  });
  await begun.promise;
  await theirs.put('second');
  relay.up();
  await until(() => got.length === 1, 'the next item is consumed, after the first was looked at again');
  await mine.close();
  assert.deepEqual(got, ['second']);
  assert.deepEqual((await direct.getChildren('/l')).children, ['queue-0000000000']);
  finish.resolve();
  await theirs.close();
});

for (const end of ['succeeds', 'fails'] as const) {
  test(`a handler that ${end} in a later session leaves another's lock alone`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
    const mine = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
    const theirs = new DistributedQueue(direct, '/q', stringSerializer, { lockPath: '/l' });
    mine.on('error', () => {});
    await mine.put('item');
    const [first, second] = [deferred(), deferred()];
    let handlers = 0;
    const consumer = mine.consume(() => {
      handlers++;
      return first.promise;
    });
    await until(() => handlers === 1);
    relay.down();
    await expire(server, client);
    theirs.consume(() => {
      handlers++;
      return second.promise;
    });
    await until(() => handlers === 2);
    relay.up();
    await client.connected();
    if (end === 'fails') first.reject(new Error('no'));
    else first.resolve();
    await consumer.close();
    assert.deepEqual((await direct.getChildren('/l')).children, ['queue-0000000000']);
    assert.equal(await theirs.size(), 1, 'who has the lock now may be the only one that does the work');
    second.resolve();
    await Promise.all([mine.close(), theirs.close()]);
    await childCount(direct, '/q', 0);
    await childCount(direct, '/l', 0);
  });
}

for (const [what, refused] of [
  ['put again', Perms.create],
  ['deleted', Perms.delete],
] as const) {
  test(`an item that may not be ${what} is not locked away`, async (t) => {
    const server = await serve(t);
    const client = await open(t, server.clientPort);
    await using queue = new DistributedQueue(client, '/q', stringSerializer, { lockPath: '/l' });
    const errors: unknown[] = [];
    queue.on('error', (error) => errors.push(error));
    await queue.put('x');
    const allow = (perms: number) => client.setACL('/q', [{ perms, scheme: 'world', id: 'anyone' }]);
    await allow(Perms.all & ~refused);
    let handled = 0;
    queue.consume(async () => {
      if (++handled > 1) await allow(Perms.all);
      else if (refused === Perms.create) throw new Error('no');
    });
    await childCount(client, '/q', 0);
    await childCount(client, '/l', 0);
    assert.equal(handled, 2);
    assert.ok(isKeeperError(errors.at(-1), 'NoAuth'));
  });
}

test('a look at the first item survives a lost connection, and is not told that there is none when it may not be read', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port);
  const queue = new SimpleDistributedQueue(client, '/s');
  await queue.offer('one');
  const failed = relay.failAt('getData', 'beforeSend');
  assert.equal(String(await queue.peek()), 'one');
  await failed;
  await client.setACL('/s/qn-0000000000', [{ perms: Perms.admin, scheme: 'world', id: 'anyone' }]);
  await assert.rejects(queue.peek(), (e) => isKeeperError(e, 'NoAuth'));
});

test('a put is made though the session ends while the queue is made', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, direct] = [await open(t, relay.port), await open(t, server.clientPort)];
  const failed = relay.failAt('create', 'beforeSend', 1).then(() => relay.down());
  const putting = new DistributedQueue(client, '/q', stringSerializer).put('x');
  await failed;
  await expire(server, client);
  relay.up();
  await putting;
  await childCount(direct, '/q', 1);
});

for (const [name, options] of [
  ['with locks', { lockPath: '/l' }],
  ['without locks', {}],
] as const) {
  test(`an item that may not be read is told of, stays, and does not stop those behind it (${name})`, async (t) => {
    const server = await serve(t);
    const client = await open(t, server.clientPort);
    await using queue = new DistributedQueue(client, '/q', stringSerializer, options);
    const errors: unknown[] = [];
    queue.on('error', (error) => errors.push(error));
    await queue.put('secret');
    await client.setACL('/q/queue-0000000000', [{ perms: Perms.admin, scheme: 'world', id: 'anyone' }]);
    for (const item of ['a', 'b']) await queue.put(item);
    const got: string[] = [];
    queue.consume((item) => void got.push(item));
    await until(() => got.length === 2 && errors.length === 1);
    assert.deepEqual(got, ['a', 'b']);
    assert.ok(isKeeperError(errors[0], 'NoAuth') && errors[0].path === '/q/queue-0000000000');
    await queue.put('c');
    await until(() => got.length === 3);
    await childCount(client, '/q', 1);
    assert.deepEqual((await client.getChildren('/q')).children, ['queue-0000000000']);
  });
}

test('an item that may not be read is not taken', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const queue = new SimpleDistributedQueue(client, '/s');
  await queue.offer('secret');
  await client.setACL('/s/qn-0000000000', [{ perms: Perms.admin, scheme: 'world', id: 'anyone' }]);
  for (const take of [() => queue.poll(), () => queue.take()]) {
    await assert.rejects(take, (e) => isKeeperError(e, 'NoAuth') && e.path === '/s/qn-0000000000');
  }
  await client.setACL('/s/qn-0000000000', OPEN_ACL_UNSAFE);
  assert.equal(String(await queue.take()), 'secret');
});

test('a full queue makes producers wait', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using queue = new DistributedQueue(client, '/full', stringSerializer, { maxItems: 2 });
  await queue.put('a');
  await queue.put('b');
  await assert.rejects(queue.put('c', { timeout: 20 }), (e) => isRecipeError(e, 'Timeout') && e.path === '/full');
  const waiting = queue.put('c');
  const got: string[] = [];
  queue.consume((item) => void got.push(item));
  await waiting;
  await until(() => got.length === 3);
});

test('an item that becomes due between two looks at the clock is consumed', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using queue = new DistributedDelayQueue(client, '/tick', stringSerializer);
  const due = Date.now() + 60_000;
  await queue.put('item', due);
  let looks = 0;
  const { now } = Date;
  const clock = t.mock.method(Date, 'now', () => {
    if (!new Error().stack?.includes('distributed-queue')) return now();
    return looks++ === 0 ? due - 1 : due;
  });
  const got: string[] = [];
  queue.consume((item) => void got.push(item));
  await until(() => got.length === 1);
  clock.mock.restore();
});

test('an item that is due as the clock is set forward is consumed soon', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using queue = new DistributedDelayQueue(client, '/set', stringSerializer);
  const hour = 3_600_000;
  await queue.put('item', Date.now() + hour);
  let [looks, ahead] = [0, 0];
  const { now } = Date;
  t.mock.method(Date, 'now', () => {
    looks++;
    return now() + ahead;
  });
  const got: string[] = [];
  queue.consume((item) => void got.push(item));
  await until(() => looks > 0); // it waits
  ahead = 2 * hour;
  await until(() => got.length === 1);
});

test('items that others have locked are waited for, and not asked for without end', async (t) => {
  const server = await serve(t);
  const [busy, idle] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const queues = [busy, idle].map(
    (client) => new DistributedQueue(client, '/slow', stringSerializer, { lockPath: '/slow-locks' }),
  );
  for (let i = 0; i < 12; i++) await queues[0].put(String(i));
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let running = 0;
  const first = queues[0].consume(
    async () => {
      running++;
      await finished;
    },
    { concurrency: 12 },
  );
  await until(() => running === 12);
  const creates = t.mock.method(idle, 'create');
  const second = queues[1].consume(() => {});
  // It waits once it watches the locks.
  await until(async () => (await leftovers(busy, server)).watches === 3);
  const asked = creates.mock.callCount();
  assert.ok(asked <= 12, `${asked} times`);
  await idle.sync();
  assert.equal(creates.mock.callCount(), asked);
  finish();
  await Promise.all([first.close(), second.close()]);
});

test('a worker that fails begins no more handlers than there may be, and close waits for those that run', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const queue = new DistributedQueue(client, '/two', stringSerializer, { lockPath: '/two-locks' });
  const errors: unknown[] = [];
  queue.on('error', (error) => errors.push(error));
  for (let i = 0; i < 6; i++) await queue.put(String(i));
  let running = 0;
  let most = 0;
  const finish = new Map<string, () => void>();
  const consumer = queue.consume(
    async (item) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => finish.set(item, resolve));
      running--;
    },
    { concurrency: 2 },
  );
  await until(() => running === 2);
  const create = client.create.bind(client);
  const failing = t.mock.method(client, 'create', (path: string, options: object) => {
    if (!path.startsWith('/two-locks/')) return create(path, options);
    failing.mock.restore();
    return Promise.reject(new KeeperError(ErrorCode.SessionExpired, 'create', path));
  });
  finish.get('0')?.();
  await until(() => failing.mock.callCount() === 1);
  await client.sync();
  assert.equal(running, 1);
  finish.get('1')?.();
  await until(() => running === 2);
  const closed = consumer.close();
  for (const end of finish.values()) end();
  await closed;
  assert.deepEqual([most, running], [2, 0]);
});

test('an item that somebody begins to consume meanwhile is not removed', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const queue = new DistributedIdQueue(client, '/ids', stringSerializer, { lockPath: '/id-locks' });
  await queue.put('a', 'one');
  await queue.put('b', 'two');
  assert.equal(await queue.remove('one'), 1);
  // A consumer that was quicker than the removal, by as little as can be.
  const [name] = (await client.getChildren('/ids')).children;
  const removing = queue.remove('two');
  await client.create(`/id-locks/${name}`, { mode: 'ephemeral' });
  assert.equal(await removing, 0);
  assert.equal(await queue.size(), 1);
});

test('priorities, ids and delays', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const got: string[] = [];
  const take = (item: string): void => void got.push(item);
  await using byPriority = new DistributedPriorityQueue(client, '/p', stringSerializer);
  for (const priority of [5, -1, 2 ** 31 - 1, -(2 ** 31), 0]) await byPriority.put(`${priority}`, priority);
  await byPriority
    .consume(take)
    .close()
    .then(() => {});
  byPriority.consume(take);
  await until(() => got.length === 5);
  assert.deepEqual(got, ['-2147483648', '-1', '0', '5', '2147483647']);
  await assert.rejects(byPriority.put('x', 0.5), (e) => isRecipeError(e, 'BadArgument'));

  got.length = 0;
  await using byId = new DistributedIdQueue(client, '/i', stringSerializer, { lockPath: '/il' });
  for (const id of ['z', 'a/b', 'm']) await byId.put(id, id);
  assert.equal(await byId.remove('m'), 1);
  assert.equal(await byId.remove('a/b'), 1);
  assert.equal(await byId.remove('none'), 0);
  await byId.put('later', 'a');
  byId.consume(take);
  await until(() => got.length === 2);
  assert.deepEqual(got, ['z', 'later']);
  await assert.rejects(
    async () => byId.put('x', ''),
    (e) => isRecipeError(e, 'BadArgument'),
  );

  got.length = 0;
  await using delayed = new DistributedDelayQueue(client, '/d', stringSerializer);
  const start = Date.now();
  await delayed.put('late', start + 200);
  await delayed.put('soon', new Date(start + 100));
  await delayed.put('now', start);
  delayed.consume(take); // only now: on a busy machine the first could be due before the last is put
  await until(() => got.length === 3);
  assert.deepEqual(got, ['now', 'soon', 'late']);
  assert.ok(Date.now() >= start + 200);
});

test('plain queues of bytes', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const simple = new SimpleDistributedQueue(client, '/s');
  assert.equal(await simple.poll(), undefined);
  const taking = new SimpleDistributedQueue(other, '/s').take();
  await simple.offer('one');
  assert.equal(String(await taking), 'one');
  await simple.offer('two');
  assert.equal(String(await simple.peek()), 'two');
  assert.equal(String(await simple.poll()), 'two');
  await assert.rejects(simple.take({ timeout: 10 }), (e) => isRecipeError(e, 'Timeout'));

  const queue = new Queue(client, '/k');
  await queue.put('later');
  await queue.put('first', 5);
  assert.deepEqual((await client.getChildren('/k')).children.sort(), ['entry-005-0000000001', 'entry-100-0000000000']);
  assert.equal(String(await queue.get()), 'first');
  assert.equal(String(await queue.take()), 'later');
  assert.equal(await queue.get(), undefined);
  await assert.rejects(queue.put('x', 1000), (e) => isRecipeError(e, 'BadArgument') && e.recipe === 'Queue');

  await using locking = new LockingQueue(client, '/lk');
  await locking.put('x');
  const got: string[] = [];
  locking.consume(async (item) => {
    assert.equal((await client.getChildren('/lk/taken')).children.length, 1);
    got.push(String(item));
  });
  await until(() => got.length === 1);
  await childCount(client, '/lk/entries', 0);
  await childCount(client, '/lk/taken', 0);
  await locking.close();
  await assert.rejects(locking.put('y'), (e) => isRecipeError(e, 'Closed') && e.path === '/lk');
  assert.throws(
    () => locking.consume(() => {}),
    (e) => isRecipeError(e, 'Closed'),
  );
});

for (const kind of ['delayed', 'prioritized'] as const) {
  for (const options of [{}, { lockPath: '/locks' }]) {
    const name = 'lockPath' in options ? 'with locks' : 'without locks';

    test(`many consumers share ${kind} items without reading the list for each of them (${name})`, async (t) => {
      const server = await serve(t);
      const clients = await Promise.all(Array.from({ length: 7 }, () => open(t, server.clientPort)));
      const queues = clients.map((client) =>
        kind === 'delayed'
          ? new DistributedDelayQueue(client, '/queue', stringSerializer, options)
          : new DistributedPriorityQueue(client, '/queue', stringSerializer, options),
      );
      const items = Array.from({ length: 150 }, (_, i) => String(i));
      await Promise.all(items.map((item, i) => queues[0]?.put(item, (i % 7) + 1)));
      const listings = clients.map((client) => t.mock.method(client, 'getChildren'));
      const got: string[] = [];
      for (const queue of queues.slice(1)) queue.consume((item) => void got.push(item));
      await until(() => got.length === items.length);
      assert.deepEqual(new Set(got), new Set(items));
      const count = listings.reduce((sum, { mock }) => sum + mock.callCount(), 0);
      assert.ok(count < (kind === 'delayed' ? 1 : 3) * items.length, `${count} listings`);
      await Promise.all(queues.map((queue) => queue.close()));
    });
  }
}
