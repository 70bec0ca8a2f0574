// A standalone server through its client port: sessions, durability, limits, bad input.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  ErrorCode,
  EventType,
  JuteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  readStat,
  writeAclList,
} from '@nodekeeper/protocol';
import { digestId } from '../../dist/net/auth.js';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import type { Disk } from '../../dist/storage/disk.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { writeSnapshot } from '../../dist/storage/snapshot-writer.js';
import { childrenInOrder } from '../../dist/tree/child-order.js';
import { F } from '../../dist/tree/node-store.js';
import { SnapshotSource } from '../../dist/tree/snapshot-source.js';
import { Harness } from '../tree/harness.js';
import { Clock } from './clock.js';
import { dataDir, RawClient, type Reply, serve } from './raw-client.js';
import { until } from './until.js';

const createBody =
  (path: string, flags = 0) =>
  (w: JuteWriter): void => {
    w.string(path).buffer(null);
    writeAclList(w, OPEN_ACL_UNSAFE);
    w.int(flags);
  };

test('a session is negotiated, and its password is the one Java derives', async (t) => {
  const { clientPort } = await serve(t);
  const short = await RawClient.open(t, clientPort, { timeout: 1 });
  assert.equal(short.timeout, 6000);
  const long = await RawClient.open(t, clientPort, { timeout: 1_000_000 });
  assert.equal(long.timeout, 60000);
  assert.notEqual(short.id, long.id);
  const { sessionPassword } = await import('../../dist/session/session-id.js');
  assert.equal(sessionPassword(0x1000058e7230000n).toString('hex'), 'bf9caf57e088420b3553cea82954197f');
  assert.deepEqual(short.password, sessionPassword(short.id));
});

test('what was acknowledged is there after a restart, sessions and ephemerals too', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir });
  const a = await RawClient.open(t, first.clientPort);
  await a.create('/a', 'one');
  await a.create('/e', 'mine', 1);
  await first.close();
  await a.closed();
  const second = await serve(t, { dataDir: dir });
  const b = await RawClient.open(t, second.clientPort, { id: a.id, password: a.password });
  assert.equal(b.id, a.id);
  assert.equal(await b.getData('/a'), 'one');
  assert.equal(await b.getData('/e'), 'mine');
  assert.equal((await b.request(OpCode.closeSession)).error, 0);
  const c = await RawClient.open(t, second.clientPort);
  assert.equal(await c.getData('/e'), undefined);
});

test('a wrong password is refused and the connection that had the session is closed all the same', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  const thief = await RawClient.plain(t, clientPort);
  await thief.handshake({ id: a.id, password: Buffer.alloc(16, 1) });
  assert.equal(thief.timeout, 0);
  await thief.closed();
  await a.closed();
  const again = await RawClient.open(t, clientPort, { id: a.id, password: a.password });
  assert.equal(again.id, a.id);
});

test('a client that has seen a later zxid is turned away', async (t) => {
  const { clientPort } = await serve(t);
  const client = await RawClient.plain(t, clientPort);
  assert.equal(await client.handshake({ lastZxidSeen: 1000 }), false);
});

test('an expired session loses its ephemerals, and those who watch are told', async (t) => {
  const clock = new Clock();
  const { clientPort } = await serve(t, { tickTime: 50 }, { runtime: clock.runtime });
  const watcher = await RawClient.open(t, clientPort, { timeout: 1000 });
  const dying = await RawClient.open(t, clientPort, { timeout: 100 });
  await watcher.request(OpCode.addWatch, (w) => w.string('/e').int(0)); // before it may be gone
  await dying.create('/e', '', 1);
  while (!dying.ended) {
    await clock.pass(50);
    await watcher.ping();
  }
  while (watcher.events.length < 2) await watcher.ping();
  assert.deepEqual(
    watcher.events.map(({ type }) => type),
    [EventType.nodeCreated, EventType.nodeDeleted],
  );
  assert.equal(await watcher.getData('/e'), undefined);
});

test('a notification comes before any reply that shows the change', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  const b = await RawClient.open(t, clientPort);
  await a.create('/w', '0');
  for (let i = 1; i <= 50; i++) {
    await a.getData('/w', true);
    b.send(OpCode.setData, (w) =>
      w
        .string('/w')
        .buffer(Buffer.from(String(i)))
        .int(-1),
    );
    let seen = await a.getData('/w');
    while (seen !== String(i)) seen = await a.getData('/w');
    assert.equal(a.events.length, i, 'the event is here before the new value');
    await b.reply();
  }
});

test('replies keep the order of requests, reads behind the writes of their connection', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/o', '');
  const xids: number[] = [];
  for (let i = 0; i < 200; i++) {
    xids.push(
      a.send(OpCode.setData, (w) =>
        w
          .string('/o')
          .buffer(Buffer.from(String(i)))
          .int(-1),
      ),
    );
    xids.push(a.send(OpCode.getData, (w) => w.string('/o').bool(false)));
  }
  for (let i = 0; i < 200; i++) {
    assert.equal((await a.reply()).xid, xids[2 * i]);
    const read = await a.reply();
    assert.equal(read.xid, xids[2 * i + 1]);
    assert.equal(read.body.buffer()?.toString(), String(i));
  }
});

