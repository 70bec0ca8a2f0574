// Connections that are kept while a server looks for its next leader: what they are told in the meantime.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import type { EnsembleServer } from '../../dist/ensemble-server.js';
import { TxnHeaderAt } from '../../dist/tree/txn-types.js';
import type { RawClient } from '../server/raw-client.js';
import type { Ensemble } from './ensemble.js';
import { createEntry, errorEntry, type FollowerEnd, RawLeader, setDataEntry } from './raw-leader.js';
import { EPOCH } from './raw-learner.js';

const READ_ONLY = [{ perms: 1, scheme: 'world', id: 'anyone' }];

/** Server 1 of three with a client, whose leader is then lost and followed by one that has two transactions more. */
async function afterLeader(
  t: TestContext,
  data: string,
  before: (client: RawClient, server: EnsembleServer) => Promise<void>,
  tells: { readonly lost: boolean; readonly next: boolean } = { lost: true, next: true },
): Promise<{ ensemble: Ensemble; client: RawClient; leader: RawLeader; follower: FollowerEnd }> {
  const started = await RawLeader.ofOne(t, {}, tells.lost);
  const { ensemble, leader } = started;
  let { follower } = started;
  follower.commit(EPOCH + 1, createEntry(EPOCH + 1, '/n', data, READ_ONLY));
  await follower.newLeader(1);
  await follower.upToDate();
  const opening = ensemble.client(1);
  await leader.session(follower, EPOCH + 2);
  const client = await opening;
  await before(client, ensemble.server(1));
  follower.socket.destroy();
  leader.peerEpoch = 1;
  follower = await leader.follower();
  await follower.discover(2, tells.next);
  follower.send(PacketType.diff, EPOCH + 2);
  follower.commit(EPOCH + 3, setDataEntry(EPOCH + 3, '/n', 1));
  follower.commit(EPOCH + 4, createEntry(EPOCH + 4, '/cut'));
  await follower.newLeader(2);
  return { ensemble, client, leader, follower };
}

async function watch(client: RawClient): Promise<void> {
  assert.equal(await client.getData('/n', true), 'x');
  assert.equal((await client.request(OpCode.exists, (w) => w.string('/cut').bool(true))).error, -101);
}

test('clients are told of what a leader brings once it is established', async (t) => {
  const { client, follower } = await afterLeader(t, 'x', watch);
  await follower.upToDate();
  await follower.validate();
  assert.equal(await client.getData('/n'), 'changed');
  assert.deepEqual(
    client.events.map(({ type, path }) => `${type} ${path}`),
    ['3 /n', '1 /cut'],
  );
});

test('clients are told nothing of what a leader brings who is not established', async (t) => {
  const { client, leader, follower } = await afterLeader(t, 'x', watch);
  follower.socket.destroy();
  const next = await leader.follower();
  await next.discover(3);
  next.send(PacketType.trunc, EPOCH + 2);
  await next.newLeader(3);
  await next.upToDate();
  assert.equal(await client.frame(), undefined, 'the connection ends, without a word');
});

test('a connection that had not taken all of its answers goes on with the next leader', async (t) => {
  const data = 'x'.repeat(1_000_000);
  const requests = 30;
  const { client, follower } = await afterLeader(t, data, async (reader, server) => {
    reader.socket.pause();
    for (let i = 0; i < requests; i++) reader.send(OpCode.getData, (w) => w.string('/n').bool(false));
    const stuck = (): boolean => [...server.port.connections].some(({ socket }) => socket.writableLength > 0);
    while (!stuck()) await new Promise((resolve) => setTimeout(resolve, 2));
  });
  client.socket.resume();
  let answers = 0;
  const changed: boolean[] = [];
  const taken = (async () => {
    for (; answers < requests; answers++) changed.push((await client.reply()).body.buffer()?.toString() === 'changed');
  })();
  while (answers === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  await follower.upToDate();
  await follower.validate();
  await taken;
  assert.ok(changed.includes(false) && changed.includes(true));
  assert.ok(changed.lastIndexOf(false) < changed.indexOf(true), 'nothing old behind what is new');
});

for (const tells of [
  { lost: false, next: true },
  { lost: true, next: false },
]) {
  const which = tells.lost ? 'the next leader' : 'the one that was lost';
  test(`no connection is kept where ${which} is one of Apache's, which tell nobody of sessions that move`, async (t) => {
    const { ensemble, client, follower } = await afterLeader(t, 'x', async () => {}, tells);
    await follower.upToDate();
    assert.deepEqual(ensemble.server(1).port.connectedSessions, []);
    assert.equal(await client.frame(), undefined);
  });
}

/** A transaction that the client's session asked for at another server. */
function ofSession({ id }: RawClient, entry: Buffer): Buffer {
  entry.writeBigInt64BE(id, TxnHeaderAt.clientId);
  return entry;
}

test('a connection does not go on behind what its session did elsewhere before the leader answered for it', async (t) => {
  const { client, follower } = await afterLeader(t, 'x', async () => {});
  client.send(OpCode.setData, (w) => w.string('/n').buffer(Buffer.from('given up')).int(-1));
  await follower.upToDate();
  const next = 2 * EPOCH + 1;
  const asked = await follower.until(PacketType.revalidate);
  follower.commit(next, ofSession(client, setDataEntry(next, '/n', 2)));
  // Apache's leaders say so, wherever it is at home.
  follower.send(
    PacketType.revalidate,
    -1,
    Buffer.concat([asked.data?.subarray(0, 8) ?? Buffer.alloc(0), Buffer.from([1])]),
  );
  assert.equal(await client.frame(), undefined);
});

test('a connection whose session went on elsewhere is not kept for the next leader; a refused request does not mean that', async (t) => {
  const { client, follower } = await afterLeader(t, 'x', async () => {});
  await follower.upToDate();
  await follower.validate();
  const next = 2 * EPOCH + 1;
  follower.commit(next, ofSession(client, errorEntry(next, ErrorCode.SessionMoved)));
  await follower.until(PacketType.ack);
  assert.equal(await client.getData('/n'), 'changed');
  follower.commit(next + 1, ofSession(client, setDataEntry(next + 1, '/n', 2)));
  assert.equal(await client.frame(), undefined);
});
