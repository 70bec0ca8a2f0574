// Sessions: lost connections, restarts, expiry, half-open and slow sockets, and what calls hear of it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';
import {
  Client,
  connect,
  isKeeperError,
  type KeeperError,
  retryForever,
  retryNTimes,
  type StateChange,
} from '../dist/index.js';
import { Relay } from './relay.js';
import { atEnd, begin, dataDir, open, serve } from './support.js';

/** The next change of this name. */
async function next(client: Client, name: 'connected' | 'suspended' | 'reconnected' | 'expired' | 'closed') {
  const [change] = await once(client, name, { signal: AbortSignal.timeout(60_000) });
  return change as StateChange;
}

/** A server that takes connections and never says anything. */
async function muteServer(t: Parameters<typeof atEnd>[0]): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    atEnd(t, () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => server.close());
  return (server.address() as { port: number }).port;
}

test('a killed connection is replaced, with the same session', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  const { sessionId } = client;
  await client.create('/e', { mode: 'ephemeral' });
  const suspended = next(client, 'suspended');
  const reconnected = next(client, 'reconnected');
  relay.cut();
  assert.ok((await suspended).reason instanceof Error);
  assert.equal((await reconnected).sessionId, sessionId);
  assert.equal(client.sessionId, sessionId);
  assert.equal((await client.exists('/e'))?.ephemeralOwner, sessionId);
});

test('who has no session tries all servers before connect gives up, however long sessions last', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  atEnd(t, () => silent.close());
  const { port } = silent.address() as AddressInfo;
  const began = performance.now();
  begin(t, Array(15).fill(`127.0.0.1:${port}`).join(), { sessionTimeout: 600_000 });
  await once(silent, 'connection');
  await once(silent, 'connection');
  const elapsed = performance.now() - began;
  assert.ok(elapsed < 15_000, `the second attempt began after ${elapsed} ms`);
});

test('calls under way when the connection is lost are rejected; a write says that it may have happened', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  const direct = await open(t, clientPort);
  relay.loseAnswers();
  const write = client.create('/lost').catch((e: KeeperError) => e);
  const read = client.getData('/').catch((e: KeeperError) => e);
  while ((await direct.exists('/lost')) === null);
  relay.up();
  relay.cut();
  const failure = (await write) as KeeperError;
  assert.equal(failure.codeName, 'ConnectionLoss');
  assert.equal(failure.outcomeUnknown, true);
  assert.equal(failure.path, '/lost');
  const readFailure = (await read) as KeeperError;
  assert.equal(readFailure.codeName, 'ConnectionLoss');
  assert.equal(readFailure.outcomeUnknown, false);
});

test('a call made while the connection is away is answered by the next one', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  relay.down();
  await next(client, 'suspended');
  const made = client.create('/later');
  relay.up();
  assert.equal((await made).path, '/later');
});

test('a restarted server is found again, with the session and its ephemerals', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir });
  const client = await open(t, first.clientPort, { sessionTimeout: 8000 });
  const { sessionId } = client;
  await client.create('/e', { mode: 'ephemeral' });
  const reconnected = next(client, 'reconnected');
  await first.close();
  await serve(t, { dataDir: dir, clientPort: first.clientPort });
  await reconnected;
  assert.equal((await client.exists('/e'))?.ephemeralOwner, sessionId);
});

test('of several servers, those that are down or mute are passed over', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  relay.down();
  const mute = await muteServer(t);
  for (let i = 0; i < 4; i++) {
    const client = await open(t, `127.0.0.1:${relay.port},127.0.0.1:${mute},127.0.0.1:${clientPort}`, {
      connectTimeout: 100,
    });
    assert.equal(client.server, `127.0.0.1:${clientPort}`);
    await client.close();
  }
});

test('a half-open connection is found by the pings that are not answered', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 6000 });
  relay.freeze();
  const began = performance.now();
  const { reason } = await next(client, 'suspended');
  assert.match(reason?.message ?? '', /nothing heard/);
  assert.ok(performance.now() - began < 6000); // before the server would end the session
  const back = next(client, 'reconnected');
  relay.up();
  await back;
});