for (const large of ['data', 'a list of children'] as const) {
  test(`a read shows nothing of the writes behind it, though ${large} before it is more than the client takes at once`, async (t) => {
    const { clientPort } = await serve(t);
    const a = await RawClient.open(t, clientPort);
    await a.create('/n');
    await a.create('/large', 'x'.repeat(200_000));
    for (let i = 0; i < 3000; i++)
      a.send(OpCode.create, (w) => {
        w.string(`/large/${i}`).buffer(null);
        writeAclList(w, OPEN_ACL_UNSAFE);
        w.int(0);
      });
    for (let i = 0; i < 3000; i++) await a.reply();
    const set = (data: string): number =>
      a.send(OpCode.setData, (w) => w.string('/n').buffer(Buffer.from(data)).int(-1));
    a.socket.cork();
    for (let round = 0; round < 50; round++) {
      set(`${round}`);
      if (large === 'data') for (let i = 0; i < 4; i++) a.send(OpCode.getData, (w) => w.string('/large').bool(false));
      else a.send(OpCode.getChildren, (w) => w.string('/large').bool(false));
      a.send(OpCode.getData, (w) => w.string('/n').bool(false));
    }
    a.socket.uncork();
    let zxid = 0;
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < (large === 'data' ? 6 : 3); i++) {
        const reply = await a.reply();
        assert.ok(reply.zxid >= zxid, 'time goes on');
        zxid = reply.zxid;
        if (i === (large === 'data' ? 5 : 2)) assert.equal(reply.body.buffer()?.toString(), `${round}`);
      }
    }
  });
}

test('pipelined writes of many connections all take effect once', async (t) => {
  const { clientPort, server } = await serve(t);
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(t, clientPort)));
  await clients[0]?.create('/n', '');
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 100; i++) client.send(OpCode.setData, (w) => w.string('/n').buffer(null).int(-1));
      for (let i = 0; i < 100; i++) assert.equal((await client.reply()).error, 0);
    }),
  );
  const reply = await (clients[0] as RawClient).request(OpCode.exists, (w) => w.string('/n').bool(false));
  for (let i = 0; i < 4; i++) reply.body.long();
  assert.equal(reply.body.int(), 2000, 'every write raised the version');
  assert.equal(server.port.processor.outstanding, 0);
});

test('replies of one turn are whole however many there are', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  const payloads: Buffer[] = [];
  for (let i = 0; i < 5000; i++) {
    const w = new JuteWriter().int(0).int(i).int(OpCode.exists).string(`/missing-${i}`).bool(false);
    const frame = Buffer.from(w.bytes());
    frame.writeInt32BE(frame.length - 4, 0);
    payloads.push(frame);
  }
  a.socket.write(Buffer.concat(payloads));
  for (let i = 0; i < 5000; i++) {
    const reply = await a.reply();
    assert.deepEqual([reply.xid, reply.error], [i, ErrorCode.NoNode]);
  }
});

test('the superuser passes every ACL, a stranger does not', async (t) => {
  const superDigest = digestId('super:pw');
  const { clientPort } = await serve(t, { 'DigestAuthenticationProvider.superDigest': superDigest });
  const a = await RawClient.open(t, clientPort);
  assert.equal((await a.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('bob:x')))).error, 0);
  await a.create('/mine', 'secret');
  const acl = await a.request(OpCode.setACL, (w) => w.string('/mine').int(1).int(31).string('auth').string('').int(-1));
  assert.equal(acl.error, 0);
  assert.equal(await a.getData('/mine'), 'secret');
  const b = await RawClient.open(t, clientPort);
  assert.equal((await b.request(OpCode.getData, (w) => w.string('/mine').bool(false))).error, ErrorCode.NoAuth);
  await b.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('super:pw')));
  assert.equal(await b.getData('/mine'), 'secret');
});

test('a connection proves no more identities than fit into what is kept of them', async (t) => {
  const { clientPort } = await serve(t);
  const client = await RawClient.open(t, clientPort);
  const prove = async (user: string): Promise<number> =>
    (
      await client.request(OpCode.auth, (w) =>
        w
          .int(0)
          .string('digest')
          .buffer(Buffer.from(`${user}:x`)),
      )
    ).error;
  const large = 'u'.repeat(100_000);
  assert.equal(await prove(`1${large}`), 0);
  assert.equal(await prove(`2${large}`), 0);
  assert.equal(await prove(`2${large}`), 0, 'known already');
  assert.equal(await prove(`3${large}`), ErrorCode.AuthFailed);
  await client.closed();
});

