// Limits on requests in work: who waits, in which order they go on, what is dropped or refused meanwhile, and what a stop does.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import type { RunningServer } from '../../dist/start.js';
import { HeldDisk } from '../server/held-disk.js';
import { RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

/** A disk whose log finishes no write while it is held, and a clock that can be put forward. */
class World extends HeldDisk {
  private ahead = 0;
  readonly runtime: Runtime = { ...nodeRuntime, now: () => nodeRuntime.now() + this.ahead };

  putForward(ms: number): void {
    this.ahead += ms;
  }
}

interface Scene {
  readonly world: World;
  readonly running: RunningServer;
  /** A client whose write is in work until the disk is released. */
  readonly busy: RawClient;
}

/** A server that may have one request in work, and has one. */
async function scene(t: TestContext, settings: Record<string, string | number | boolean> = {}): Promise<Scene> {
  const world = new World();
  const running = await serve(
    t,
    { request_throttle_max_requests: 1, request_throttle_stall_time: 5, ...settings },
    { disk: world.disk, runtime: world.runtime },
  );
  const busy = await RawClient.open(t, running.clientPort);
  return { world, running, busy };
}

function waiting({ server }: RunningServer): number {
  return server.port.throttler?.length ?? 0;
}

function has({ server }: RunningServer, path: string): boolean {
  return server.database.tree.store.findString(path) !== 0;
}

/** Has the one request that may be in work. */
async function occupy({ world, running, busy }: Scene): Promise<void> {
  world.hold();
  busy.send(OpCode.create, writeCreate('/busy'));
  await until(() => running.server.port.processor.outstanding === 1);
}

type Body = Parameters<RawClient['send']>[1];

function writeCreate(path: string, data = ''): NonNullable<Body> {
  return (w) => {
    w.string(path).buffer(Buffer.from(data));
    w.int(1).int(31).string('world').string('anyone').int(0);
  };
}

const reading =
  (path: string): NonNullable<Body> =>
  (w) =>
    w.string(path).bool(false);

test('requests beyond the limit wait for those in work, and go on in their order', async (t) => {
  const it = await scene(t);
  const first = await RawClient.open(t, it.running.clientPort);
  const second = await RawClient.open(t, it.running.clientPort);
  await occupy(it);
  first.send(OpCode.getData, reading('/busy'));
  await until(() => waiting(it.running) === 1);
  second.send(OpCode.create, writeCreate('/second'));
  await until(() => waiting(it.running) === 2);
  first.send(OpCode.getData, reading('/second'));
  first.send(OpCode.ping, undefined, -2);
  await until(() => waiting(it.running) === 4);
  const later = await RawClient.plain(t, it.running.clientPort);
  const session = later.handshake();
  await until(() => waiting(it.running) === 5);
  it.world.release();
  assert.equal((await it.busy.reply()).error, 0);
  assert.equal((await first.reply()).error, 0);
  assert.equal((await second.reply()).error, 0);
  assert.equal((await first.reply()).error, 0, 'it sees the write that came before it');
  assert.equal((await first.reply()).xid, -2);
  assert.equal(await session, true, 'sessions begin in their order too');
  const { throttler } = it.running.server.port;
  assert.equal(throttler?.length, 0);
  assert.equal(throttler?.staleRequestsDropped, 0);
  assert.ok((throttler?.waitCount ?? 0) > 0);
  assert.ok(it.running.server.stats.requestQueueTime.count >= 6);
});

test('what waited longer than throttled_op_wait_time is refused in its place, pings and closing aside', async (t) => {
  const it = await scene(t, { throttled_op_wait_time: 1000 });
  const client = await RawClient.open(t, it.running.clientPort);
  await occupy(it);
  client.send(OpCode.create, writeCreate('/late'));
  client.send(OpCode.ping, undefined, -2);
  client.send(OpCode.exists, reading('/busy'));
  client.send(OpCode.closeSession);
  await until(() => waiting(it.running) === 4);
  it.world.putForward(1001);
  it.world.release();
  const { zxid } = await it.busy.reply();
  const refused = await client.reply();
  assert.deepEqual([refused.error, refused.zxid, refused.body.remaining], [ErrorCode.ThrottledOp, zxid, 0]);
  assert.deepEqual((({ xid, error }) => [xid, error])(await client.reply()), [-2, 0]);
  assert.equal((await client.reply()).error, ErrorCode.ThrottledOp);
  assert.equal((await client.reply()).error, 0);
  await client.closed();
  assert.equal(it.running.server.port.throttler?.throttledOps, 2);
  assert.equal(await it.busy.getData('/late'), undefined);
});

test('requests of a connection that has ended are dropped, only the session is still closed', async (t) => {
  const it = await scene(t);
  const gone = await RawClient.open(t, it.running.clientPort);
  const closing = await RawClient.open(t, it.running.clientPort);
  await occupy(it);
  gone.send(OpCode.create, writeCreate('/gone'));
  await until(() => waiting(it.running) === 1);
  closing.send(OpCode.closeSession);
  await until(() => waiting(it.running) === 2);
  gone.socket.destroy();
  closing.socket.destroy();
  const { server } = it.running;
  await until(() => server.port.connections.size === 1 && waiting(it.running) === 1);
  assert.equal(server.port.throttler?.staleRequestsDropped, 1);
  it.world.release();
  assert.equal((await it.busy.reply()).error, 0);
  await until(() => !server.database.sessionTimeouts.has(closing.id));
  assert.ok(server.database.sessionTimeouts.has(gone.id));
  assert.equal(await it.busy.getData('/gone'), undefined);
});

test('with request_throttle_drop_stale=false a write of a connection that has ended still takes effect', async (t) => {
  const it = await scene(t, { request_throttle_drop_stale: false });
  const gone = await RawClient.open(t, it.running.clientPort);
  await occupy(it);
  gone.send(OpCode.create, writeCreate('/gone'));
  gone.send(OpCode.getData, reading('/gone'));
  await until(() => waiting(it.running) === 2);
  gone.socket.destroy();
  const { server } = it.running;
  await until(() => server.port.connections.size === 1);
  it.world.release();
  assert.equal((await it.busy.reply()).error, 0);
  await until(() => has(it.running, '/gone'));
  assert.equal(server.port.throttler?.staleRequests, 2);
  assert.equal(server.port.throttler?.staleRequestsDropped, 0);
  await until(() => server.port.processor.outstanding === 0);
});

test('with request_stale_latency_check a request older than the session timeout ends its connection', async (t) => {
  const it = await scene(t, { request_stale_latency_check: true, maxSessionTimeout: 100_000 });
  const impatient = await RawClient.open(t, it.running.clientPort, { timeout: 4000 });
  const patient = await RawClient.open(t, it.running.clientPort, { timeout: 60_000 });
  await occupy(it);
  impatient.send(OpCode.create, writeCreate('/impatient'));
  await until(() => waiting(it.running) === 1);
  patient.send(OpCode.create, writeCreate('/patient'));
  await until(() => waiting(it.running) === 2);
  it.world.putForward(impatient.timeout + 1);
  await impatient.closed();
  it.world.release();
  assert.equal((await it.busy.reply()).error, 0);
  assert.equal((await patient.reply()).error, 0);
  assert.equal(await patient.getData('/impatient'), undefined);
  assert.equal(it.running.server.port.throttler?.staleRequestsDropped, 1);
});

test('a stop lets go on what waits and is not stale', async (t) => {
  const it = await scene(t, { request_throttle_drop_stale: false });
  const client = await RawClient.open(t, it.running.clientPort);
  await occupy(it);
  client.send(OpCode.create, writeCreate('/client'));
  await until(() => waiting(it.running) === 1);
  const stopped = it.running.close();
  await client.closed();
  it.world.release();
  await stopped;
  const dir = it.running.server.config.dataDir;
  const again = await serve(t, { dataDir: dir });
  assert.ok(has(again, '/busy') && has(again, '/client'));
});

test('what goes on behind a list that is sent in pieces waits for its end', async (t) => {
  const it = await scene(t);
  const children = 2500; // more than are sent at once
  for (let i = 0; i < children; i++) it.busy.send(OpCode.create, writeCreate(i === 0 ? '/list' : `/list/${i}`));
  for (let i = 0; i < children; i++) assert.equal((await it.busy.reply()).error, 0);
  const client = await RawClient.open(t, it.running.clientPort);
  await occupy(it);
  const list = client.send(OpCode.getChildren, reading('/list'));
  const one = client.send(OpCode.getData, reading('/list'));
  client.send(OpCode.ping, undefined, -2);
  const written = client.send(OpCode.create, writeCreate('/list/new'));
  await until(() => waiting(it.running) === 4);
  it.world.release();
  const names = await client.reply();
  assert.equal(names.xid, list);
  assert.equal(names.body.vector((r) => r.string())?.length, children - 1);
  assert.equal(names.body.remaining, 0);
  const data = await client.reply();
  assert.deepEqual([data.xid, data.error], [one, 0]);
  assert.equal((await client.reply()).xid, -2);
  const created = await client.reply();
  assert.deepEqual([created.xid, created.error], [written, 0]);
});

test('large requests are limited by the bytes of those in work', async (t) => {
  const world = new World();
  const { clientPort, server } = await serve(
    t,
    { largeRequestThreshold: 1000, largeRequestMaxBytes: 2500 },
    { disk: world.disk },
  );
  const clients = await Promise.all([1, 2, 3, 4].map(() => RawClient.open(t, clientPort)));
  const [first, second, third, fourth] = clients as [RawClient, RawClient, RawClient, RawClient];
  world.hold();
  first.send(OpCode.create, writeCreate('/first', 'x'.repeat(1100)));
  await until(() => server.port.processor.outstanding === 1);
  second.send(OpCode.create, writeCreate('/second', 'x'.repeat(900)));
  await until(() => server.port.processor.outstanding === 2);
  third.send(OpCode.create, writeCreate('/third', 'x'.repeat(1100)));
  await until(() => server.port.processor.outstanding === 3);
  fourth.send(OpCode.create, writeCreate('/fourth', 'x'.repeat(1100)));
  await fourth.closed();
  assert.equal(server.port.stats.largeRequestsRejected, 1);
  world.release();
  for (const client of [first, second, third]) assert.equal((await client.reply()).error, 0);
  assert.equal(server.port.processor.largeBytes, 0);
  assert.equal((await first.create('/fifth', 'x'.repeat(1100))).error, 0, 'what is answered no longer counts');
  world.hold();
  first.send(OpCode.create, writeCreate('/sixth', 'x'.repeat(1100)));
  await until(() => server.port.processor.largeBytes > 0);
  first.socket.destroy();
  await until(() => server.port.processor.largeBytes === 0);
  world.release();
});
