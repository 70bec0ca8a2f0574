// What the client puts on the wire, and what it makes of frames that no good server sends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ErrorCode, EventType, JuteWriter, OpCode, Xid } from '@nodekeeper/protocol';
import { type KeeperError, nextEvent } from '../dist/index.js';
import { FakeConnection, FakeServer } from './fake-server.js';
import { atEnd, begin } from './support.js';

const stat = (w: Parameters<typeof FakeConnection.stat>[0]) => FakeConnection.stat(w);

test('a reply that is cut short, or answers nothing, ends the connection and not the program', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const frames: ((c: FakeConnection, xid: number) => void)[] = [
    (c) => c.write((w) => w.int(3)),
    (c) => c.write((w) => w.int(Xid.notification).long53(1).int(0).int(1)),
    (c, xid) => c.reply(xid, 1, 0, (w) => w.int(5)),
    (c, xid) => c.reply(xid + 9, 1),
    (c) => c.socket.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')),
  ];
  for (const send of frames) {
    const connection = await (await server.next()).accept();
    await client.connected();
    const call = client.exists('/a').catch((e: unknown) => e);
    const { xid } = await connection.request();
    const suspended = once(client, 'suspended');
    send(connection, xid);
    await suspended;
    assert.match(((await call) as KeeperError).codeName, /ConnectionLoss|MarshallingError/);
  }
});

test('a connection that is lost at once, time and again, is sought with growing pauses', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { reconnect: { minDelay: 40, maxDelay: 80 } });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const connection = await (await server.next()).accept();
    times.push(performance.now());
    connection.socket.destroy();
  }
  assert.equal(client.sessionId, 77n);
  // At least 20, 40, 40, 40 ms.
  assert.ok((times[4] as number) - (times[0] as number) > 120, `${times}`);
});

test('after an event of a transaction, the rest of its events is asked for on the next connection', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const first = await (await server.next()).accept();
  const one = nextEvent();
  const two = nextEvent();
  const reads = [client.exists('/a', { watcher: one.watcher }), client.exists('/b', { watcher: two.watcher })];
  for (let i = 0; i < 2; i++) first.reply((await first.request()).xid, 5, 0, stat);
  await Promise.all(reads);
  first.notify(EventType.nodeDataChanged, '/a', 8);
  assert.equal((await one.event).zxid, 8);
  first.socket.destroy();
  const second = await (await server.next()).accept();
  // The server must have got to what was seen; what was not seen of it is asked from before.
  assert.equal(second.lastZxidSeen, 8);
  const { op, body } = await second.request();
  assert.equal(op, OpCode.setWatches);
  assert.equal(body.long53(), 5);
  assert.deepEqual(
    body.vector((r) => r.string()),
    ['/b'],
  );
});

test('an event is told after the answers before it, though both came while the socket was stopped for another', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  connection.socket.setNoDelay(true);
  const told: string[] = [];
  const last = new Promise<void>((resolve) => {
    const listener = ({ path }: { readonly path: string }): void => {
      told.push(path);
      // It arrives while the next event waits for the answer before it, so that the socket is stopped.
      if (path === '/1') connection.notify(EventType.nodeDeleted, '/3', 4);
      if (path === '/3') resolve();
    };
    void client.addWatch('/', listener, { recursive: true });
  });
  connection.reply((await connection.request()).xid, 1, 0, (w) => w.int(0));
  const reads = ['x', 'y', 'z'].map((name) => client.exists(`/${name}`).then(() => void told.push(name)));
  const asked = [await connection.request(), await connection.request(), await connection.request()];
  connection.socket.cork();
  for (const [i, { xid }] of asked.entries()) {
    connection.reply(xid, 1, 0, stat);
    if (i < 2) connection.notify(EventType.nodeCreated, `/${i + 1}`, i + 2);
  }
  connection.socket.uncork();
  await Promise.all([...reads, last]);
  assert.deepEqual(told, ['x', '/1', 'y', '/2', 'z', '/3']);
});

test('a read of a node that a persistent watch stands on arms no other watch on the server', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  const stream = client.watch('/a');
  const { watcher, event } = nextEvent();
  const read = client.exists('/a', { watcher });
  const added = await connection.request();
  assert.equal(added.op, OpCode.addWatch);
  connection.reply(added.xid, 1, 0, (w) => w.int(0));
  const asked = await connection.request();
  assert.equal(asked.body.string(), '/a');
  assert.equal(asked.body.bool(), false);
  connection.reply(asked.xid, 1, 0, stat);
  await read;
  connection.notify(EventType.nodeDataChanged, '/a', 2);
  assert.equal((await event).type, 'nodeDataChanged');
  assert.equal((await stream.next()).value?.type, 'nodeDataChanged');
  // Nor does one of another node, which does.
  const other = client.exists('/b', { watcher });
  const plain = await connection.request();
  assert.equal(plain.body.string(), '/b');
  assert.equal(plain.body.bool(), true);
  connection.reply(plain.xid, 1, 0, stat);
  await other;
});