test('frames that are too long, negative or too short close the connection and nothing else', async (t) => {
  const { clientPort, server } = await serve(t);
  const witness = await RawClient.open(t, clientPort);
  const before = server.lastZxid;
  for (const length of [-1, 0x7fffffff, 0xfffff + 1]) {
    const a = await RawClient.open(t, clientPort);
    const frame = Buffer.alloc(8);
    frame.writeInt32BE(length);
    a.socket.write(frame);
    await a.closed();
  }
  const short = await RawClient.open(t, clientPort);
  short.sendFrame(Buffer.alloc(3));
  await short.closed();
  await witness.ping();
  assert.equal(server.lastZxid, before + 4, 'only the sessions took a zxid');
});

test('unknown operations and a check outside multi are answered -6 and closed', async (t) => {
  const { clientPort } = await serve(t);
  for (const op of [0, 10, 13, 99, -10, 1000]) {
    const a = await RawClient.open(t, clientPort);
    const reply = await a.request(op, (w) => w.string('/').int(-1));
    assert.deepEqual([reply.error, reply.zxid], [ErrorCode.Unimplemented, -1], String(op));
    await a.closed();
  }
});

test('createTTL with other flags, which kills Apache servers, is a bad argument', async (t) => {
  const { clientPort } = await serve(t, { extendedTypesEnabled: true });
  const a = await RawClient.open(t, clientPort);
  const reply = await a.request(OpCode.createTTL, (w) =>
    w.string('/x').buffer(null).int(1).int(31).string('world').string('anyone').int(0).long53(-1),
  );
  assert.equal(reply.error, ErrorCode.BadArguments);
});

test('a failed sync ends the server, and nothing of that batch is acknowledged', async (t) => {
  let broken = false;
  const disk: Disk = {
    ...nodeDisk,
    createLog(path, durable, done) {
      nodeDisk.createLog(path, durable, (error, file) => {
        if (file === null) done(error, null);
        else {
          done(null, {
            ...file,
            write: (parts, position, written) =>
              broken
                ? setImmediate(() => written(new Error('input/output error')))
                : file.write(parts, position, written),
          });
        }
      });
    },
  };
  let fatal: Error | undefined;
  const { clientPort, server } = await serve(t, {}, { disk, onFatal: (e) => (fatal = e) });
  const a = await RawClient.open(t, clientPort);
  await a.create('/ok', '');
  const before = server.lastZxid;
  broken = true;
  a.send(OpCode.setData, (w) => w.string('/ok').buffer(Buffer.from('lost')).int(-1));
  const b = await RawClient.plain(t, clientPort);
  while (fatal === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.match(fatal.message, /input\/output error/);
  assert.equal(server.lastZxid, before);
  assert.notEqual(server.notReady, undefined);
  a.socket.destroy();
  b.socket.destroy();
});

test('no write gets a zxid that cannot be told from the next: the server ends before', async (t) => {
  const dir = dataDir(t);
  mkdirSync(join(dir, 'version-2'));
  const options = { digestEnabled: false, serializeLastProcessedZxid: false, compression: '' } as const;
  const { tree } = new Harness();
  tree.lastProcessedZxid = Number.MAX_SAFE_INTEGER - 2;
  await writeSnapshot(nodeDisk, join(dir, 'version-2'), new SnapshotSource(tree, []), options);
  let onFatal: (error: Error) => void = () => {};
  const told = new Promise<Error>((resolve) => {
    onFatal = resolve;
  });
  const { clientPort, server } = await serve(t, { dataDir: dir }, { onFatal: (error) => onFatal(error) });
  const a = await RawClient.open(t, clientPort);
  await a.create('/last', '');
  assert.equal(server.lastZxid, Number.MAX_SAFE_INTEGER);
  a.send(OpCode.setData, (w) => w.string('/last').buffer(null).int(-1));
  assert.match((await told).message, /epochs from 2097152 on are not supported/);
  assert.equal(server.lastZxid, Number.MAX_SAFE_INTEGER);
});

test('an error of ours ends the server also where those go on who had to wait for the commit', async (t) => {
  let onFatal: (error: Error) => void = () => {};
  const told = new Promise<Error>((resolve) => {
    onFatal = resolve;
  });
  const { clientPort, server } = await serve(t, {}, { onFatal: (error) => onFatal(error) });
  const a = await RawClient.open(t, clientPort);
  server.port.liftLimit = () => {
    throw new Error('planted');
  };
  a.send(OpCode.setData, (w) => w.string('/').buffer(null).int(-1));
  assert.equal((await told).message, 'planted');
  assert.equal(server.notReady, 'the server has failed');
});

test('a reader that does not read is not written to without bound, and others are served', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/big', 'x'.repeat(900_000));
  const slow = await RawClient.open(t, clientPort);
  slow.socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 500; i++) slow.send(OpCode.getData, (w) => w.string('/big').bool(false));
  for (let i = 0; i < 50; i++) await a.ping();
  assert.ok(
    process.memoryUsage().arrayBuffers - before < 100e6,
    '450 MB of replies are not made ahead of their reader',
  );
  slow.socket.resume();
  for (let i = 0; i < 500; i++) assert.equal((await slow.reply()).body.buffer()?.length, 900_000);
});

