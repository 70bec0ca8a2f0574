// Ensembles: forming, forwarding, sessions that move, leaders and followers that go and come back, and every way to catch up.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import type { RawClient } from '../server/raw-client.js';
import { Ensemble, writeLog } from './ensemble.js';
import { createEntry } from './raw-leader.js';

async function write(client: RawClient, path: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const reply = await client.request(OpCode.setData, (w) =>
      w
        .string(path)
        .buffer(Buffer.from(`${i}`))
        .int(-1),
    );
    assert.equal(reply.error, 0);
  }
}

async function sync(client: RawClient): Promise<void> {
  assert.equal((await client.request(OpCode.sync, (w) => w.string('/'))).error, 0);
}

test('what is written anywhere is read everywhere', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const clients = await Promise.all([1, 2, 3].map((id) => ensemble.client(id)));
  const [a, b, c] = clients as [RawClient, RawClient, RawClient];
  assert.equal((await a.create('/n', 'one')).error, 0);
  await sync(b);
  assert.equal(await b.getData('/n'), 'one');
  assert.equal((await b.create('/n')).error, -110);
  assert.equal((await b.request(OpCode.setData, (w) => w.string('/n').buffer(Buffer.from('two')).int(0))).error, 0);
  await sync(c);
  assert.equal(await c.getData('/n'), 'two');
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('a server without a quorum serves nobody and says what it waits for', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await ensemble.start(1);
  assert.equal(ensemble.server(1).mode, 'looking');
  await assert.rejects(ensemble.client(1).then((c) => c.create('/x')));
  await ensemble.start(2);
  assert.equal(await ensemble.settled(), 2);
  const client = await ensemble.client(1);
  assert.equal((await client.create('/x')).error, 0);
});

test('replies come in the order of requests through a follower, reads see the writes before them', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const client = await ensemble.client(await ensemble.follower());
  await client.create('/n', 'start');
  const xids: number[] = [];
  for (let i = 0; i < 200; i++) {
    xids.push(
      client.send(OpCode.setData, (w) =>
        w
          .string('/n')
          .buffer(Buffer.from(`${i}`))
          .int(-1),
      ),
    );
    xids.push(client.send(OpCode.getData, (w) => w.string('/n').bool(false)));
    if (i % 10 === 0) xids.push(client.send(OpCode.setData, (w) => w.string('/none').buffer(Buffer.alloc(0)).int(-1)));
    if (i % 25 === 0) xids.push(client.send(OpCode.sync, (w) => w.string('/')));
  }
  let zxid = 0;
  let read = 0;
  for (const xid of xids) {
    const reply = await client.reply();
    assert.equal(reply.xid, xid);
    assert.ok(reply.zxid >= zxid, 'the zxid never goes back');
    zxid = reply.zxid;
    if (reply.error === 0 && reply.body.remaining > 68) assert.equal(reply.body.buffer()?.toString(), `${read++}`);
  }
  assert.equal(read, 200);
});

test('a session moves between servers with its ephemerals, and the connection it had before is refused', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const first = await ensemble.client(1);
  await first.create('/eph', '', 1);
  for (const id of [2, 3, 1]) {
    const moved = await ensemble.client(id, { id: first.id, password: first.password });
    assert.equal(moved.id, first.id);
    assert.equal((await moved.create(`/from${id}`)).error, 0);
    await sync(moved);
    assert.equal(await moved.getData('/eph'), '');
  }
  first.send(OpCode.setData, (w) => w.string('/eph').buffer(Buffer.alloc(0)).int(-1));
  await first.closed();
  const stranger = await ensemble.client(2, { id: first.id, password: Buffer.alloc(16, 7) });
  assert.equal(stranger.id, 0n);
});

test('a session that only reads and pings through a follower lives on, and one that is silent expires everywhere', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { minSessionTimeout: 400 });
  const follower = await ensemble.follower();
  const quiet = await ensemble.client(follower, { timeout: 2000 });
  const alive = await ensemble.client(follower, { timeout: 2000 });
  await quiet.create('/quiet', '', 1);
  await alive.create('/alive', '', 1);
  const watcher = await ensemble.client(await ensemble.settled());
  await sync(watcher);
  assert.equal(await watcher.getData('/quiet', true), '');
  for (let i = 0; watcher.events.length === 0; i++) {
    assert.ok(i < 2000, 'the silent session expires');
    await alive.getData('/alive');
    await watcher.ping();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(watcher.events[0]?.path, '/quiet');
  assert.equal(await watcher.getData('/alive'), '');
  assert.equal((await alive.create('/alive/child')).error, -108);
});