test('one-shot watches that a persistent one stood for are set when it is closed', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  const stream = client.watch('/a');
  connection.reply((await connection.request()).xid, 1, 0, (w) => w.int(0));
  await stream.ready;
  const read = client.exists('/a', { watcher: () => {} });
  connection.reply((await connection.request()).xid, 4, 0, stat);
  await read;
  stream.close();
  const removed = await connection.request();
  assert.equal(removed.op, OpCode.removeWatches);
  connection.reply(removed.xid, 6);
  const set = await connection.request();
  assert.equal(set.op, OpCode.setWatches);
  assert.equal(set.xid, Xid.setWatches);
  assert.equal(set.body.long53(), 6);
  assert.deepEqual(
    set.body.vector((r) => r.string()),
    ['/a'],
  );
});

test('watches are set again from the moment they were removed, whatever arrives along with that answer', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  /** Answers requests in one chunk. */
  const answerTogether = async (...zxids: number[]): Promise<void> => {
    const asked: number[] = [];
    while (asked.length < zxids.length) asked.push((await connection.request()).xid);
    connection.socket.cork();
    for (const [i, xid] of asked.entries()) connection.reply(xid, zxids[i] as number, 0, stat);
    connection.socket.uncork();
  };
  const expectSet = async (path: string, zxid: number): Promise<void> => {
    const set = await connection.request();
    assert.equal(set.op, OpCode.setWatches);
    assert.equal(set.body.long53(), zxid);
    assert.deepEqual(
      set.body.vector((r) => r.string()),
      [path],
    );
    connection.reply(Xid.setWatches, zxid);
  };
  // One of two watchers is removed while the other's read is under way.
  const watcher = (): void => {};
  const first = client.exists('/a', { watcher });
  await answerTogether(4);
  await first;
  const calls: Promise<unknown>[] = [client.exists('/a', { watcher: () => {} })];
  calls.push(client.removeWatches('/a', { type: 'data', watcher }));
  calls.push(client.setData('/a', ''));
  // The write comes behind the removal: its event goes to nobody.
  await answerTogether(4, 4, 9);
  await Promise.all([...calls, expectSet('/a', 4)]);
  // A persistent watch is closed that stood for a one-shot one.
  const stream = client.watch('/b');
  const read = client.exists('/b', { watcher });
  await answerTogether(10, 10);
  await read;
  stream.close();
  const written = client.setData('/b', '');
  await answerTogether(10, 15);
  await Promise.all([written, expectSet('/b', 10)]);
});

test('a persistent watch that is set while another is removed is no reason to leave one-shot ones out', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  const stream = client.watch('/a');
  connection.reply((await connection.request()).xid, 1, 0, (w) => w.int(0));
  const read = client.exists('/a', { watcher: () => {} });
  connection.reply((await connection.request()).xid, 4, 0, stat);
  await read;
  stream.close();
  const removal = await connection.request();
  client.watch('/a');
  const added = await connection.request();
  connection.reply(removal.xid, 5);
  const { op, body } = await connection.request();
  assert.equal(op, OpCode.setWatches2);
  assert.equal(body.long53(), 5);
  // Data, exists, children, persistent, recursive: the new watch goes along, as older servers keep one of a path.
  const lists = Array.from({ length: 5 }, () => body.vector((r) => r.string()));
  assert.deepEqual(lists, [['/a'], [], [], ['/a'], []]);
  connection.reply(added.xid, 5, 0, (w) => w.int(0));
});

test('a watcher that comes behind a removal of all stays', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  const before = client.exists('/a', { watcher: () => {} });
  connection.reply((await connection.request()).xid, 1, 0, stat);
  await before;
  const { watcher, event } = nextEvent();
  const calls = [client.removeWatches('/a'), client.exists('/a', { watcher })];
  const asked = [await connection.request(), await connection.request()];
  connection.socket.cork();
  for (const { xid } of asked) connection.reply(xid, 2, 0, stat);
  connection.notify(EventType.nodeDataChanged, '/a', 3);
  connection.socket.uncork();
  await Promise.all(calls);
  assert.equal((await event).zxid, 3);
});