test('writes keep their place behind reads whose replies could not leave yet', async (t) => {
  const { clientPort, server } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/big', 'x'.repeat(900_000));
  await a.create('/v', '');
  a.socket.pause();
  // Nothing is committed, so nothing answered, until all of it is taken in.
  const { log } = server;
  const flush = log.flush.bind(log);
  log.flush = () => {};
  const before = server.port.stats.packetsReceived;
  const xids: number[] = [];
  for (let i = 0; i < 60; i++) {
    xids.push(
      a.send(OpCode.setData, (w) =>
        w
          .string('/v')
          .buffer(Buffer.from(String(i)))
          .int(-1),
      ),
    );
    xids.push(a.send(OpCode.getData, (w) => w.string('/big').bool(false)));
    xids.push(a.send(OpCode.getData, (w) => w.string('/v').bool(false)));
  }
  while (server.port.stats.packetsReceived < before + xids.length)
    await new Promise((resolve) => setImmediate(resolve));
  log.flush = flush;
  flush();
  const b = await RawClient.open(t, clientPort);
  while ((await b.getData('/v')) !== '59');
  a.socket.resume();
  for (const xid of xids) assert.equal((await a.reply()).xid, xid);
});

test('a list of very many children is that of one moment, whatever happens while it is sent', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  const b = await RawClient.open(t, clientPort);
  await a.create('/many', '');
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    a.send(OpCode.create, (w) =>
      w.string(`/many/n${i}`).buffer(null).int(1).int(31).string('world').string('anyone').int(0),
    );
  }
  for (let i = 0; i < count; i++) await a.reply();
  a.send(OpCode.getChildren2, (w) => w.string('/many').bool(true));
  a.send(OpCode.exists, (w) => w.string('/many/n1').bool(false));
  for (let i = 0; i < 500; i++) b.send(OpCode.delete, (w) => w.string(`/many/n${i}`).int(-1));
  const list = await a.reply();
  const names = list.body.vector((r) => r.string() ?? '') ?? [];
  assert.equal(list.body.remaining, 68, 'the Stat follows');
  assert.ok(names.length >= count - 500);
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.every((name) => /^n\d+$/.test(name)));
  assert.equal((await a.reply()).xid, list.xid + 1);
  for (let i = 0; i < 500; i++) assert.equal((await b.reply()).error, 0);
  await a.ping();
  assert.equal(a.events.length, 1, 'the watch that came with the list has fired');
});

/** A node with so many children that their list is sent in pieces. */
async function manyChildren(client: RawClient, parent: string, count: number): Promise<void> {
  await client.create(parent, '');
  client.socket.cork();
  for (let i = 0; i < count; i++) {
    client.send(OpCode.create, (w) =>
      w.string(`${parent}/n${i}`).buffer(null).int(1).int(31).string('world').string('anyone').int(0),
    );
  }
  client.socket.uncork();
  for (let i = 0; i < count; i++) await client.reply();
}

test('a list of few children with very long names leaves in pieces, too, and in order', async (t) => {
  const { clientPort, server } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/few', '');
  for (let i = 0; i < 12; i++) assert.equal((await a.create(`/few/${i}${'n'.repeat(800_000)}`)).error, 0);
  const { store } = server.database.tree;
  const inOrder = childrenInOrder(store, store.findString('/few')).subarray(0, 12);
  const names = Array.from(inOrder, (id) => store.path(id).slice('/few/'.length));
  const slow = await RawClient.open(t, clientPort);
  slow.socket.pause();
  slow.send(OpCode.getChildren, (w) => w.string('/few').bool(false));
  const connection = [...server.port.connections].find(({ session }) => session?.id === slow.id);
  await until(() => connection?.blocked === true);
  for (let i = 0; i < 50; i++) await a.ping();
  assert.ok((connection?.unsent ?? 0) < 2_000_000, `${connection?.unsent} bytes wait`);
  slow.socket.resume();
  const listed = (await slow.reply()).body.vector((r) => r.string()) ?? [];
  assert.ok(listed.length === 12 && listed.every((name, i) => name === names[i]));
});

test('a write committed while a list of children is on its way is answered behind the list', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await manyChildren(a, '/many', 3000);
  const set = (): number => a.send(OpCode.setData, (w) => w.string('/many').buffer(null).int(-1));
  for (let round = 0; round < 10; round++) {
    // In one write: both transactions are in one batch, and the list between them begins when the first is answered.
    a.socket.cork();
    const xids = [set(), a.send(OpCode.getChildren, (w) => w.string('/many').bool(false)), set()];
    a.socket.uncork();
    const replies = [await a.reply(), await a.reply(), await a.reply()];
    assert.deepEqual(
      replies.map(({ xid, error }) => [xid, error]),
      xids.map((xid) => [xid, 0]),
    );
    assert.equal(replies[1]?.body.vector((r) => r.string())?.length, 3000);
  }
});

