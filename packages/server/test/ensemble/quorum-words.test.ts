// What a server without a quorum says: whom it cannot reach, and why, and what it waits for, every few seconds and in words.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PacketType } from '../../dist/broadcast/packet.js';
import { nodeNetwork } from '../../dist/net/network.js';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import { atEnd } from '../server/raw-client.js';
import { Ensemble } from './ensemble.js';
import { greet } from './greet.js';
import { learnerInfo, RawLearner } from './raw-learner.js';

/** Five seconds are a tenth of one. */
const runtime: Runtime = {
  ...nodeRuntime,
  every: (ms, action) => nodeRuntime.every(ms === 5000 ? 100 : ms, action),
};

function three(t: TestContext): Promise<Ensemble> {
  return Ensemble.of(t, ['participant', 'participant', 'participant']);
}

/** Resolves when the server has said it so often. */
async function said(ensemble: Ensemble, id: number, pattern: RegExp, times = 1): Promise<void> {
  const count = (): number => (ensemble.lines.get(id) ?? []).filter(({ message }) => pattern.test(message)).length;
  for (let i = 0; i < 10_000 && count() < times; i++) await new Promise((resolve) => setTimeout(resolve, 2));
  const all = (ensemble.lines.get(id) ?? []).map(({ message }) => message);
  assert.ok(count() >= times, `${pattern} is not among:\n${all.join('\n')}`);
  assert.ok(!all.some((message) => /^ +at /m.test(message)), 'no stack trace');
}

test('servers that are down are told with their places, again and again', async (t) => {
  const ensemble = await three(t);
  await ensemble.start(1, {}, { runtime });
  const waits = /^not serving for \d+ s: waiting for enough servers to elect a leader/;
  await said(ensemble, 1, waits, 3);
  for (const id of [2, 3]) {
    const port = ensemble.electionPortOf(id);
    await said(ensemble, 1, new RegExp(`${waits.source}.*server ${id}: nothing listens at 127.0.0.1:${port}"`));
  }
});

test('addresses of IPv6 are told in brackets', async (t) => {
  const roles = ['participant', 'participant', 'participant'] as const;
  const ensemble = await Ensemble.of(t, roles, {}, ['127.0.0.1', '[::1]']);
  await ensemble.start(1, {}, { runtime });
  await said(ensemble, 1, /server 2: .*\[0:0:0:0:0:0:0:1\]:\d+/);
});

test('servers that do not answer are told as such', async (t) => {
  const ensemble = await three(t);
  const network = { ...nodeNetwork, connect: () => new Socket() };
  await ensemble.start(1, { cnxTimeout: 50 }, { runtime, network });
  await said(ensemble, 1, /server 2: no answer from 127\.0\.0\.1:\d+ within 50 ms: a firewall, or the host is down/);
});

test('a leader whose quorum port is taken says so as long as that is so', async (t) => {
  const ensemble = await three(t);
  const other = createServer((socket) => socket.destroy()).listen(ensemble.quorumPortOf(3), '127.0.0.1');
  atEnd(t, () => other.close());
  await once(other, 'listening');
  await Promise.all([2, 3].map((id) => ensemble.start(id, {}, { runtime })));
  const taken =
    /waiting for a quorum that follows: the quorum port 127\.0\.0\.1:\d+ cannot be opened: another process has it/;
  await said(ensemble, 3, taken, 2);
  other.close();
  await ensemble.settled();
});

test('another server with the same id is told at both ports, and disturbs nobody', async (t) => {
  const ensemble = await three(t);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, {}, { runtime })));
  const leader = await ensemble.settled();
  await greet(t, ensemble.electionPortOf(leader), BigInt(leader));
  await said(ensemble, leader, /two servers have the same id, see their myid files/);
  const twin = await RawLearner.dial(t, ensemble.quorumPortOf(leader));
  twin.send(PacketType.followerInfo, 0, learnerInfo(leader));
  await said(ensemble, leader, /at the quorum port ended: server \d says it is this one: two servers have the same id/);
  assert.equal(await ensemble.settled(), leader);
});

test('a server that is no member is told once, with its address', async (t) => {
  const ensemble = await three(t);
  await ensemble.start(1, {}, { runtime });
  for (let i = 0; i < 3; i++) await greet(t, ensemble.electionPortOf(1), 99n);
  await said(ensemble, 1, /^server 99 at 127\.0\.0\.1 is no member, its vote does not count/);
  assert.equal(ensemble.lines.get(1)?.filter(({ message }) => message.includes('server 99')).length, 1);
});

test('a server that begins with an empty directory says so, another does not', async (t) => {
  const ensemble = await three(t);
  await ensemble.start(1);
  const empty = (): number =>
    ensemble.lines.get(1)?.filter(({ message }) => /is empty: this server/.test(message)).length ?? 0;
  assert.equal(empty(), 1);
  await ensemble.stop(1);
  await ensemble.start(1);
  assert.equal(empty(), 1);
});