test('watches fire on the server where they were set, whoever writes', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const [a, b] = [await ensemble.client(1), await ensemble.client(2)];
  await a.create('/w', 'x');
  await sync(b);
  await b.getData('/w', true);
  await b.request(OpCode.addWatch, (w) => w.string('/').int(1)); // persistent recursive
  await a.create('/w/child');
  await sync(b);
  await write(a, '/w', 1);
  await sync(b);
  assert.deepEqual(
    b.events.map(({ type, path }) => `${type} ${path}`),
    ['1 /w/child', '3 /w', '3 /w'].slice(0, b.events.length),
  );
  assert.ok(b.events.length >= 2);
});

test('a leader that stops is followed by another; nothing acknowledged is lost, sessions live on', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await client.create('/eph', '', 1);
  await write(client, '/n', 50);
  await ensemble.stop(leader);
  const next = await ensemble.settled();
  assert.notEqual(next, leader);
  const moved = await ensemble.client(next, { id: client.id, password: client.password });
  assert.equal(moved.id, client.id);
  assert.equal(await moved.getData('/n'), '49');
  assert.equal(await moved.getData('/eph'), '');
  await write(moved, '/n', 10);
  await ensemble.start(leader);
  assert.equal(await ensemble.settled(), next);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('without a quorum left a leader stops serving', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  for (const id of [1, 2, 3]) if (id !== leader) await ensemble.stop(id);
  const server = ensemble.server(leader);
  while (server.mode === 'leader') await new Promise((resolve) => setTimeout(resolve, 1));
  assert.notEqual(server.notReady, undefined);
});

/** Lets a follower miss `count` transactions, and brings it back. */
async function absence(ensemble: Ensemble, count: number): Promise<{ leader: number; follower: number }> {
  const leader = await ensemble.settled();
  const follower = await ensemble.follower();
  const client = await ensemble.client(leader);
  await client.create('/n');
  await ensemble.level();
  await ensemble.stop(follower);
  await client.create('/missed', '', 1);
  await write(client, '/n', count);
  await ensemble.start(follower);
  await ensemble.settled();
  await write(client, '/n', 3);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
  return { leader, follower };
}

test('a follower that was away for a little gets what it missed from memory', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const { leader, follower } = await absence(ensemble, 20);
  assert.ok(ensemble.said(leader, new RegExp(`server ${follower} .*by the transactions after it`)));
});

test('a follower that was away for longer gets what it missed from the log', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { commitLogCount: 5, snapshotSizeFactor: 1000 });
  const { leader, follower } = await absence(ensemble, 200);
  assert.ok(ensemble.said(leader, new RegExp(`server ${follower} .*from the log on disk`)));
});

test('a follower that was away for too long gets a snapshot, which is its only history then', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { commitLogCount: 5, snapshotSizeFactor: -1 });
  const { leader, follower } = await absence(ensemble, 200);
  assert.ok(ensemble.said(leader, new RegExp(`server ${follower} .*by a snapshot`)));
  await ensemble.stop(follower);
  await ensemble.start(follower);
  await ensemble.settled();
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

/** Adds transactions to a stopped server's log that nobody else has: the leader it was died before it told anyone. */
function logInVain(dir: string, zxids: readonly number[]): void {
  writeLog(
    dir,
    zxids.map((zxid) => ({ zxid, entry: createEntry(zxid, `/vain${zxid}`) })),
  );
}

for (const further of [0, 30]) {
  test(`transactions that were never committed are cut off, the leader being ${further} further`, async (t) => {
    const ensemble = await Ensemble.ofThree(t);
    const follower = await ensemble.follower();
    const client = await ensemble.client(await ensemble.settled());
    await client.create('/n');
    await write(client, '/n', 5);
    await ensemble.level();
    const last = ensemble.server(follower).lastZxid;
    await ensemble.stop(follower);
    const dir = join(ensemble.dataDirOf(follower), 'version-2');
    logInVain(dir, [last + 1, last + 2]);
    // The others go on in a later epoch.
    const leader = await ensemble.settled();
    const other = ensemble.running.find((id) => id !== leader) ?? 0;
    await ensemble.stop(other);
    await ensemble.start(other);
    const next = await ensemble.settled();
    const writer = await ensemble.client(next);
    await write(writer, '/n', further);
    await ensemble.start(follower);
    await ensemble.settled();
    await ensemble.level();
    assert.equal(ensemble.digests().size, 1, JSON.stringify([...(ensemble.lines.get(next) ?? [])]));
    const reader = await ensemble.client(follower);
    assert.equal(await reader.getData(`/vain${last + 1}`), undefined);
    await ensemble.stop(follower);
    await ensemble.start(follower);
    await ensemble.settled();
    assert.equal(await (await ensemble.client(follower)).getData(`/vain${last + 1}`), undefined);
  });
}

