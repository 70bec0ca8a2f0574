// InterProcessMutex: one holder, in order, through faults, and nothing left behind.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Perms } from '@nodekeeper/client';
import {
  attemptRevoke,
  InterProcessMutex,
  InterProcessSemaphoreV2,
  isRecipeError,
  type LockHold,
} from '../dist/index.js';
import { type OperationName, Relay, STEPS } from './relay.js';
import { childCount, expire, leftovers, open, serve, until } from './support.js';

test('one owner holds it at a time, in the order of asking, with growing tokens', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all([0, 1, 2].map(() => open(t, server.clientPort)));
  const order: number[] = [];
  const tokens: number[] = [];
  let holders = 0;
  const first = await new InterProcessMutex(clients[0], '/locks/a').acquire();
  const others: Promise<void>[] = [];
  for (const [i, client] of clients.entries()) {
    const waiting = new InterProcessMutex(client, '/locks/a').run((hold) => {
      assert.equal(++holders, 1);
      order.push(i);
      tokens.push(hold.fencingToken);
      holders--;
    });
    others.push(waiting);
    await childCount(clients[0], '/locks/a', i + 2);
  }
  assert.match(first.path, /^\/locks\/a\/_c_[0-9a-f-]{36}-lock-0000000000$/);
  await first.release();
  await Promise.all(others);
  assert.deepEqual(order, [0, 1, 2]);
  assert.deepEqual(
    tokens,
    [...tokens].sort((a, b) => a - b),
  );
  assert.ok(tokens[0] > first.fencingToken);
  assert.deepEqual(await leftovers(clients[0], server), { nodes: ['/locks', '/locks/a'], watches: 0 });
});

test('an owner enters again, and gives back as often', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const lock = new InterProcessMutex(client, '/re');
  const [one, two] = await Promise.all([lock.acquire({ owner: 'me' }), lock.acquire({ owner: 'me' })]);
  assert.equal(one.path, two.path);
  assert.equal(await lock.tryAcquire({ owner: 'you' }), undefined);
  await one.release();
  assert.ok(lock.isOwnedBy('me') && lock.isAcquiredInThisProcess);
  await lock.release('me');
  assert.ok(!lock.isOwnedBy('me') && !two.isHeld);
  assert.equal(await lock.run((outer) => lock.run((inner) => inner.path === outer.path)), true);
  assert.deepEqual(await leftovers(client, server), { nodes: ['/re'], watches: 0 });
});

test('a release that was refused can be repeated', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const owner = 'me';
  for (const holder of [new InterProcessMutex(client, '/r/lock'), new InterProcessSemaphoreV2(client, '/r', 1)]) {
    const hold = await holder.acquire({ owner });
    const parent = hold.path.slice(0, hold.path.lastIndexOf('/'));
    const allow = (perms: number) => client.setACL(parent, [{ perms, scheme: 'world', id: 'anyone' }]);
    await allow(Perms.all & ~Perms.delete);
    await assert.rejects(hold.release(), { codeName: 'NoAuth' });
    assert.equal(hold.isHeld, false);
    await allow(Perms.all);
    await hold.release();
    assert.deepEqual((await client.getChildren(parent)).children, []);
    await assert.rejects(hold.release(), (error) => isRecipeError(error, 'NotHeld'));
  }
});

test('work that was begun in a run, and enters when that is over, is an owner of its own', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const lock = new InterProcessMutex(client, '/begun');
  let inside = 0;
  const enter = (): Promise<void> =>
    lock.run(async () => {
      assert.equal(++inside, 1);
      await client.sync();
      inside--;
    });
  let later: Promise<void>[] = [];
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  await lock.run(() => {
    later = [1, 2].map(() => ended.then(enter));
  });
  end();
  await Promise.all(later);
  // Inside of an outer run that goes on, it enters on behalf of that.
  await lock.run(async (outer) => {
    let entered: Promise<string> | undefined;
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    await lock.run(() => {
      entered = begun.then(() => lock.run(({ path }) => path));
    });
    begin();
    assert.equal(await entered, outer.path);
  });
});