test('one-shot watches are set if the persistent one that was to stand for them is refused', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  const stream = client.watch('/a');
  const read = client.exists('/a', { watcher: () => {} });
  const added = await connection.request();
  const asked = await connection.request();
  assert.equal(asked.body.string(), '/a');
  assert.equal(asked.body.bool(), false);
  connection.reply(added.xid, 1, ErrorCode.Unimplemented);
  await assert.rejects(stream.ready, { codeName: 'Unimplemented' });
  await assert.rejects(stream.next(), { codeName: 'Unimplemented' });
  connection.reply(asked.xid, 4, 0, stat);
  await read;
  for (;;) {
    const { op, xid, body } = await connection.request();
    if (op === OpCode.setWatches) {
      assert.equal(body.long53(), 4);
      return;
    }
    connection.reply(xid, 4, ErrorCode.NoWatcher);
  }
});

test('calls are lost together with those before them, so that none overtakes another', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { maxOutstanding: 2 });
  const connection = await (await server.next()).accept();
  await client.connected();
  const calls = [1, 2, 3, 4].map((i) => client.setData('/a', String(i)).catch((e: KeeperError) => e));
  await connection.request();
  connection.socket.destroy();
  const errors = (await Promise.all(calls)) as KeeperError[];
  assert.deepEqual(
    errors.map((error) => [error.codeName, error.outcomeUnknown]),
    [
      ['ConnectionLoss', true],
      ['ConnectionLoss', true],
      ['ConnectionLoss', false],
      ['ConnectionLoss', false],
    ],
  );
});

test('a write that is lost with a server that serves reads only was certainly not done', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { readOnly: true });
  const connection = await (await server.next()).accept(77n, 10_000, true);
  await client.connected();
  const write = client.setData('/a', 'x').catch((e: KeeperError) => e);
  await connection.request();
  connection.socket.destroy();
  const { codeName, outcomeUnknown } = (await write) as KeeperError;
  assert.deepEqual([codeName, outcomeUnknown], ['ConnectionLoss', false]);
});

test('many calls of a turn leave in one write', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  await client.connected();
  let chunks = 0;
  connection.socket.on('data', () => chunks++);
  void connection.answerAll();
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) calls.push(client.sync());
  await Promise.resolve();
  for (let i = 0; i < 100; i++) calls.push(client.sync());
  await Promise.all(calls);
  assert.equal(chunks, 1);
});

test('a retried write that fails for good says that an earlier try may have been executed', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { reconnect: { minDelay: 10, maxDelay: 10 } });
  const connection = await (await server.next()).accept();
  const retry = { delay: (attempt: number) => (attempt < 2 ? 0 : undefined) };
  const write = client.setData('/a', 'x', { retry }).catch((e: KeeperError) => e);
  await connection.request();
  connection.socket.destroy();
  const second = await (await server.next()).accept();
  second.reply((await second.request()).xid, 3, ErrorCode.BadVersion);
  const { codeName, outcomeUnknown } = (await write) as KeeperError;
  assert.deepEqual([codeName, outcomeUnknown], ['BadVersion', true]);
});

test('the time limit of a call holds for all of its tries', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { retry: { delay: () => 20 } });
  void (async () => {
    for (;;) {
      const connection = await (await server.next()).accept();
      await connection.request();
      connection.socket.destroy();
    }
  })();
  await assert.rejects(client.exists('/a', { timeout: 150 }), { codeName: 'OperationTimeout' });
});

test('the time limit of a call holds for the pauses between its tries', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { sessionTimeout: 60_000 });
  const connection = await (await server.next()).accept();
  const retry = { delay: () => 1_000_000 };
  const read = assert.rejects(client.exists('/a', { timeout: 100, retry }), { codeName: 'OperationTimeout' });
  const create = client.create('/a', { timeout: 100, retry, protect: true }).catch((e: KeeperError) => e);
  await connection.request();
  await connection.request();
  connection.socket.destroy();
  await read;
  const { codeName, outcomeUnknown } = (await create) as KeeperError;
  assert.deepEqual([codeName, outcomeUnknown], ['OperationTimeout', true]);
});