test('a session that closes behind a list of children gets the whole list and the answer to the close', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await manyChildren(a, '/many', 3000);
  for (let round = 0; round < 10; round++) {
    const b = await RawClient.open(t, clientPort);
    b.socket.cork();
    const set = b.send(OpCode.setData, (w) => w.string('/many').buffer(null).int(-1));
    const list = b.send(OpCode.getChildren, (w) => w.string('/many').bool(false));
    const close = b.send(OpCode.closeSession);
    b.socket.uncork();
    assert.equal((await b.reply()).xid, set);
    const reply = await b.reply();
    assert.equal(reply.xid, list);
    assert.equal(reply.body.vector((r) => r.string())?.length, 3000);
    assert.deepEqual(((r) => [r.xid, r.error])(await b.reply()), [close, 0]);
    await b.closed();
  }
});

test('a session that closes behind replies its client has not taken yet gets them all', async (t) => {
  const { clientPort, server } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/big', 'x'.repeat(900_000));
  const b = await RawClient.open(t, clientPort);
  b.socket.pause();
  b.socket.cork();
  const xids = [b.send(OpCode.setData, (w) => w.string('/').buffer(null).int(-1))];
  for (let i = 0; i < 30; i++) xids.push(b.send(OpCode.getData, (w) => w.string('/big').bool(false)));
  xids.push(b.send(OpCode.closeSession));
  b.socket.uncork();
  while (server.port.sessions.get(b.id) !== undefined) await a.ping();
  b.socket.resume();
  for (const xid of xids) assert.equal((await b.reply()).xid, xid);
  await b.closed();
});

test('the connection of a closed session does not wait for ever for a client that takes no replies', async (t) => {
  const { clientPort, server } = await serve(t, { tickTime: 50 });
  const a = await RawClient.open(t, clientPort, { timeout: 1000 });
  await a.create('/big', 'x'.repeat(900_000));
  const b = await RawClient.open(t, clientPort, { timeout: 100 });
  b.socket.pause();
  b.socket.cork();
  b.send(OpCode.setData, (w) => w.string('/').buffer(null).int(-1));
  for (let i = 0; i < 30; i++) b.send(OpCode.getData, (w) => w.string('/big').bool(false));
  b.send(OpCode.closeSession);
  b.socket.uncork();
  while (server.port.connections.size > 1) await a.ping();
  assert.equal(server.port.processor.outstanding, 0);
});

test('whoever could read a node is told of its deletion, though nobody else uses its ACL', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('bob:x')));
  await a.request(OpCode.create, (w) => w.string('/mine').buffer(null).int(1).int(31).string('auth').string('').int(0));
  assert.equal(await a.getData('/mine', true), '');
  const stranger = await RawClient.open(t, clientPort);
  await stranger.request(OpCode.addWatch, (w) => w.string('/mine').int(0));
  assert.equal((await a.request(OpCode.delete, (w) => w.string('/mine').int(-1))).error, 0);
  await stranger.ping();
  assert.deepEqual(
    a.events.map((e) => [e.type, e.path]),
    [[EventType.nodeDeleted, '/mine']],
  );
  assert.deepEqual(stranger.events, [], 'who may not read it is not told');
});

test('a multi with an ACL that cannot be read fails as a whole and leaves nothing behind', async (t) => {
  const { clientPort, server } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/p', '');
  const part = (w: JuteWriter, path: string, id: string | null): JuteWriter => {
    w.int(OpCode.create).bool(false).int(-1);
    return w.string(path).buffer(null).int(1).int(31).string('world').string(id).int(0);
  };
  a.socket.cork();
  a.send(OpCode.multi, (w) => {
    part(w, '/p/a', 'anyone');
    part(w, '/p/b', null);
    part(w, '/p/c', 'anyone').int(-1).bool(true).int(-1);
  });
  // Judged before the first is applied: what it had in mind is forgotten at once.
  a.send(OpCode.create, (w) => w.string('/p/a').buffer(null).int(1).int(31).string('world').string('anyone').int(0));
  a.send(OpCode.exists, (w) => w.string('/p').bool(false));
  a.socket.uncork();
  const multi = await a.reply();
  assert.deepEqual([multi.error, multi.body.remaining], [ErrorCode.MarshallingError, 0]);
  assert.equal((await a.reply()).error, 0);
  const stat = readStat((await a.reply()).body);
  assert.deepEqual([stat.numChildren, stat.cversion], [1, 1]);
  assert.equal(server.database.tree.digestMismatches, 0);
});