test('pings keep an idle session', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort, { sessionTimeout: 4000.5 });
  assert.equal(client.sessionTimeout, 4000);
  let lost = 0;
  client.on('suspended', () => lost++);
  await client.create('/e', { mode: 'ephemeral' });
  const watching = await open(t, clientPort);
  const gone = new Promise((resolve) => void watching.exists('/e', { watcher: resolve }));
  const idle = new Promise((resolve) => setTimeout(resolve, 7000, 'idle'));
  assert.equal(await Promise.race([gone, idle]), 'idle');
  assert.equal(lost, 0);
});

test('an expired session is told, and a new one takes its place', async (t) => {
  const { clientPort } = await serve(t, { tickTime: 200 });
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 3000 });
  const observer = await open(t, clientPort);
  const old = client.sessionId;
  await client.create('/e', { mode: 'ephemeral' });
  const gone = new Promise((resolve) => void observer.exists('/e', { watcher: resolve }));
  relay.down();
  await gone;
  const waiting = client.create('/never', { timeout: 5000 }).catch((e: KeeperError) => e);
  const patient = client.exists('/', { retry: retryForever(10) });
  const expired = next(client, 'expired');
  const connected = next(client, 'connected');
  relay.up();
  await expired;
  const change = await connected;
  assert.equal(change.isNewSession, true);
  assert.notEqual(change.sessionId, old);
  const { codeName, outcomeUnknown } = (await waiting) as KeeperError;
  assert.ok(codeName === 'SessionExpired' || codeName === 'ConnectionLoss', codeName);
  assert.equal(outcomeUnknown, false);
  assert.equal(await client.exists('/never'), null);
  assert.ok(await patient);
  await client.create('/e', { mode: 'ephemeral' });
});

test('without renewal the client ends with its session', async (t) => {
  const { clientPort } = await serve(t, { tickTime: 200 });
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 3000, renewSession: false });
  const observer = await open(t, clientPort);
  await client.create('/e', { mode: 'ephemeral' });
  const gone = new Promise((resolve) => void observer.exists('/e', { watcher: resolve }));
  relay.down();
  await gone;
  const expired = next(client, 'expired');
  relay.up();
  await expired;
  await assert.rejects(client.exists('/'), { codeName: 'SessionExpired' });
  await assert.rejects(client.connected(), { codeName: 'SessionExpired' });
});

test('calls are not kept longer than a session when no server is there', async (t) => {
  const { clientPort } = await serve(t, { tickTime: 200 });
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 1000 });
  relay.down();
  await next(client, 'suspended');
  const error = (await client.create('/x').catch((e: unknown) => e)) as KeeperError;
  assert.equal(error.codeName, 'ConnectionLoss');
  assert.equal(error.outcomeUnknown, false);
});

test('while no server is there each call waits for a session time-out of its own', async (t) => {
  const { clientPort } = await serve(t, { tickTime: 200 });
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sessionTimeout: 1000 });
  relay.down();
  await next(client, 'suspended');
  const waited = async (): Promise<number> => {
    const made = performance.now();
    await assert.rejects(client.getData('/'), (e: unknown) => isKeeperError(e, 'ConnectionLoss'));
    return performance.now() - made;
  };
  const first = waited();
  await new Promise((resolve) => setTimeout(resolve, 700));
  const second = waited();
  for (const ms of [await first, await second]) assert.ok(ms >= 999, `${ms} ms`);
});