test('what a listener throws is told, and the session goes on', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const errors: unknown[] = [];
  client.on('watcherError', (error) => errors.push((error as Error).message));
  client.on('state', ({ state }) => {
    throw new Error(`listener of ${state}`);
  });
  const heard: string[] = [];
  client.once('state', ({ state }) => heard.push(`once ${state}`));
  client.on('state', ({ state }) => heard.push(state));
  const connection = await (await server.next()).accept();
  const call = client.exists('/a').catch((e: KeeperError) => e.codeName);
  await connection.request();
  connection.socket.destroy();
  assert.equal(await call, 'ConnectionLoss');
  const second = await (await server.next()).accept();
  void second.answerAll();
  await client.exists('/a');
  assert.deepEqual(errors, ['listener of connected', 'listener of suspended', 'listener of connected']);
  // Nor does it keep anything from other listeners.
  assert.deepEqual(heard, ['once connected', 'connected', 'suspended', 'connected']);
});

test('what a listener of events throws keeps no event from the others', async (t) => {
  const server = await FakeServer.start(t);
  const fail = (): void => {
    throw new Error('a bug');
  };
  const client = begin(t, server.port, { onEvent: fail });
  const errors: unknown[] = [];
  client.on('watcherError', (error) => errors.push((error as Error).message));
  client.onEvent(fail);
  const heard = once(client, 'watch');
  const connection = await (await server.next()).accept();
  const read = client.exists('/a', { watch: true });
  connection.reply((await connection.request()).xid, 1, 0, stat);
  await read;
  connection.notify(EventType.nodeDataChanged, '/a', 2);
  assert.equal((await heard)[0].path, '/a');
  assert.deepEqual(errors, ['a bug', 'a bug']);
});

test('who waits for room is told when the calls are lost', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { maxOutstanding: 1 });
  const connection = await (await server.next()).accept();
  await client.connected();
  const call = client.sync().catch((e: KeeperError) => e.codeName);
  const drained = client.drained();
  await assert.rejects(client.drained({ timeout: 20 }), { codeName: 'OperationTimeout' });
  await assert.rejects(client.drained({ signal: AbortSignal.abort(new Error('no')) }), { message: 'no' });
  await connection.request();
  connection.socket.destroy();
  await drained;
  assert.equal(await call, 'ConnectionLoss');
});

test('an identity that is presented again and again is presented once on the next connection', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port, { auth: [{ scheme: 'digest', auth: 'a:b' }] });
  const connection = await (await server.next()).accept();
  const presented = async (on: FakeConnection): Promise<string> => {
    const { op, xid, body } = await on.request();
    assert.equal(op, OpCode.auth);
    on.reply(xid, 1);
    body.int();
    return `${body.string()} ${body.buffer()}`;
  };
  assert.equal(await presented(connection), 'digest a:b');
  for (const auth of ['a:b', 'c:d', 'a:b', 'c:d', 'c:d']) {
    const added = client.addAuth('digest', auth);
    assert.equal(await presented(connection), `digest ${auth}`);
    await added;
  }
  connection.socket.destroy();
  await once(client, 'suspended');
  const next = await (await server.next()).accept();
  assert.deepEqual([await presented(next), await presented(next)], ['digest a:b', 'digest c:d']);
  const call = client.sync();
  const { op, xid } = await next.request();
  assert.equal(op, OpCode.sync);
  next.reply(xid, 1, 0, (w) => w.string('/'));
  await call;
});

test('an identity is waited for within limits', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept();
  await client.connected();
  await assert.rejects(client.addAuth('digest', 'a:b', { timeout: 20 }), { codeName: 'OperationTimeout' });
  const { op, xid } = await connection.request();
  assert.equal(op, OpCode.auth);
  connection.reply(xid, 1); // nobody waits any more
  const call = client.sync();
  connection.reply((await connection.request()).xid, 1, 0, (w) => w.string('/'));
  await call;
  // Given up before it was sent, it never is.
  connection.socket.destroy();
  await once(client, 'suspended');
  await assert.rejects(client.addAuth('digest', 'c:d', { timeout: 1 }), { codeName: 'OperationTimeout' });
  const next = await (await server.next()).accept();
  const again = await next.request();
  assert.equal(again.op, OpCode.auth);
  again.body.int();
  assert.equal(again.body.string(), 'digest');
  assert.equal(String(again.body.buffer()), 'a:b');
  void client.sync().catch(() => {});
  assert.equal((await next.request()).op, OpCode.sync);
});

test('a session of another client is taken up by its id and password', async (t) => {
  const server = await FakeServer.start(t);
  begin(t, server.port, { session: { id: 4711n, password: Buffer.alloc(16, 1) } });
  const connection = await (await server.next()).accept(4711n);
  assert.equal(connection.sessionId, 4711n);
});

