// Sessions that one server alone knows, and servers that serve reads without a quorum.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { PacketType } from '../../dist/broadcast/packet.js';
import { RawClient } from '../server/raw-client.js';
import { until } from '../server/until.js';
import { Ensemble } from './ensemble.js';
import { closeSessionEntry, RawLeader } from './raw-leader.js';
import { EPOCH } from './raw-learner.js';

const EPHEMERAL = 1;
const READ_ONLY = { localSessionsEnabled: true, localSessionsUpgradingEnabled: true, 'readonlymode.enabled': true };

test('a local session costs no transaction, is not known elsewhere, and ends with its connection’s close', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true });
  await ensemble.level();
  const before = ensemble.server(1).lastZxid;
  const client = await ensemble.client(1);
  assert.notEqual(client.id, 0n);
  assert.equal(ensemble.server(1).lastZxid, before);
  assert.equal((await client.create('/n', 'x')).error, 0);
  assert.equal(await client.getData('/n'), 'x');
  const elsewhere = await ensemble.client(2, { id: client.id, password: client.password });
  assert.equal(elsewhere.id, 0n, 'refused');
  const here = await ensemble.client(1, { id: client.id, password: client.password });
  assert.equal(here.id, client.id);
  const zxid = ensemble.server(1).lastZxid;
  assert.equal((await here.request(OpCode.closeSession)).error, 0);
  await here.closed();
  assert.equal(ensemble.server(1).lastZxid, zxid, 'its end is no transaction either');
  const gone = await ensemble.client(1, { id: client.id, password: client.password });
  assert.equal(gone.id, 0n);
});

test('a local session of the leader is not known to a follower', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true });
  const client = await ensemble.client(await ensemble.settled());
  const elsewhere = await ensemble.client(await ensemble.follower(), { id: client.id, password: client.password });
  assert.equal(elsewhere.id, 0n, 'refused');
});

test('replies stay in order when a local session is closed behind writes', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true });
  const client = await ensemble.client(await ensemble.follower());
  const xids = [1, 2, 3].map((i) =>
    client.send(OpCode.setData, (w) =>
      w
        .string('/none')
        .buffer(Buffer.from(`${i}`))
        .int(-1),
    ),
  );
  xids.push(client.send(OpCode.closeSession));
  for (const xid of xids) assert.equal((await client.reply()).xid, xid);
  await client.closed();
});

for (const where of ['leader', 'follower'] as const) {
  test(`a local session of the ${where} that is closed behind a write ends, though its client leaves before the answer`, async (t) => {
    const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true });
    const leader = await ensemble.settled();
    const id = where === 'leader' ? leader : await ensemble.follower();
    const client = await ensemble.client(id);
    const { port } = ensemble.server(id);
    // Nothing is written, so that nothing is committed.
    const logs = [1, 2, 3].map((one) => ensemble.server(one).log);
    const flushes = logs.map((log) => log.flush.bind(log));
    for (const log of logs) log.flush = () => {};
    client.send(OpCode.delete, (w) => w.string('/none').int(-1));
    client.send(OpCode.closeSession);
    await until(() => port.sessions.get(client.id)?.closing === true);
    assert.equal(port.processor.outstanding, 2);
    client.socket.destroy();
    await until(() => port.connections.size === 0);
    assert.equal(port.sessions.get(client.id), undefined);
    logs.forEach((log, i) => {
      log.flush = flushes[i] ?? log.flush;
      log.flush();
    });
  });

  test(`an ephemeral makes a local session of the ${where} global, or is refused`, async (t) => {
    const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true, localSessionsUpgradingEnabled: true });
    const pick = async () => (where === 'leader' ? ensemble.settled() : ensemble.follower());
    const client = await ensemble.client(await pick());
    const before = ensemble.server(await pick()).lastZxid;
    assert.equal((await client.create('/eph', '', EPHEMERAL)).error, 0);
    assert.equal(ensemble.server(await pick()).lastZxid, before + 2, 'one for the session, one for the node');
    const elsewhere = await ensemble.client(where === 'leader' ? await ensemble.follower() : await ensemble.settled(), {
      id: client.id,
      password: client.password,
    });
    assert.equal(elsewhere.id, client.id);
    assert.equal((await elsewhere.request(OpCode.closeSession)).error, 0);
    await ensemble.level();
    const reader = await ensemble.client(1);
    assert.equal(await reader.getData('/eph'), undefined);
  });
}

test('without upgrading, a local session cannot have ephemerals', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true });
  for (const id of [1, 2, 3]) {
    const client = await ensemble.client(id);
    assert.equal((await client.create('/eph', '', EPHEMERAL)).error, -120);
    assert.equal((await client.create(`/plain${id}`)).error, 0);
  }
});