test('a creation counter that has come to its end stays there, and digests are right', async (t) => {
  const { clientPort, server } = await serve(t);
  const { tree } = server.database;
  const a = await RawClient.open(t, clientPort);
  await a.create('/p', '');
  const id = tree.store.findString('/p');
  const setCounter = (value: number): void => {
    tree.store.set(id, F.cversion, value);
    tree.digest.subtract(tree.store.digest(id));
    tree.digest.add(tree.store.refreshDigest(id));
  };
  setCounter(2 ** 31 - 2);
  a.socket.cork(); // the later ones are judged before the first is applied
  for (let i = 0; i < 3; i++) a.send(OpCode.create, createBody('/p/s-', 2));
  a.send(OpCode.create, createBody('/p/named'));
  a.socket.uncork();
  const answers: (string | number)[] = [];
  for (let i = 0; i < 4; i++) {
    const { error, body } = await a.reply();
    answers.push(error === 0 ? (body.string() as string) : error);
  }
  assert.deepEqual(answers, ['/p/s-2147483646', '/p/s-2147483647', ErrorCode.NodeExists, '/p/named']);
  assert.equal(tree.store.get(id, F.cversion), 2 ** 31 - 1);
  setCounter(-2);
  await a.create('/p/negative', '');
  assert.equal(tree.store.get(id, F.cversion), -1);
  assert.ok(tree.digestComparisons >= 4);
  assert.equal(tree.digestMismatches, 0);
});

test('a null ACL within a multi fails the whole, before its parts are tried', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  const { error, body } = await a.request(OpCode.multi, (w) => {
    w.int(OpCode.delete).bool(false).int(-1).string('/none').int(-1);
    w.int(OpCode.create).bool(false).int(-1).string('/n').buffer(null).int(-1).int(0);
    w.int(-1).bool(true).int(-1);
  });
  assert.deepEqual([error, body.remaining], [ErrorCode.MarshallingError, 0]);
});

test('a multiRead that asks for more than fits into memory is refused, and the connection goes on', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  await a.create('/big', 'x'.repeat(1_000_000));
  const multiRead = (parts: number): Promise<Reply> =>
    a.request(OpCode.multiRead, (w) => {
      for (let i = 0; i < parts; i++) w.int(OpCode.getData).bool(false).int(-1).string('/big').bool(false);
      w.int(-1).bool(true).int(-1);
    });
  const before = process.memoryUsage().arrayBuffers;
  const refused = await multiRead(30_000); // 30 GB
  assert.deepEqual([refused.error, refused.body.remaining], [ErrorCode.MarshallingError, 9]);
  assert.ok(process.memoryUsage().arrayBuffers - before < 400e6);
  assert.equal((await multiRead(2)).error, 0);
});

test('a prefix of characters that Java trims away names all ephemeral nodes', async (t) => {
  const { clientPort } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  for (const path of ['/e1', '/x']) await a.create(path, '', 1);
  const below = async (prefix: string | null): Promise<(string | null)[] | null> => {
    const { body } = await a.request(OpCode.getEphemerals, (w) => w.string(prefix));
    return body.vector((r) => r.string());
  };
  for (const all of [null, '', '/', ' ', '\u0000', '\t\u001f ']) assert.deepEqual(await below(all), ['/e1', '/x']);
  assert.deepEqual(await below('/e'), ['/e1']);
  assert.deepEqual(await below('\u00a0'), [], 'Java keeps this space');
});

test('who has many ephemerals looked through has used up its share, though the reply lists none', async (t) => {
  const { clientPort, server } = await serve(t);
  const a = await RawClient.open(t, clientPort);
  for (let i = 0; i < 700; i++) a.send(OpCode.create, createBody(`/${`${i}`.padStart(100, 'e')}`, 1));
  for (let i = 0; i < 700; i++) assert.equal((await a.reply()).error, 0);
  const [connection] = server.port.connections;
  assert.ok(connection);
  let shares = 0;
  const takeTurn = connection.takeTurn.bind(connection);
  connection.takeTurn = () => {
    shares++;
    return takeTurn();
  };
  const texts = t.mock.method(server.database.tree.store, 'path');
  a.socket.cork();
  for (let i = 0; i < 20; i++) a.send(OpCode.getEphemerals, (w) => w.string('/none'));
  a.socket.uncork();
  for (let i = 0; i < 20; i++) assert.equal((await a.reply()).body.int(), 0);
  assert.ok(shares >= 20, `${shares} shares for 20 requests`);
  const { body } = await a.request(OpCode.getEphemerals, (w) => w.string('/'));
  assert.equal(body.vector((r) => r.string())?.length, 700);
  assert.equal(texts.mock.callCount(), 0, 'no path is made a text');
});

test('connections beyond maxClientCnxns are closed at once', async (t) => {
  const { clientPort } = await serve(t, { maxClientCnxns: 3 });
  const good = [];
  for (let i = 0; i < 3; i++) good.push(await RawClient.open(t, clientPort));
  const extra = await RawClient.plain(t, clientPort);
  await extra.closed();
  good[0]?.socket.destroy();
  for (;;) {
    const again = await RawClient.plain(t, clientPort);
    if (await again.handshake()) break;
  }
});

test('connections that never ask for a session are closed in time', async (t) => {
  const { clientPort } = await serve(t, { 'nio.sessionlessCnxnTimeout': 50 });
  const idle = await RawClient.plain(t, clientPort);
  await idle.closed();
});

