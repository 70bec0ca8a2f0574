// The snapshot and restore commands through the admin port: data go from one server to another, and stay there.
import assert from 'node:assert/strict';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { OpCode, readStat } from '@nodekeeper/protocol';
import { startAdminPorts } from '../../dist/admin/admin-server.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import type { RunningServer } from '../../dist/index.js';
import { silentLogger } from '../../dist/log.js';
import type { Disk } from '../../dist/storage/disk.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { diskWithLogs } from './changed-logs.js';
import { atEnd, dataDir, RawClient, serve } from './raw-client.js';

const FIXTURES = new URL('../../test/fixtures/storage/snapshots/', import.meta.url);
const AUTH = { authorization: 'digest any:body' };

/** The commands' URL. Intervals of a millisecond: each test may call as often as it likes. */
async function commands(t: TestContext, { server }: RunningServer): Promise<string> {
  const admin = { ...server.config.admin, enabled: true, address: '127.0.0.1', port: 0, rateLimiterInterval: 0 };
  const [port] = await startAdminPorts(viewOf(server), { admin, prometheus: undefined }, silentLogger);
  assert.ok(port);
  t.after(() => port.close());
  return `${port.url}/commands`;
}

function post(url: string, body: Uint8Array): Promise<Response> {
  const headers = { ...AUTH, 'content-type': 'application/octet-stream' };
  return fetch(`${url}/restore`, { method: 'POST', headers, body });
}

interface Answer {
  readonly last_zxid?: number;
  readonly error: string | null;
}

async function answer(reply: Response): Promise<Answer> {
  return (await reply.json()) as Answer;
}

async function fill(client: RawClient, prefix: string, count: number): Promise<void> {
  client.socket.cork();
  for (let i = 0; i < count; i++) {
    client.send(OpCode.create, (w) =>
      w.string(`${prefix}${i}`).buffer(Buffer.alloc(1000, 1)).int(1).int(31).string('world').string('anyone').int(0),
    );
  }
  client.socket.uncork();
  for (let i = 0; i < count; i++) assert.equal((await client.reply()).error, 0);
}

test('what snapshot streams, restore makes the data of another server, for good', async (t) => {
  const first = await serve(t);
  const a = await RawClient.open(t, first.clientPort);
  await fill(a, '/n', 5000);
  await a.create('/mine', 'ephemeral', 1);
  const taken = await fetch(`${await commands(t, first)}/snapshot`, { headers: AUTH });
  const body = Buffer.from(await taken.arrayBuffer());
  assert.equal(taken.headers.get('last_zxid'), `0x${first.server.lastZxid.toString(16)}`);
  assert.equal(taken.headers.get('snapshot_size'), String(body.length));
  assert.ok(body.length > 5_000_000, 'more than a body that is kept in memory may have');

  const dir = dataDir(t);
  const second = await serve(t, { dataDir: dir });
  const b = await RawClient.open(t, second.clientPort);
  await b.create('/gone', '');
  const reply = await post(await commands(t, second), body);
  assert.deepEqual([reply.status, (await answer(reply)).last_zxid], [200, first.server.lastZxid]);
  await b.closed();

  const again = await RawClient.open(t, second.clientPort, { id: a.id, password: a.password });
  assert.equal(again.id, a.id, 'the session came with the data');
  assert.equal(await again.getData('/mine'), 'ephemeral');
  assert.equal(await again.getData('/gone'), undefined);
  const made = await again.create('/after', '');
  assert.equal(made.zxid, first.server.lastZxid + 1, 'zxids go on behind the snapshot');
  assert.equal(second.server.database.tree.digestMismatches, 0);
  await second.close();

  const third = await serve(t, { dataDir: dir });
  const { tree } = third.server.database;
  assert.equal(tree.store.count, 4 + 5000 + 2);
  assert.notEqual(tree.store.findString('/after'), 0);
  assert.equal(tree.store.findString('/gone'), 0);
  assert.equal(tree.digestMismatches, 0);
});

test('an older snapshot takes back what came after it, and zxids go on all the same', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir });
  const url = await commands(t, first);
  const a = await RawClient.open(t, first.clientPort);
  await a.create('/v', 'old');
  const body = Buffer.from(await (await fetch(`${url}/snapshot`, { headers: AUTH })).arrayBuffer());
  for (let i = 0; i < 10; i++)
    await a.request(OpCode.setData, (w) => w.string('/v').buffer(Buffer.from('new')).int(-1));
  const before = first.server.lastZxid;
  const reply = await post(url, gzipSync(body));
  assert.deepEqual([reply.status, (await answer(reply)).last_zxid], [200, before + 1]);
  await a.closed();

  const b = await RawClient.plain(t, first.clientPort);
  assert.equal(await b.handshake({ id: a.id, password: a.password, lastZxidSeen: before }), true, 'it is let in');
  const read = await b.request(OpCode.getData, (w) => w.string('/v').bool(false));
  assert.equal(read.body.buffer()?.toString(), 'old');
  assert.equal(readStat(read.body).version, 0);
  await b.create('/after', '');
  await first.close();

  const second = await serve(t, { dataDir: dir });
  const c = await RawClient.open(t, second.clientPort);
  assert.equal(await c.getData('/v'), 'old');
  assert.equal(await c.getData('/after'), '');
  assert.equal(second.server.database.tree.digestMismatches, 0);
});

test("snapshots of Apache's servers are restored, however they are compressed", async (t) => {
  const running = await serve(t);
  const url = await commands(t, running);
  for (const name of ['written-by-3.9.5', 'without-digest', 'gz', 'snappy']) {
    const reply = await post(url, readFileSync(new URL(`snapshot.7f.${name}`, FIXTURES)));
    const { last_zxid: zxid, error } = await answer(reply);
    if (name === 'without-digest') {
      assert.equal(reply.status, 500);
      assert.match(error ?? '', /neither its last zxid nor a digest/);
    } else {
      assert.deepEqual([reply.status, error], [200, null], name);
      assert.ok(zxid !== undefined && zxid >= 0x7f);
      assert.ok(running.server.database.tree.store.count > 10);
    }
  }
});