test('an answer without a transaction tells no earlier zxid than the answers before it', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true });
  for (const id of [await ensemble.follower(), await ensemble.settled()]) {
    const client = await ensemble.client(id);
    client.socket.cork();
    const write = client.create(`/behind${id}`);
    const refused = client.create('/eph', '', EPHEMERAL);
    client.socket.uncork();
    const { zxid } = await write;
    const { error, zxid: later } = await refused;
    assert.equal(error, -120);
    assert.ok(later >= zxid, `0x${later.toString(16)} after 0x${zxid.toString(16)}`);
  }
});

test('a silent local session expires on its server', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true, minSessionTimeout: 400 });
  for (const id of [await ensemble.follower(), await ensemble.settled()]) {
    const client = await ensemble.client(id, { timeout: 400 });
    await client.closed();
    const late = await ensemble.client(id, { id: client.id, password: client.password });
    assert.equal(late.id, 0n);
  }
});

test('without a quorum, reads are served to clients that take that, writes are refused, and a quorum ends it', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { localSessionsEnabled: true, 'readonlymode.enabled': true });
  const writer = await ensemble.client(1);
  await writer.create('/n', 'x');
  await ensemble.level();
  await ensemble.stop(2);
  await ensemble.stop(3);
  while (ensemble.server(1).mode !== 'read-only') await new Promise((resolve) => setTimeout(resolve, 5));
  const reader = await ensemble.client(1, { readOnly: true });
  assert.notEqual(reader.id, 0n);
  assert.equal(reader.isReadOnly, true);
  assert.equal(await reader.getData('/n'), 'x');
  assert.equal((await reader.create('/m')).error, -119);
  assert.equal((await reader.request(OpCode.sync, (w) => w.string('/'))).error, -119);
  const plain = await ensemble.client(1).catch(() => undefined);
  assert.equal(plain?.id ?? 0n, 0n, 'a client that does not take it is not served');
  await ensemble.start(2);
  await reader.closed();
  await ensemble.settled();
  assert.equal((await (await ensemble.client(1)).create('/m')).error, 0);
});

/** What server 1, once it has no quorum, says to a client that comes with its session. */
async function answerTo(
  t: TestContext,
  ensemble: Ensemble,
  { id, password }: RawClient,
): Promise<'over' | 'going on' | 'no answer'> {
  while (ensemble.server(1).mode !== 'read-only') await new Promise((resolve) => setTimeout(resolve, 5));
  const again = await RawClient.plain(t, ensemble.server(1).boundPort);
  if (!(await again.handshake({ id, password, readOnly: true }))) return 'no answer';
  return again.id === 0n ? 'over' : 'going on';
}

test('without a quorum, local sessions of before are over, so that their clients begin new ones; others get no answer', async (t) => {
  const ensemble = await Ensemble.ofThree(t, READ_ONLY);
  const here = await ensemble.client(1);
  const elsewhere = await ensemble.client(2);
  const upgraded = await ensemble.client(2);
  assert.equal((await upgraded.create('/eph', '', EPHEMERAL)).error, 0);
  const ended = await ensemble.client(1);
  assert.equal((await ended.create('/ended', '', EPHEMERAL)).error, 0);
  assert.equal((await ended.request(OpCode.closeSession)).error, 0);
  await ensemble.level();
  // What the log told of ended sessions is known to be committed once there is a leader.
  await ensemble.stop(1);
  await ensemble.start(1);
  await ensemble.settled();
  await ensemble.stop(2);
  await ensemble.stop(3);
  assert.equal(await answerTo(t, ensemble, here), 'over');
  assert.equal(await answerTo(t, ensemble, elsewhere), 'over');
  assert.equal(await answerTo(t, ensemble, upgraded), 'no answer');
  assert.equal(await answerTo(t, ensemble, ended), 'over');
  const reader = await ensemble.client(1, { readOnly: true });
  assert.equal(await answerTo(t, ensemble, reader), 'going on');
});

test('without a quorum, a session whose end is proposed and may not come about is not told that it is over', async (t) => {
  const { ensemble, leader, follower } = await RawLeader.ofOne(t, READ_ONLY);
  await follower.newLeader(1);
  await follower.upToDate();
  const client = await ensemble.client(1);
  client.send(OpCode.create, (w) => w.string('/eph').buffer(null).int(-1).int(EPHEMERAL));
  await leader.session(follower, EPOCH + 1);
  await follower.until(PacketType.ack);
  follower.send(PacketType.proposal, EPOCH + 2, closeSessionEntry(EPOCH + 2, client.id));
  await follower.until(PacketType.ack);
  await ensemble.stop(1);
  await ensemble.start(1);
  assert.equal(await answerTo(t, ensemble, client), 'no answer');
});