test('who does not wait does not wait for a call of the same owner either', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const hold = await new InterProcessMutex(other, '/same').acquire();
  const lock = new InterProcessMutex(client, '/same');
  const waiting = lock.acquire({ owner: 'me' });
  assert.equal(await lock.tryAcquire({ owner: 'me' }), undefined);
  await hold.release();
  await (await waiting).release();
});

test('many wait on one signal, and for longer than timers count, without a warning', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  const hold = await new InterProcessMutex(client, '/many', { grace: 30 * 86_400_000 }).acquire();
  const controller = new AbortController();
  const options = { signal: controller.signal, timeout: 30 * 86_400_000 };
  const waiting = Array.from({ length: 20 }, () => new InterProcessMutex(client, '/many').acquire(options));
  await childCount(client, '/many', 21);
  const suspended = once(client, 'suspended');
  await expire(server, client); // which also cuts the connection
  await suspended;
  controller.abort(new Error('enough'));
  for (const result of await Promise.allSettled(waiting)) assert.equal(result.status, 'rejected');
  await once(hold.signal, 'abort');
  assert.match(hold.signal.reason.message, /the session has expired/);
  process.off('warning', note);
  assert.deepEqual(warnings, []);
});

test('waiting ends with the time-out or the signal, and leaves nothing', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const lock = new InterProcessMutex(client, '/wait');
  const hold = await lock.acquire();
  await assert.rejects(
    lock.acquire({ timeout: 30 }),
    (error) =>
      isRecipeError(error, 'Timeout') && error.message === 'InterProcessMutex /wait: not obtained within 30 ms',
  );
  assert.equal(await lock.tryAcquire({ timeout: 20 }), undefined);
  const controller = new AbortController();
  const aborted = lock.acquire({ signal: controller.signal });
  await childCount(client, '/wait', 2);
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
  await childCount(client, '/wait', 1);
  await until(async () => (await leftovers(client, server)).watches === 0, 'no watch is left');
  await hold.release();
});

test("a program's own listener that throws hides no loss", async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const errors: unknown[] = [];
  client.on('watcherError', (error) => errors.push(error));
  client.on('state', () => {
    throw new Error('a bug');
  });
  const hold = await new InterProcessMutex(client, '/hidden').acquire();
  await expire(server, client);
  await once(hold.signal, 'abort');
  assert.ok(!hold.isHeld && errors.length > 0);
});

test('bad use is told with recipe and path', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  for (const path of ['', 'a', '/', '/a/', '/a//b', '/a/../b']) {
    assert.throws(
      () => new InterProcessMutex(client, path),
      (error) => isRecipeError(error, 'BadPath') && error.recipe === 'InterProcessMutex' && error.path === path,
    );
  }
  const lock = new InterProcessMutex(client, '/bad');
  const hold = await lock.acquire({ owner: 1 });
  await assert.rejects(lock.release(2), (error) => isRecipeError(error, 'NotHeld') && error.path === '/bad');
  await hold.release();
  await assert.rejects(hold.release(), (error) => isRecipeError(error, 'NotHeld'));
  await client.close();
  await assert.rejects(lock.acquire(), /Closed/);
});

for (const operation of ['create', 'getChildren', 'delete'] satisfies OperationName[]) {
  for (const step of STEPS) {
    test(`the connection is lost at ${operation}, ${step}`, async (t) => {
      const server = await serve(t);
      const relay = await Relay.start(t, server.clientPort);
      const client = await open(t, relay.port);
      const watching = await open(t, server.clientPort);
      const lock = new InterProcessMutex(client, '/lossy');
      await (await lock.acquire()).release();
      const failed = relay.failAt(operation, step);
      const hold = await lock.acquire();
      assert.deepEqual(await lock.getParticipantNodes(), [hold.path]);
      await hold.release();
      await failed;
      assert.deepEqual(await leftovers(watching, server), { nodes: ['/lossy'], watches: 0 });
    });
  }
}