test('a server that leaves the list while it is asked for a session is not kept', async (t) => {
  const old = await FakeServer.start(t);
  const other = await FakeServer.start(t);
  const client = begin(t, old.port);
  const asked = await old.next();
  client.updateServerList(`127.0.0.1:${other.port}`);
  void asked.accept();
  void other.next().then((connection) => connection.accept());
  await client.connected();
  assert.equal(client.server, `127.0.0.1:${other.port}`);
});

test('what waits for the server ends with its signal or its time-out', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  await (await server.next()).accept();
  await client.connected();
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error('enough');
  const states = client.states({ signal }).next();
  const aborted = nextEvent({ signal });
  const expired = nextEvent({ timeout: 20 });
  const stream = client.watch('/a', { timeout: 20 });
  const closing = client.close({ timeout: 1_000_000, signal });
  await assert.rejects(expired.event, { codeName: 'OperationTimeout' });
  await assert.rejects(stream.next(), { codeName: 'OperationTimeout' });
  controller.abort(reason);
  assert.equal((await states).done, true);
  await assert.rejects(aborted.event, (error) => error === reason);
  await closing;
});

test('closing does not wait for names to be resolved, and leaves no timer behind', async (t) => {
  const never = new Promise<never>(() => {});
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  let asked = (): void => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const lookup = () => {
    asked();
    return never;
  };
  const client = begin(t, 'nowhere:1', { resolver: { lookup, resolveSrv: () => never } });
  await isAsked;
  await client.close();
  assert.equal(client.state, 'closed');
  assert.ok(timers() <= before);
});

test('many waiters and signals leave no listeners behind', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const warnings: Error[] = [];
  const listener = (warning: Error): void => void warnings.push(warning);
  process.on('warning', listener);
  const { signal } = new AbortController();
  const waiting: Promise<unknown>[] = [];
  for (let i = 0; i < 50; i++) waiting.push(client.connected({ signal }));
  const connection = await (await server.next()).accept();
  void connection.answerAll();
  await Promise.all(waiting);
  await Promise.all(Array.from({ length: 50 }, () => client.sync('/', { signal })));
  for (let i = 0; i < 50; i++) client.watch(`/${i}`, { signal }).close();
  await new Promise((resolve) => setImmediate(resolve));
  process.removeListener('warning', listener);
  assert.deepEqual(warnings, []);
});

test('a server that sends events, and answers nothing, is left before it would end the session', {
  timeout: 20_000,
}, async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept(77n, 6000);
  await client.connected();
  const events = setInterval(() => connection.notify(EventType.nodeDataChanged, '/a', 1), 20);
  // Requests on their way are no reason to leave out the pings.
  const calls = setInterval(() => void client.exists('/a').catch(() => {}), 20);
  atEnd(t, () => [events, calls].map(clearInterval));
  const safeUntil = client.sessionSafeUntil;
  const [{ reason }] = await once(client, 'suspended');
  assert.match(reason.message, /nothing was answered by the server for \d+ ms, though something came/);
  assert.ok(performance.now() < safeUntil, `${performance.now() - safeUntil} ms too late`);
});

test('a frame whose length is wrong is not waited for while pings are not answered', { timeout: 10_000 }, async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept(77n, 900);
  await client.connected();
  const call = client.exists('/a').catch((e: unknown) => e);
  await connection.request();
  connection.socket.write(Buffer.from([0, 1, 0, 0]));
  const pings = setInterval(() => connection.reply(Xid.ping, 1), 50);
  atEnd(t, () => clearInterval(pings));
  assert.equal(((await call) as KeeperError).codeName, 'ConnectionLoss');
});

test('a large answer takes its time, with the answers to pings behind it', async (t) => {
  const server = await FakeServer.start(t);
  const client = begin(t, server.port);
  const connection = await (await server.next()).accept(77n, 3000);
  await client.connected();
  const call = client.getData('/a');
  const { xid } = await connection.request();
  const data = Buffer.alloc(100_000, 1);
  const w = new JuteWriter().int(0).int(xid).long53(1).int(0).buffer(data);
  FakeConnection.stat(w);
  const frame = w.bytes();
  frame.writeInt32BE(frame.length - 4, 0);
  let sent = 0;
  const pieces = setInterval(() => {
    connection.socket.write(frame.subarray(sent, sent + 2000));
    sent += 2000;
  }, 80);
  atEnd(t, () => clearInterval(pieces));
  assert.equal((await call).data?.length, data.length);
});