test('an observer serves reads and writes, and its absence or presence decides nothing', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer']);
  await Promise.all([1, 2, 3, 4].map((id) => ensemble.start(id)));
  await ensemble.settled();
  assert.equal(ensemble.server(4).mode, 'observer');
  const client = await ensemble.client(4);
  assert.equal((await client.create('/n', 'x')).error, 0);
  await write(client, '/n', 20);
  await sync(client);
  assert.equal(await client.getData('/n'), '19');
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
  await ensemble.stop(4);
  const other = await ensemble.client(1);
  await write(other, '/n', 20);
  await ensemble.start(4);
  await ensemble.settled();
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('one server with standaloneEnabled=false is an ensemble of one', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant'], { standaloneEnabled: false });
  await ensemble.start(1);
  assert.equal(await ensemble.settled(), 1);
  const client = await ensemble.client(1);
  assert.equal((await client.create('/n', 'x')).error, 0);
  assert.equal(await client.getData('/n'), 'x');
});

test('snapshots and logs of an ensemble’s servers are those of Apache’s, one log after each snapshot', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { snapCount: 40 });
  const client = await ensemble.client(await ensemble.follower());
  await client.create('/n');
  await write(client, '/n', 200);
  await ensemble.level();
  for (const id of [1, 2, 3]) {
    const names = readdirSync(join(ensemble.dataDirOf(id), 'version-2'));
    assert.ok(names.filter((name) => name.startsWith('snapshot.')).length > 1, names.join());
    assert.ok(names.filter((name) => name.startsWith('log.')).length > 1, names.join());
  }
  await ensemble.close();
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
  await ensemble.settled();
  const again = await ensemble.client(1);
  assert.equal(await again.getData('/n'), '199');
  assert.equal(ensemble.digests().size, 1);
});

test('what a start has replayed counts for the next snapshot of a member', async (t) => {
  const settings = { snapCount: 40 };
  const ensemble = await Ensemble.ofThree(t, settings);
  const snapshots = (): string[][] =>
    [1, 2, 3].map((id) =>
      readdirSync(join(ensemble.dataDirOf(id), 'version-2')).filter((name) => name.startsWith('snapshot.')),
    );
  await ensemble.settled();
  const before = snapshots();
  for (let life = 0; life < 5; life++) {
    await write(await ensemble.client(1), '/', 15);
    await ensemble.level();
    await ensemble.close();
    await Promise.all([1, 2, 3].map((id) => ensemble.start(id, settings)));
    await ensemble.settled();
  }
  for (const [i, names] of snapshots().entries())
    assert.notDeepEqual(names, before[i], `server ${i + 1} would replay whatever was ever written`);
});

test('a server whose myid is no member, or missing, says so', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  await assert.rejects(ensemble.start(9), /myid says 9, but the servers are 1, 2, 3/);
});

test('a server whose log is damaged in the middle takes what is missing from the others, and elects nobody before', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  await write(client, '/n', 30);
  await ensemble.level();
  await ensemble.close();
  const dir = join(ensemble.dataDirOf(3), 'version-2');
  const log = readdirSync(dir).find((name) => name.startsWith('log.')) ?? '';
  const bytes = readFileSync(join(dir, log));
  bytes.fill(0, 400, 900);
  writeFileSync(join(dir, log), bytes);

  await ensemble.start(3);
  assert.ok(existsSync(join(dir, `damaged.${log}`)), 'nothing is deleted');
  await ensemble.start(1);
  // Two of three would be a quorum; but server 3 may have forgotten what 2 still knows.
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([ensemble.server(1).mode, ensemble.server(3).mode], ['looking', 'looking']);
  await ensemble.stop(3);
  await ensemble.start(3);
  await ensemble.start(2);
  assert.equal(await ensemble.settled(), 2);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
  const reader = await ensemble.client(3);
  assert.equal(await reader.getData('/n'), '29');
  // Whole again, it elects as the others do.
  await ensemble.stop(2);
  assert.equal(await ensemble.settled(), 3);
});
