// InterProcessReadWriteLock: readers together, writers alone, in the order of asking.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InterProcessMutex, InterProcessReadWriteLock, isRecipeError } from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { childCount, expire, leftovers, open, serve, until } from './support.js';

for (const layout of ['curator', 'kazoo'] as const) {
  test(`readers share, writers do not, in turn (${layout})`, async (t) => {
    const server = await serve(t);
    const clients = await Promise.all([0, 1, 2, 3].map(() => open(t, server.clientPort)));
    const locks = clients.map((client) => new InterProcessReadWriteLock(client, '/rw', { layout }));
    const r0 = await locks[0].readLock.acquire();
    const r1 = await locks[1].readLock.acquire();
    const writing = locks[2].writeLock.acquire();
    await childCount(clients[0], '/rw', 3);
    const reading = locks[3].readLock.acquire(); // behind the writer, so that writers do not starve
    await childCount(clients[0], '/rw', 4);
    assert.equal((await locks[0].readLock.getParticipantNodes()).length, 3);
    assert.equal((await locks[0].writeLock.getParticipantNodes()).length, 1);
    let isReading = false;
    void reading.then(() => {
      isReading = true;
    });
    await r0.release();
    await r1.release();
    const w = await writing;
    await clients[3].exists('/rw');
    assert.ok(!isReading && w.fencingToken > r1.fencingToken);
    await w.release();
    await (await reading).release();
    assert.deepEqual(await leftovers(clients[0], server), { nodes: ['/rw'], watches: 0 });
  });
}

test('a writer may read, and go on reading; a reader may not write', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/down');
  const w = await writeLock.acquire({ owner: 'me' });
  const rival = new InterProcessReadWriteLock(other, '/down');
  const rivalWrites = rival.writeLock.acquire();
  let isWriting = false;
  void rivalWrites.then(() => {
    isWriting = true;
  });
  await childCount(other, '/down', 2);
  const r = await readLock.acquire({ owner: 'me' });
  await w.release();
  assert.equal(await rival.writeLock.tryAcquire(), undefined);
  await assert.rejects(writeLock.acquire({ owner: 'me' }), (error) => isRecipeError(error, 'WouldDeadlock'));
  for (let i = 0; i < 5; i++) await other.exists('/down'); // time enough for who would be mistaken
  assert.ok(r.isHeld && !isWriting);
  await r.release();
  await (await rivalWrites).release();
  await writeLock.run(() => readLock.run((hold) => assert.ok(hold.isHeld)));
  assert.deepEqual(await leftovers(client, server), { nodes: ['/down'], watches: 0 });
});

for (const step of STEPS) {
  test(`the connection is lost at create and at delete, ${step}`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const client = await open(t, relay.port);
    const direct = await open(t, server.clientPort);
    const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/rw');
    for (const lock of [readLock, writeLock]) {
      const failed = [relay.failAt('create', step), relay.failAt('delete', step)];
      const hold = await lock.acquire();
      assert.deepEqual((await direct.getChildren('/rw')).children.length, 1);
      await hold.release();
      await Promise.all(failed);
      assert.deepEqual((await direct.getChildren('/rw')).children, []);
    }
  });
}

test('50 clients reading and writing: a writer is alone', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
  let readers = 0;
  let writers = 0;
  let most = 0;
  await Promise.all(
    clients.map(async (client, i) => {
      const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/crowd');
      for (let round = 0; round < 3; round++) {
        if ((i + round) % 5 === 0) {
          await writeLock.run(async () => {
            assert.deepEqual([++writers, readers], [1, 0]);
            await client.exists('/crowd');
            writers--;
          });
        } else {
          await readLock.run(async () => {
            assert.equal(writers, 0);
            most = Math.max(most, ++readers);
            await client.exists('/crowd');
            readers--;
          });
        }
      }
    }),
  );
  assert.ok(most > 1);
  assert.deepEqual(await leftovers(clients[0], server), { nodes: ['/crowd'], watches: 0 });
});

test('a downgraded writer keeps its fencing token, so that those who waited have greater ones', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/down');
  const writing = await writeLock.acquire({ owner: 'one' });
  const waiting = new InterProcessReadWriteLock(other, '/down').writeLock.acquire();
  await childCount(client, '/down', 2);
  const reading = await readLock.acquire({ owner: 'one' });
  assert.equal(reading.fencingToken, writing.fencingToken);
  await writing.release();
  await reading.release();
  const next = await waiting;
  assert.ok(next.fencingToken > reading.fencingToken);
  await next.release();
});

for (const layout of ['curator', 'kazoo'] as const) {
  test(`a mutex on the same path waits for the reader that a writer leaves in its place (${layout})`, async (t) => {
    const server = await serve(t);
    const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
    const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/mixed', { layout });
    const writing = await writeLock.acquire({ owner: 'one' });
    let isHeld = false;
    const waiting = new InterProcessMutex(other, '/mixed', { layout }).run(() => {
      isHeld = true;
    });
    // Its own node and the writer's.
    await until(async () => (await leftovers(client, server)).watches === 2, 'the mutex waits for the writer');
    const reading = await readLock.acquire({ owner: 'one' });
    await writing.release();
    // Once more: the reader's.
    await until(async () => isHeld || (await leftovers(client, server)).watches === 2, 'it waits for the reader');
    assert.equal(isHeld, false);
    await reading.release();
    await waiting;
  });
}

test('a downgrade that comes too late, as the write lock is lost, waits like everybody', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  const { readLock, writeLock } = new InterProcessReadWriteLock(client, '/late');
  const writing = await writeLock.acquire({ owner: 'one' });
  const waiting = new InterProcessReadWriteLock(other, '/late').writeLock.acquire();
  await childCount(other, '/late', 2);
  relay.down();
  const reading = readLock.acquire({ owner: 'one' });
  await expire(server, client);
  const next = await waiting;
  let isReading = false;
  void reading.then(() => {
    isReading = true;
  });
  relay.up();
  await until(() => writing.signal.aborted);
  await childCount(other, '/late', 2); // the reader stands in line
  await client.exists('/late'); // behind what it asked for
  await other.exists('/late');
  assert.equal(isReading, false);
  await next.release();
  await (await reading).release();
});

test('a session that expires loses the write lock', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const hold = await new InterProcessReadWriteLock(client, '/lost').writeLock.acquire();
  const reading = new InterProcessReadWriteLock(other, '/lost').readLock.acquire();
  await childCount(other, '/lost', 2);
  await expire(server, client);
  await (await reading).release();
  await until(() => hold.signal.aborted);
});