test('options that can be of no use are told at once', async () => {
  const bad: readonly [object, RegExp][] = [
    [{ sessionTimeout: Number.POSITIVE_INFINITY }, /sessionTimeout is Infinity, but must be a number from 0/],
    [{ sessionTimeout: 2 ** 31 }, /sessionTimeout/],
    [{ sessionTimeout: '10s' }, /sessionTimeout is 10s/],
    [{ sessionTimeout: -1 }, /sessionTimeout/],
    [{ maxOutstanding: 0 }, /maxOutstanding is 0/],
    [{ reconnect: { minDelay: Number.NaN } }, /reconnect\.minDelay is NaN/],
    [{ reconnect: { maxDelay: '2s' } }, /reconnect\.maxDelay is 2s/],
    [{ retry: 3 }, /retry must be a policy/],
    [{ auth: { scheme: 'digest', auth: 'a:b' } }, /auth must be a list/],
    [{ auth: [{ scheme: 4 }] }, /auth must be a list of/],
    [{ auth: [null] }, /auth must be a list of/],
    [{ session: { id: 5 } }, /session must be/],
    [{ session: { id: 5n, password: 'x' } }, /session must be/],
    [{ session: null }, /session must be/],
    [{ sasl: true }, /sasl must be/],
    [{ sasl: null }, /sasl must be/],
    [{ sasl: {} }, /sasl must be/],
    [{ sasl: { mechanism: 'DIGEST-MD5', password: 'p' } }, /sasl must be/],
    [{ sasl: { mechanism: 'PLAIN', username: 'u', password: 'p' } }, /sasl must be/],
    [{ sasl: { mechanism: 'X', begin: true } }, /sasl must be/],
    [{ tls: 'yes' }, /tls must be true/],
    [{ tls: 1 }, /tls must be true/],
    [{ tls: null }, /tls must be true/],
    [{ tls: { cert: 'x', key: 'y' } }, /tls: /],
    [{ tls: { ca: '/etc/ca.pem' } }, /tls: ca holds no certificate/],
    [{ tls: { ca: [Buffer.from('garbage')] } }, /tls: ca holds no certificate/],
  ];
  for (const [options, said] of bad)
    await assert.rejects(connect('127.0.0.1:1', options), (e: Error) => e instanceof TypeError && said.test(e.message));
  await assert.rejects(connect(undefined as unknown as string), /servers must be given as text/);
});

test('what is printed of a client is nothing secret', async (t) => {
  const { clientPort } = await serve(t);
  const sasl = { mechanism: 'DIGEST-MD5', username: 'u', password: 'secret-word' } as const;
  const client = new Client(`127.0.0.1:${clientPort}`, { sasl });
  atEnd(t, () => client.close());
  const text = inspect(client, { depth: 20, showHidden: true });
  assert.match(text, /state: 'connecting'/);
  assert.doesNotMatch(text, /secret-word/);
});

test('data, modes and lists that are none are told by their name', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const wrong = (value: unknown): never => value as never;
  for (const [call, said] of [
    [() => client.create('/n', { data: wrong(5) }), /data must be a string, bytes .* and is number/],
    [() => client.create('/n', { mode: wrong('EPHEMERAL') }), /mode EPHEMERAL is not known: persistent, /],
    [() => client.create('/n', { acl: wrong('world:anyone:r') }), /acl must be a list/],
    [() => client.setData('/', wrong({ a: 1 })), /data must be/],
    [() => client.setData('/', wrong(new ArrayBuffer(5))), /data must be/],
  ] as const)
    await assert.rejects(call(), (e: unknown) => isKeeperError(e, 'BadArguments') && said.test(e.message));
  assert.throws(() => client.transaction().setData('/', wrong(5)), /data must be/);
  assert.throws(() => client.transaction().create('/n', { mode: wrong('x') }), /mode x is not known/);
});