test('a snapshot that is not whole changes nothing and disconnects nobody', async (t) => {
  const running = await serve(t);
  const url = await commands(t, running);
  const a = await RawClient.open(t, running.clientPort);
  await a.create('/kept', 'x');
  const whole = readFileSync(new URL('snapshot.7f.written-by-3.9.5', FIXTURES));
  const flipped = Buffer.from(whole);
  flipped[200] = (flipped[200] as number) ^ 1;
  for (const bad of [whole.subarray(0, whole.length - 20), whole.subarray(0, 100), flipped, Buffer.from('nonsense')]) {
    assert.equal((await post(url, bad)).status, 500);
    assert.equal(await a.getData('/kept'), 'x');
  }
  assert.equal(running.server.stats.restoreErrors, 4);
  assert.equal((await a.create('/after', '')).error, 0);
});

test('a disk that does not take the restored data leaves the server with those it had', async (t) => {
  const dir = dataDir(t);
  let full = false;
  const disk: Disk = {
    ...nodeDisk,
    async create(path) {
      const file = await nodeDisk.create(path);
      return full ? { ...file, write: async () => Promise.reject(new Error('no space left on device')) } : file;
    },
  };
  const running = await serve(t, { dataDir: dir }, { disk });
  const url = await commands(t, running);
  const a = await RawClient.open(t, running.clientPort);
  await a.create('/kept', 'x');
  full = true;
  const reply = await post(url, readFileSync(new URL('snapshot.7f.written-by-3.9.5', FIXTURES)));
  assert.equal(reply.status, 500);
  assert.match((await answer(reply)).error ?? '', /no space left/);
  await a.closed();
  const b = await RawClient.open(t, running.clientPort, { id: a.id, password: a.password });
  assert.equal(b.id, a.id);
  assert.equal(await b.getData('/kept'), 'x');
  await b.create('/after', '');
  await running.close();
  assert.deepEqual(
    readdirSync(join(dir, 'version-2')).filter((name) => name.startsWith('snapshot.')),
    ['snapshot.0'],
  );
  const second = await serve(t, { dataDir: dir });
  const c = await RawClient.open(t, second.clientPort);
  assert.equal(await c.getData('/after'), '');
});

test('a server whose log cannot be closed for a restore ends, rather than serve nobody', async (t) => {
  let broken = false;
  const disk = diskWithLogs((file) => {
    const resize = file.resize.bind(file);
    file.resize = (size, resized) => (broken ? resized(new Error('EIO: ftruncate')) : resize(size, resized));
  });
  let ended: Error | undefined;
  const running = await serve(t, {}, { disk, onFatal: (error) => (ended = error) });
  const url = await commands(t, running);
  const a = await RawClient.open(t, running.clientPort);
  await a.create('/kept', 'x');
  broken = true;
  const reply = await post(url, readFileSync(new URL('snapshot.7f.written-by-3.9.5', FIXTURES)));
  assert.match((await answer(reply)).error ?? '', /EIO/);
  assert.match(ended?.message ?? '', /EIO/);
});

test('a server that stops does not wait for a snapshot that does not come', { timeout: 10_000 }, async (t) => {
  const running = await serve(t);
  const url = await commands(t, running);
  const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('ZKSN')) });
  const headers = { ...AUTH, 'content-type': 'application/octet-stream' };
  const posting = fetch(`${url}/restore`, { method: 'POST', headers, body, duplex: 'half' }).catch(() => undefined);
  const a = await RawClient.open(t, running.clientPort);
  await a.create('/x', '');
  await running.close();
  void posting;
});

/** A server that restores a snapshot, which its disk does not take before `release` is called, and a session that it had. */
async function restoring(t: TestContext, dir: string) {
  let opened = (): void => {};
  let goOn: Promise<void> | undefined;
  const files: string[] = [];
  const disk: Disk = {
    ...nodeDisk,
    async create(path) {
      files.push(path);
      const file = await nodeDisk.create(path);
      opened();
      await goOn;
      return file;
    },
  };
  const running = await serve(t, { dataDir: dir }, { disk });
  const { id } = await RawClient.open(t, running.clientPort);
  const writing = new Promise<void>((resolve) => {
    opened = resolve;
  });
  let release = (): void => {};
  goOn = new Promise((resolve) => {
    release = resolve;
  });
  atEnd(t, () => release());
  files.length = 0;
  const restored = running.server.restore?.(createReadStream(new URL('snapshot.7f.written-by-3.9.5', FIXTURES)));
  await writing;
  return { running, session: id, files, restored, release };
}

test('a snapshot that is asked for while another one is restored comes after it', async (t) => {
  const dir = dataDir(t);
  const { running, files, restored, release } = await restoring(t, dir);
  const taken = running.server.takeSnapshot();
  await nextTurn();
  assert.equal(files.length, 1, 'one file at a time');
  release();
  const zxid = (await restored) ?? 0;
  assert.equal(await taken, `snapshot.${zxid.toString(16)}`);
  await running.close();
  const again = await serve(t, { dataDir: dir });
  assert.ok(again.server.lastZxid >= zxid);
  assert.ok(again.server.database.tree.store.count > 10);
});

test('while a snapshot is restored there is no session to end', async (t) => {
  const { running, session, restored, release } = await restoring(t, dataDir(t));
  assert.equal(running.server.expireSession(session), false);
  release();
  await restored;
  assert.equal(running.server.notReady, undefined);
});