test('the connection is lost while waiting, and the turn comes during the gap', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [direct, lossy] = [await open(t, server.clientPort), await open(t, relay.port)];
  const hold = await new InterProcessMutex(direct, '/gap').acquire();
  const next = new InterProcessMutex(lossy, '/gap').acquire();
  await childCount(direct, '/gap', 2);
  relay.down();
  await hold.release();
  relay.up();
  assert.ok((await next).fencingToken > hold.fencingToken);
});

test('a session that expires loses the lock, and the next one gets it', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const lock = new InterProcessMutex(client, '/expiring');
  const hold = await lock.acquire({ owner: 'me' });
  const waiting = new InterProcessMutex(other, '/expiring').acquire();
  await childCount(other, '/expiring', 2);
  await expire(server, client);
  const next = await waiting;
  assert.ok(next.fencingToken > hold.fencingToken);
  await until(() => hold.signal.aborted, 'the loss is told');
  assert.ok(isRecipeError(hold.signal.reason, 'Lost') && !hold.isHeld && !lock.isOwnedBy('me'));
  await hold.release(); // giving back what was lost is no error
  const again = lock.acquire({ owner: 'me' });
  await childCount(other, '/expiring', 2);
  await next.release();
  await (await again).release();
});

test('a session that expires while waiting joins the line again', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const hold = await new InterProcessMutex(other, '/rejoin').acquire();
  const waiting = new InterProcessMutex(client, '/rejoin').acquire();
  await childCount(other, '/rejoin', 2);
  const { sessionId } = client;
  await expire(server, client);
  await until(() => client.isConnected && client.sessionId !== sessionId, 'the new session');
  await childCount(other, '/rejoin', 2);
  await hold.release();
  await (await waiting).release();
  assert.deepEqual(await leftovers(other, server), { nodes: ['/rejoin'], watches: 0 });
});

test('a connection that stays away ends the hold after the grace, before the session ends', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 9000 });
  const patient = await new InterProcessMutex(client, '/patient', { grace: Infinity }).acquire();
  const strict = await new InterProcessMutex(client, '/strict', { grace: 0 }).acquire();
  const usual = await new InterProcessMutex(client, '/usual').acquire();
  const suspended = performance.now();
  relay.down();
  await until(() => client.state === 'suspended');
  assert.deepEqual([patient.isHeld, strict.isHeld, usual.isHeld], [true, false, true]);
  await until(() => !usual.isHeld, 'the grace ends');
  assert.ok(performance.now() - suspended < client.sessionTimeout);
  assert.match(String(usual.signal.reason), /no connection for 3000 ms/);
  relay.up();
  await until(() => client.isConnected);
  assert.ok(patient.isHeld);
});

test('a revocable lock is given back on request', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  let hold: LockHold | undefined;
  const lock = new InterProcessMutex(client, '/revocable', { onRevoke: () => void hold?.release() });
  hold = await lock.acquire();
  const rival = new InterProcessMutex(other, '/revocable');
  const [holder] = await rival.getParticipantNodes();
  const obtained = rival.acquire();
  await attemptRevoke(other, holder);
  await (await obtained).release();
  await attemptRevoke(other, holder);
  await until(async () => (await leftovers(other, server)).watches === 0, 'no watch is left');
});

test('a holder that throws when it is asked to give back is told of by the client, and asked again', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  let asked = 0;
  const onRevoke = (): void => {
    asked++;
    throw new Error('a bug');
  };
  await using hold = await new InterProcessMutex(client, '/careless', { onRevoke }).acquire();
  for (const count of [1, 2]) {
    const failed = once(client, 'watcherError');
    await attemptRevoke(client, hold.path);
    assert.match(String((await failed)[0]), /a bug/);
    assert.equal(asked, count);
  }
});