test('connect rejects when there is no server, saying why', async () => {
  const { connect } = await import('../dist/index.js');
  await assert.rejects(connect('127.0.0.1:1', { timeout: 2000 }), {
    codeName: 'OperationTimeout',
    message: /ECONNREFUSED/,
  });
  await assert.rejects(connect('127.0.0.1:1', { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
});

test('a call is given up by its signal or its time-out, sent or not', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  const direct = await open(t, clientPort);
  relay.loseAnswers();
  const controller = new AbortController();
  const aborted = client.getData('/', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, { message: 'enough' });
  await assert.rejects(client.getData('/', { signal: AbortSignal.abort(new Error('before')) }), { message: 'before' });
  const sent = (await client.create('/sent', { timeout: 50 }).catch((e: unknown) => e)) as KeeperError;
  assert.equal(sent.codeName, 'OperationTimeout');
  assert.equal(sent.outcomeUnknown, true);
  while ((await direct.exists('/sent')) === null); // its time can be over before the relay has passed it on
  relay.down();
  await next(client, 'suspended');
  const unsent = (await client.create('/unsent', { timeout: 50 }).catch((e: unknown) => e)) as KeeperError;
  assert.equal(unsent.codeName, 'OperationTimeout');
  assert.equal(unsent.outcomeUnknown, false);
  relay.up();
  assert.ok(await client.exists('/sent'));
  assert.equal(await client.exists('/unsent'), null);
});

test('answers that come after a call was given up do no harm', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const controller = new AbortController();
  const given = client.getData('/', { signal: controller.signal });
  const kept = client.exists('/');
  controller.abort();
  await assert.rejects(given, { name: 'AbortError' });
  assert.ok(await kept);
});

test('the client-wide time-out holds for calls without their own', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { requestTimeout: 50 });
  relay.loseAnswers();
  await assert.rejects(client.exists('/'), { codeName: 'OperationTimeout' });
  // Not for those of the same client without it.
  const { untimed } = client;
  assert.equal(untimed.untimed, untimed);
  const states: string[] = [];
  untimed.on('state', ({ state }) => states.push(state));
  const pending = untimed.exists('/', { timeout: 150 });
  await assert.rejects(client.exists('/'), { codeName: 'OperationTimeout' });
  assert.equal(client.backlog, untimed.backlog);
  await assert.rejects(pending, { codeName: 'OperationTimeout' });
  const lost = assert.rejects(untimed.exists('/'), { codeName: 'ConnectionLoss' });
  relay.up();
  relay.cut();
  await lost;
  await untimed.connected();
  assert.ok(client.isConnected && (await untimed.exists('/')) !== null);
  assert.deepEqual(states, ['suspended', 'connected']);
  assert.equal(untimed.sessionId, client.sessionId);
});

test('time-outs that are longer than timers can count are none', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { timeout: Number.POSITIVE_INFINITY, connectTimeout: 2 ** 31 } as never);
  relay.loseAnswers();
  const calls = [Number.POSITIVE_INFINITY, 2 ** 31, 30 * 86_400_000].map((timeout) =>
    assert.rejects(client.getData('/', { timeout }), { codeName: 'ConnectionLoss' }),
  );
  await new Promise((resolve) => setTimeout(resolve, 20)); // a timer that overflows goes off after 1 ms
  relay.cut();
  await Promise.all(calls);
});

test('closing answers what was called before, and ends the session at once', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const observer = await open(t, clientPort);
  const calls = [];
  for (let i = 0; i < 2500; i++) calls.push(client.create('/e-', { mode: 'ephemeralSequential' }));
  await client.close({ timeout: 60_000 });
  assert.equal((await Promise.all(calls)).length, 2500);
  assert.deepEqual((await observer.getChildren('/')).children, ['zookeeper']);
  assert.equal(client.state, 'closed');
});

test('closing without a connection does not wait', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  relay.down();
  await next(client, 'suspended');
  const waiting = assert.rejects(client.exists('/'), { codeName: 'Closed' });
  await client.close();
  await waiting;
});

test('states are read as a stream, to the end', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = begin(t, relay.port);
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { state } of client.states()) seen.push(state);
  })();
  await client.connected();
  relay.cut();
  await next(client, 'reconnected');
  await client.close();
  await reading;
  assert.deepEqual(seen, ['connected', 'suspended', 'connected', 'closed']);
});

test('of changes of state that nobody reads the last hundred are kept', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { reconnect: { minDelay: 1, maxDelay: 1 } });
  const states = client.states();
  for (let i = 0; i < 60; i++) {
    const again = next(client, 'reconnected');
    relay.cut();
    await again;
  }
  await client.close();
  const seen: string[] = [];
  for await (const { state } of states) seen.push(state);
  assert.deepEqual([seen.length, seen[0], seen.at(-1)], [100, 'connected', 'closed']);
});

test('a slow connection takes its time, and loses nothing', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  relay.slow(64 * 1024, 2);
  const client = await open(t, relay.port);
  await client.create('/s');
  const calls = [];
  for (let i = 0; i < 40; i++) {
    calls.push(client.setData('/s', Buffer.alloc(100_000, i)));
    await client.drained();
  }
  const stats = await Promise.all(calls);
  assert.equal(stats.at(-1)?.version, 40);
  assert.equal((await client.getData('/s')).data?.[99_999], 39);
});