/** A disk on which the first snapshot, that of the empty tree, is written, and no other one begins before it is let. */
function holdingSnapshots() {
  let goOn = (): void => {};
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const begun: string[] = [];
  const disk: Disk = {
    ...nodeDisk,
    create: async (path) => {
      if (begun.push(path) > 1) await held;
      return nodeDisk.create(path);
    },
  };
  return { disk, begun, goOn: () => goOn() };
}

test('a snapshot that takes long does not make every batch a log of its own', async (t) => {
  const dir = dataDir(t);
  const { disk, goOn } = holdingSnapshots();
  const { clientPort } = await serve(t, { dataDir: dir, snapSizeLimitInKb: 64 }, { disk });
  const client = await RawClient.open(t, clientPort);
  for (let i = 0; i < 60; i++) await client.create(`/n${i}`, 'x'.repeat(10_000));
  const logs = readdirSync(join(dir, 'version-2')).filter((name) => name.startsWith('log.'));
  goOn();
  assert.ok(logs.length > 5 && logs.length <= 30, `${logs.length} logs for 600 KB`);
});

test('a snapshot that became due while one was written is taken after it, also if no further write comes', async (t) => {
  const dir = dataDir(t);
  const { disk, begun, goOn } = holdingSnapshots();
  const { server, clientPort } = await serve(t, { dataDir: dir, snapCount: 10 }, { disk });
  const client = await RawClient.open(t, clientPort);
  for (let i = 0; i < 30; i++) await client.create(`/n${i}`);
  goOn();
  while (server.stats.lastSnapshot?.zxid !== server.lastZxid) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(readdirSync(join(dir, 'version-2')).includes(`snapshot.${server.lastZxid.toString(16)}`));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(begun.length, 3, 'one more, and no further');
});

test('snapshots are taken and logs rolled while requests go on, and old files can be purged', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir, snapCount: 100 });
  const a = await RawClient.open(t, first.clientPort);
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 100; i++)
      a.send(OpCode.create, (w) =>
        w.string(`/r${round}-${i}`).buffer(null).int(1).int(31).string('world').string('anyone').int(0),
      );
    for (let i = 0; i < 100; i++) assert.equal((await a.reply()).error, 0);
  }
  await first.close();
  const files = readdirSync(join(dir, 'version-2'));
  assert.ok(files.filter((name) => name.startsWith('snapshot.')).length > 2, files.join());
  assert.ok(files.filter((name) => name.startsWith('log.')).length > 2, files.join());
  const { purge, openDataDir } = await import('../../dist/storage/index.js');
  const deleted = await purge(nodeDisk, openDataDir(nodeDisk, dir, dir, true), 3);
  assert.ok(deleted.length > 0);
  const second = await serve(t, { dataDir: dir });
  assert.equal(second.server.database.tree.store.count, 4 + 2000);
  assert.equal(second.server.database.tree.digestMismatches, 0);
});

test('containers go when they are empty, TTL nodes when their time is over', async (t) => {
  const { clientPort } = await serve(t, { extendedTypesEnabled: true, 'znode.container.checkIntervalMs': 20 });
  const a = await RawClient.open(t, clientPort);
  const acl = 1;
  await a.request(OpCode.addWatch, (w) => w.string('/').int(1)); // before they may be gone
  await a.request(OpCode.createContainer, (w) =>
    w.string('/c').buffer(null).int(acl).int(31).string('world').string('anyone').int(4),
  );
  await a.request(OpCode.createTTL, (w) =>
    w.string('/t').buffer(null).int(acl).int(31).string('world').string('anyone').int(5).long53(30),
  );
  await a.create('/c/x');
  await a.request(OpCode.delete, (w) => w.string('/c/x').int(-1));
  const gone = () => a.events.filter(({ type, path }) => type === EventType.nodeDeleted && path !== '/c/x');
  while (gone().length < 2) await a.ping();
  assert.deepEqual(new Set(gone().map(({ path }) => path)), new Set(['/c', '/t']));
});

test('four-letter words are answered before the handshake, those not on the list are refused', async (t) => {
  const { clientPort } = await serve(t, { '4lw.commands.whitelist': 'ruok,srvr,mntr' });
  const ask = (word: string): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = connect({ port: clientPort, host: '127.0.0.1' }, () => socket.end(word));
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
    });
  assert.equal(await ask('ruok'), 'imok');
  assert.match(
    await ask('srvr'),
    /^Zookeeper version: \d+\.\d+\.\d+.*\nLatency min\/avg\/max: .*\n(.*\n)*Mode: standalone\nNode count: 5\n$/,
  );
  assert.match(await ask('mntr'), /^zk_version\t/);
  assert.equal(await ask('stat'), 'stat is not executed because it is not in the whitelist.\n');
  assert.equal(await ask('isro'), 'isro is not executed because it is not in the whitelist.\n');
});