test('a revocable lock whose node is deleted by others is lost', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const hold = await new InterProcessMutex(client, '/deleted', { onRevoke: () => {} }).acquire();
  await client.delete(hold.path);
  await until(() => hold.signal.aborted);
  assert.match(String(hold.signal.reason), /its node was deleted/);
});

test('a waiting contender whose node others delete joins again', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  const first = await new InterProcessMutex(other, '/kicked').acquire();
  const lock = new InterProcessMutex(client, '/kicked');
  const waiting = lock.acquire();
  await childCount(other, '/kicked', 2);
  const [, node] = await lock.getParticipantNodes();
  await other.delete(node);
  await first.release();
  const hold = await waiting;
  assert.notEqual(hold.path, node);
  assert.deepEqual(await lock.getParticipantNodes(), [hold.path]);
  await hold.release();
  assert.deepEqual(await leftovers(other, server), { nodes: ['/kicked'], watches: 0 });
});

test('50 clients: never two holders, tokens grow, all get their turn', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(t, server.clientPort)));
  let holders = 0;
  let lastToken = 0;
  let turns = 0;
  await Promise.all(
    clients.map(async (client) => {
      const lock = new InterProcessMutex(client, '/crowd');
      for (let i = 0; i < 4; i++) {
        await lock.run(async (hold) => {
          assert.equal(++holders, 1);
          assert.ok(hold.fencingToken > lastToken);
          lastToken = hold.fencingToken;
          turns++;
          await client.exists('/crowd');
          holders--;
        });
      }
      assert.equal(client.listenerCount('state'), 0);
    }),
  );
  assert.equal(turns, 200);
  assert.deepEqual(await leftovers(clients[0], server), { nodes: ['/crowd'], watches: 0 });
});

test('contenders of kazoo and Curator stand in one line', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const kazoo = await new InterProcessMutex(client, '/mixed', { layout: 'kazoo' }).acquire();
  assert.match(kazoo.path, /^\/mixed\/[0-9a-f]{32}__lock__0000000000$/);
  assert.equal(await new InterProcessMutex(client, '/mixed').tryAcquire(), undefined);
  await kazoo.release();
  const curator = await new InterProcessMutex(client, '/mixed').acquire();
  assert.equal(await new InterProcessMutex(client, '/mixed', { layout: 'kazoo' }).tryAcquire(), undefined);
  await curator.release();
});

test('a lock that is lost by the time it is had stands in nobody’s way, released or not', async (t) => {
  const server = await serve(t);
  const [late, other] = await Promise.all([open(t, server.clientPort), open(t, server.clientPort)]);
  Object.defineProperty(late, 'sessionSafeUntil', { value: 0 }); // as if the process had been held up meanwhile
  const hold = await new InterProcessMutex(late, '/locks/late').acquire();
  assert.equal(hold.isHeld, false);
  assert.equal(hold.signal.aborted, true);
  await (await new InterProcessMutex(other, '/locks/late').acquire({ timeout: 5000 })).release();
  await hold.release();
});

test('who holds hears that the session may be over although the client still takes its connection for good', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  // The last answer was long on its way: the connection is not dead yet for the client.
  const safeUntil = performance.now() + 300;
  t.mock.getter(client, 'sessionSafeUntil', () => safeUntil);
  const hold = await new InterProcessMutex(client, '/mutex').acquire();
  const patient = await new InterProcessMutex(client, '/patient', { grace: 10_000 }).acquire();
  if (!hold.signal.aborted) await once(hold.signal, 'abort');
  assert.ok(performance.now() >= safeUntil);
  assert.ok(isRecipeError(hold.signal.reason, 'Lost'));
  assert.deepEqual([client.state, patient.signal.aborted], ['connected', false]);
  await patient.release();
});