test('many more calls than may be on their way are all answered', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort, { maxOutstanding: 10 });
  const calls = [];
  for (let i = 0; i < 500; i++) calls.push(client.exists('/'));
  assert.equal(client.backlog, 500);
  await client.drained();
  assert.ok(client.backlog < 10);
  assert.equal((await Promise.all(calls)).filter((stat) => stat !== null).length, 500);
});

test('reads are repeated by the policy, writes are not', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { retry: retryNTimes(3, 10) });
  relay.loseAnswers();
  const read = client.getData('/');
  const write = assert.rejects(client.setData('/', ''), { codeName: 'ConnectionLoss' });
  const permitted = client.setData('/', 'x', { retry: retryNTimes(3, 10) });
  relay.up();
  relay.cut();
  await write;
  assert.ok((await read).stat);
  assert.ok((await permitted).version > 0);
});

test('a protected node is created once although the answer was lost', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  const direct = await open(t, clientPort);
  await direct.create('/p');
  relay.loseAnswers();
  const made = client.create('/p/n-', { mode: 'ephemeralSequential', protect: true });
  while ((await direct.getChildren('/p')).children.length === 0);
  relay.up();
  relay.cut();
  const { path, stat } = await made;
  assert.match(path, /^\/p\/_c_[0-9a-f-]{36}-n-\d{10}$/);
  assert.equal(stat.ephemeralOwner, client.sessionId);
  assert.deepEqual((await direct.getChildren('/p')).children, [path.slice(3)]);
});

test('a protected node is created after all if the request was lost', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  relay.freeze();
  const made = client.create('/n', { protect: true });
  await new Promise((resolve) => setImmediate(resolve));
  relay.up();
  relay.cut();
  assert.match((await made).path, /^\/_c_.*-n$/);
  assert.equal((await client.getChildren('/')).children.length, 2);
});

test('a protected ephemeral node is not made in a session that follows while its creation pauses', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port);
  const session = { id: client.sessionId, password: client.sessionPassword };
  relay.freeze();
  const made = client.create('/n', { mode: 'ephemeral', protect: true, retry: { delay: () => 1000 } });
  await new Promise((resolve) => setImmediate(resolve));
  await (await connect(`127.0.0.1:${clientPort}`, { session })).close();
  const renewed = next(client, 'connected');
  relay.up();
  relay.cut();
  await renewed;
  await assert.rejects(made, { codeName: 'SessionExpired', path: /-n$/ });
  assert.deepEqual((await client.getChildren('/')).children, ['zookeeper']);
});

test('a protected node that is larger than the server takes costs few connections', async (t) => {
  const { clientPort } = await serve(t, { 'jute.maxbuffer': 10_000 });
  const client = await open(t, clientPort);
  let lost = 0;
  client.on('suspended', () => lost++);
  const made = client.create('/n', { protect: true, data: Buffer.alloc(50_000) });
  await assert.rejects(made, { codeName: 'ConnectionLoss', outcomeUnknown: true });
  assert.equal(lost, 6);
});

test('identities are presented again on every connection', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { auth: [{ scheme: 'digest', auth: 'a:1' }] });
  await client.addAuth('digest', 'b:2');
  const reconnected = next(client, 'reconnected');
  relay.cut();
  await reconnected;
  const ids = (await client.whoAmI()).map(({ id }) => id);
  assert.ok(ids.some((id) => id.startsWith('a')) && ids.some((id) => id.startsWith('b')));
});

test('an identity that was counted on and is refused ends the client', async (t) => {
  const { clientPort } = await serve(t);
  const client = begin(t, clientPort, { auth: [{ scheme: 'nonsense', auth: 'x' }] });
  if (client.state !== 'authFailed') await once(client, 'authFailed');
  await assert.rejects(client.exists('/'), { codeName: 'AuthFailed', message: /scheme nonsense/ });
});