for (const digestAlg of ['SHA1', 'SHA-256', 'SHA-512', 'SHA3-256']) {
  test(`passwords are hashed with ${digestAlg}`, async (t) => {
    const { clientPort } = await serve(t, { 'DigestAuthenticationProvider.digestAlg': digestAlg });
    const a = await RawClient.open(t, clientPort);
    await a.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('bob:x')));
    const hash = createHash(digestAlg).update('bob:x').digest('base64');
    const reply = await a.request(OpCode.create, (w) => {
      w.string('/mine').buffer(null);
      writeAclList(w, [{ perms: 31, scheme: 'digest', id: `bob:${hash}` }]);
      w.int(0);
    });
    assert.equal(reply.error, 0);
    const read = await a.request(OpCode.getData, (w) => w.string('/mine').bool(false));
    assert.equal(read.error, 0, 'the password is the one that was told');
  });
}

test('where servers without quorum serve reads, the word by which clients look for another is always answered', async (t) => {
  const { clientPort } = await serve(t, { '4lw.commands.whitelist': 'ruok', 'readonlymode.enabled': true });
  const socket = connect({ port: clientPort, host: '127.0.0.1' }).end('isro');
  let text = '';
  for await (const chunk of socket) text += chunk;
  assert.equal(text, 'rw');
});

/** The 2 s that a client has to leave take a minute: a stop that waits for their end is found out on a slow machine, too. */
const LONG_GRACE: Runtime = {
  ...nodeRuntime,
  after: (ms, action) => nodeRuntime.after(ms === 2000 ? 60_000 : ms, action),
};

test('a stop closes the clients and loses nothing that was acknowledged', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir }, { runtime: LONG_GRACE });
  const a = await RawClient.open(t, first.clientPort);
  let acknowledged = 0;
  const writing = (async () => {
    for (let i = 0; ; i++) {
      try {
        if ((await a.create(`/s${i}`)).error === 0) acknowledged++;
      } catch {
        return;
      }
    }
  })();
  while (acknowledged < 50) await new Promise((resolve) => setTimeout(resolve, 2));
  const began = performance.now();
  await first.close();
  assert.ok(performance.now() - began < 30_000);
  await writing;
  const second = await serve(t, { dataDir: dir });
  const { store } = second.server.database.tree;
  for (let i = 0; i < acknowledged; i++) assert.notEqual(store.findString(`/s${i}`), 0, `/s${i}`);
});

test('an id that was a session’s is not given out again after a start with the clock set back', async (t) => {
  const dir = dataDir(t);
  const at = Date.UTC(2026, 0, 1);
  const ids = new Set<bigint>();
  const lives = [at, at, at - 1];
  for (const wallTime of lives) {
    const running = await serve(t, { dataDir: dir }, { runtime: { ...nodeRuntime, wallTime: () => wallTime } });
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.open(t, running.clientPort ?? 0);
      ids.add(client.id);
      await client.request(OpCode.closeSession);
    }
    await running.close();
  }
  assert.equal(ids.size, 3 * lives.length);
});

test('a server that keeps no digests finds its data again', async (t) => {
  const dir = dataDir(t);
  const settings = { dataDir: dir, 'digest.enabled': false };
  const first = await serve(t, settings);
  const a = await RawClient.open(t, first.clientPort);
  assert.equal((await a.create('/n')).error, 0);
  await first.server.takeSnapshot();
  await first.close();
  for (const more of [{}, { 'digest.enabled': true }]) {
    const next = await serve(t, { ...settings, ...more });
    assert.notEqual(next.server.database.tree.store.findString('/n'), 0);
    await next.close();
  }
});

test('a stop is not held up by a client that leaves once it has read what was left for it', async (t) => {
  const { clientPort, server, close } = await serve(t, {}, { runtime: LONG_GRACE });
  const a = await RawClient.open(t, clientPort);
  const big = Buffer.alloc(900_000);
  const put = await a.request(OpCode.setData, (w) => w.string('/').buffer(big).int(-1));
  assert.equal(put.error, 0);
  a.socket.pause();
  for (let i = 0; i < 20; i++) a.send(OpCode.getData, (w) => w.string('/').bool(false));
  await until(() => [...server.port.connections].some(({ socket }) => socket.writableLength > 256 * 1024));
  const began = performance.now();
  const closed = close();
  a.socket.on('end', () => a.socket.end());
  a.socket.resume();
  await closed;
  assert.ok(performance.now() - began < 30_000);
});

test('to check a watch of no path is a mistake, to remove one is to remove none', async (t) => {
  const { clientPort } = await serve(t);
  const client = await RawClient.open(t, clientPort);
  const of = (path: string | null) => (w: JuteWriter) => w.string(path).int(1);
  assert.equal((await client.request(OpCode.checkWatches, of(null))).error, ErrorCode.MarshallingError);
  assert.equal((await client.request(OpCode.removeWatches, of(null))).error, ErrorCode.NoWatcher);
  assert.equal((await client.request(OpCode.checkWatches, of('/'))).error, ErrorCode.NoWatcher);
});
