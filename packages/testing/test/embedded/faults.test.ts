// What a test can do to a server's disk, replies and connections, and what its clients see then.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect, isKeeperError } from '@nodekeeper/client';
import { startEnsemble, startServer } from '../../dist/index.js';

const unknown = (error: unknown): boolean => isKeeperError(error) && error.outcomeUnknown;

test('a dropped reply: the request is done, its client can not know', async () => {
  await using server = await startServer();
  const client = await connect(server.connectString);
  const other = await connect(server.connectString);
  const { dropped } = server.dropNextReply({ session: client.sessionId });
  await other.create('/others', { data: '' }); // answered
  await assert.rejects(client.create('/n', { data: 'x' }), unknown);
  const reply = await dropped;
  assert.equal(reply.session, client.sessionId);
  assert.equal(reply.error, 0);
  assert.equal((await client.getData('/n')).data?.toString(), 'x');
  assert.equal((await client.exists('/n'))?.czxid, Number(reply.zxid));
  await Promise.all([client.close(), other.close()]);
});

test('with a dropped reply go the ones behind it', async () => {
  await using server = await startServer();
  const client = await connect(server.connectString);
  await client.create('/n', { data: 'x' });
  await client.getData('/n');
  const calls = [client.getData('/n'), client.getData('/n')];
  const { dropped } = server.dropNextReply();
  const [first, second] = await Promise.allSettled(calls);
  assert.deepEqual([first?.status, second?.status], ['rejected', 'rejected']);
  await dropped;
  await client.close();
});

test('late replies come late and in order', async () => {
  await using server = await startServer();
  const client = await connect(server.connectString);
  await client.create('/n', { data: 'x'.repeat(50_000) });
  server.delayReplies(300);
  const began = performance.now();
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((i) => client.getData('/n').then(() => order.push(i))));
  assert.ok(performance.now() - began >= 299);
  assert.deepEqual(order, [1, 2, 3]);
  server.delayReplies(0);
  await client.close();
});

test('a frozen server keeps its connections and says nothing; thawed, it answers what was asked', async () => {
  await using server = await startServer();
  const client = await connect(server.connectString);
  let answered = false;
  server.freeze();
  const call = client.create('/n', { data: 'x' }).then(() => {
    answered = true;
  });
  const connecting = connect(server.connectString, { connectTimeout: 20_000 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(answered, false);
  server.thaw();
  await call;
  await (await connecting).close();
  await client.close();
});

test('a connection that a frozen server closes is closed once it is thawed', async () => {
  await using server = await startServer();
  const client = await connect(server.connectString);
  server.freeze();
  await server.advance(2 * client.sessionTimeout); // the session has ended
  const expired = once(client, 'expired');
  const began = performance.now();
  server.thaw();
  await expired;
  const took = performance.now() - began;
  await client.close();
  // By itself the client would give up a connection that says nothing after two thirds of the time-out.
  assert.ok(took < client.sessionTimeout / 2, `${took} ms`);
});

test('a frozen server is closed without waiting for anybody', async () => {
  const server = await startServer();
  const client = await connect(server.connectString);
  server.freeze();
  const suspended = once(client, 'suspended');
  await server.close();
  await suspended;
  await client.close();
});

test('a slow disk delays writes, not reads', async () => {
  await using server = await startServer();
  const [writer, reader] = await Promise.all([connect(server.connectString), connect(server.connectString)]);
  await writer.create('/n', { data: 'x' });
  server.slowDisk(3000);
  const began = performance.now();
  const order: string[] = [];
  const write = writer.setData('/n', 'y').then(() => order.push('written'));
  assert.equal((await reader.getData('/n')).data?.toString(), 'x');
  order.push('read');
  await write;
  assert.ok(performance.now() - began >= 2999);
  assert.deepEqual(order, ['read', 'written']);
  server.slowDisk(600_000);
  const late = writer.setData('/n', 'z');
  await reader.getData('/n');
  server.healDisk();
  await late;
  await Promise.all([writer.close(), reader.close()]);
});

for (const code of ['EIO', 'ENOSPC']) {
  test(`a disk that fails with ${code} ends the server before it acknowledges; healed and restarted, nothing acknowledged is missing`, async () => {
    await using server = await startServer();
    const client = await connect(server.connectString);
    await client.create('/kept', { data: 'x' });
    server.failDisk(code);
    await assert.rejects(client.create('/n', { data: 'x' }), unknown);
    assert.equal(server.isRunning, false);
    assert.match(String(server.failure), new RegExp(code));
    server.healDisk();
    await server.restart();
    assert.equal(server.failure, undefined);
    assert.equal((await client.getData('/kept')).data?.toString(), 'x');
    assert.equal(await client.exists('/n'), null);
    await client.close();
  });
}

test('in an ensemble: a slow follower holds nobody up, a frozen leader is replaced', async () => {
  await using ensemble = await startEnsemble(3);
  const first = ensemble.leader ?? 0;
  const [slow = 0, fast = 0] = ensemble.followers;
  ensemble.slowDisk(slow, 60_000);
  const client = await connect(ensemble.connectStringOf(fast));
  await client.create('/n', { data: 'x' });
  ensemble.healDisk(slow);
  ensemble.freeze(first);
  await ensemble.advance(10_000);
  while (ensemble.leader === undefined || ensemble.leader === first)
    await new Promise((resolve) => setTimeout(resolve, 2));
  ensemble.thaw(first);
  await ensemble.ready();
  assert.equal((await client.getData('/n')).data?.toString(), 'x');
  await client.close();
});