test('a client moves when its server leaves the list, and stays when it does not', async (t) => {
  const { clientPort } = await serve(t);
  const one = await Relay.start(t, clientPort);
  const two = await Relay.start(t, clientPort);
  const client = await open(t, one.port);
  const { sessionId } = client;
  client.updateServerList(`127.0.0.1:${one.port}`);
  assert.equal(client.state, 'connected');
  const reconnected = next(client, 'reconnected');
  client.updateServerList(`127.0.0.1:${two.port}`);
  assert.equal((await reconnected).server, `127.0.0.1:${two.port}`);
  assert.equal(client.sessionId, sessionId);
  assert.throws(() => client.updateServerList('x/other'), TypeError);
});

test('a server that leaves the list while it says nothing is not waited for', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => {}).resume());
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  atEnd(t, () => silent.close());
  const { clientPort } = await serve(t);
  const { port } = silent.address() as AddressInfo;
  const client = begin(t, port, { connectTimeout: 600_000 });
  await once(silent, 'connection');
  client.updateServerList(`127.0.0.1:${clientPort}`);
  await client.connected({ timeout: 20_000 });
});

test('names are resolved anew for each round, and each address is tried', async (t) => {
  const { clientPort } = await serve(t);
  let lookups = 0;
  const resolver = {
    async lookup(host: string) {
      assert.equal(host, 'zk');
      lookups++;
      return lookups === 1 ? [] : ['127.0.0.1'];
    },
    async resolveSrv(name: string) {
      assert.equal(name, '_zookeeper._tcp.test');
      return [{ host: 'zk', port: clientPort }];
    },
  };
  const client = await open(t, `zk:${clientPort}`, { resolver });
  assert.equal(lookups, 2);
  await client.close();
  const other = await open(t, 'dns-srv://_zookeeper._tcp.test/', { resolver });
  assert.equal(other.server, `127.0.0.1:${clientPort}`);
});

test('a client goes where the SRV records say, with its session', async (t) => {
  const { clientPort } = await serve(t);
  const one = await Relay.start(t, clientPort);
  const two = await Relay.start(t, clientPort);
  let records = [{ host: '127.0.0.1', port: one.port }];
  const resolver = { lookup: (host: string) => Promise.resolve([host]), resolveSrv: () => Promise.resolve(records) };
  const client = await open(t, 'dns-srv://_zookeeper._tcp.test', { resolver, srvRefresh: 20 });
  const { sessionId, server } = client;
  assert.equal(server, `127.0.0.1:${one.port}`);
  const reconnected = next(client, 'reconnected');
  records = [{ host: '127.0.0.1', port: two.port }];
  assert.equal((await reconnected).server, `127.0.0.1:${two.port}`);
  assert.equal(client.sessionId, sessionId);
});

test('a connected client is given the name of SRV records, and follows them', async (t) => {
  const { clientPort } = await serve(t);
  const one = await Relay.start(t, clientPort);
  const two = await Relay.start(t, clientPort);
  const resolver = {
    lookup: (host: string) => Promise.resolve([host]),
    resolveSrv: () => Promise.resolve([{ host: '127.0.0.1', port: two.port }]),
  };
  const client = await open(t, one.port, { resolver });
  const reconnected = next(client, 'reconnected');
  client.updateServerList('dns-srv://_zookeeper._tcp.test');
  assert.equal((await reconnected).server, `127.0.0.1:${two.port}`);
});

test('a name that cannot be resolved is told when connecting fails', async (t) => {
  const resolver = {
    lookup: () => Promise.reject(new Error('no such name')),
    resolveSrv: () => Promise.reject(new Error('no such name')),
  };
  const client = begin(t, 'nowhere:1', { resolver });
  await assert.rejects(client.connected({ timeout: 50 }), { message: /no such name/ });
});

test('a client that has seen more than its servers have is told that this may be why it is refused', async (t) => {
  const first = await serve(t);
  const client = await open(t, first.clientPort, { sessionTimeout: 10_000 });
  await client.create('/a');
  await first.close();
  await serve(t, { clientPort: first.clientPort }); // empty
  await assert.rejects(client.connected({ timeout: 5000 }), (error) => {
    assert.ok(isKeeperError(error, 'OperationTimeout'));
    assert.match(error.message, /is behind what this one has seen \(zxid 0x[1-9a-f][0-9a-f]*\)/);
    return true;
  });
});
