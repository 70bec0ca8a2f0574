// Clients through the change of leaders: what waits for nothing stays connected, and the end of an epoch's numbers fails nobody.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import type { RawClient } from '../server/raw-client.js';
import { until } from '../server/until.js';
import { Ensemble, PATIENT } from './ensemble.js';

async function set(client: RawClient, data: string): Promise<void> {
  assert.equal(
    (await client.request(OpCode.setData, (w) => w.string('/n').buffer(Buffer.from(data)).int(-1))).error,
    0,
  );
}

test('connections that wait for nothing live through a change of leaders, with session, ephemerals and watches', async (t) => {
  const ensemble = await Ensemble.ofThree(t, {}, PATIENT);
  const leader = await ensemble.settled();
  const [left = 0, right = 0] = ensemble.running.filter((id) => id !== leader);
  const a = await ensemble.client(left);
  const b = await ensemble.client(right);
  await a.create('/n', 'one');
  await a.create('/eph', '', 1);
  await ensemble.level();
  assert.equal(await b.getData('/n', true), 'one');
  await ensemble.stop(leader);
  // Sent while nobody leads: answered once somebody does.
  await set(a, 'two');
  assert.equal(await a.getData('/n'), 'two');
  await b.request(OpCode.sync, (w) => w.string('/'));
  assert.deepEqual(
    b.events.map(({ type, path }) => `${type} ${path}`),
    ['3 /n'],
  );
  assert.equal(await b.getData('/eph'), '');
  assert.equal((await a.request(OpCode.closeSession)).error, 0);
  await b.request(OpCode.sync, (w) => w.string('/'));
  assert.equal(await b.getData('/eph'), undefined);
});

test('a leader that is stopped hands over: nobody waits for its vote, or for a time-out', async (t) => {
  // The 200 ms in which an election waits for a better vote never end (votes are sent again after 70, 140, 280 …), and nobody is
  // missed for minutes.
  const runtime: Runtime = { ...nodeRuntime, after: (ms, action) => nodeRuntime.after(ms === 200 ? 1e6 : ms, action) };
  const settings = { syncLimit: 1000, initLimit: 1000, 'fastleader.minNotificationInterval': 70 };
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], settings);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, {}, { runtime })));
  const leader = await ensemble.settled();
  const client = await ensemble.client(await ensemble.follower());
  await client.create('/n');
  await ensemble.level();
  await ensemble.stop(leader);
  assert.notEqual(await ensemble.settled(), leader);
  await set(client, 'on the connection that it had');
});

test('without a leader connections are given up in time for their clients to look elsewhere', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const client = await ensemble.client(1);
  await client.ping();
  const began = performance.now();
  await ensemble.stop(2);
  await ensemble.stop(3);
  await client.closed();
  assert.ok(performance.now() - began < 8000);
});

test('a new epoch begins before the numbers of one are used up, and no request fails', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { epochLength: 300 }, PATIENT);
  const clients = await Promise.all([1, 2, 3].map((id) => ensemble.client(id)));
  await clients[0]?.create('/n');
  await ensemble.level();
  const before = ensemble.server(1).epochs.current;
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 400; i++) await set(client, `${i}`);
    }),
  );
  assert.ok(ensemble.server(1).epochs.current >= before + 3, `epoch ${ensemble.server(1).epochs.current}`);
  assert.ok(clients.every((client) => !client.ended));
  await ensemble.settled();
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

for (const where of ['follower', 'leader'] as const) {
  test(`pipelined requests to the ${where} pass an epoch’s end in order`, async (t) => {
    const ensemble = await Ensemble.ofThree(t, { epochLength: 200 }, PATIENT);
    const client = await ensemble.client(where === 'leader' ? await ensemble.settled() : await ensemble.follower());
    await client.create('/n');
    const xids: number[] = [];
    for (let i = 0; i < 1000; i++)
      xids.push(
        client.send(OpCode.setData, (w) =>
          w
            .string('/n')
            .buffer(Buffer.from(`${i}`))
            .int(-1),
        ),
      );
    for (const xid of xids) {
      const reply = await client.reply();
      assert.equal(reply.xid, xid);
      assert.equal(reply.error, 0);
    }
  });
}

test('a member that has accepted a later epoch is not left outside: another one begins', async (t) => {
  const ensemble = await Ensemble.ofThree(t, {}, PATIENT);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  const follower = await ensemble.follower();
  await ensemble.stop(follower);
  // A server that was elected meanwhile fixed some epochs with it, and was lost before it led.
  const accepted = ensemble.server(await ensemble.settled()).epochs.current + 3;
  writeFileSync(join(ensemble.dataDirOf(follower), 'version-2', 'acceptedEpoch'), String(accepted));
  await ensemble.start(follower);
  await ensemble.settled();
  assert.ok(ensemble.server(follower).epochs.current >= accepted);
  assert.ok(ensemble.running.some((id) => ensemble.said(id, /has accepted epoch \d+, a later one begins/)));
  await set(client, 'on the connection that it had');
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('members whose epoch files are older than their logs begin an epoch that none of them has seen', async (t) => {
  const ensemble = await Ensemble.ofThree(t, {}, PATIENT);
  for (const path of ['/a', '/b', '/c']) {
    const client = await ensemble.client(await ensemble.settled());
    await client.create(path);
    await ensemble.level();
    await ensemble.close();
    if (path === '/c')
      for (const id of [1, 2, 3])
        for (const file of ['acceptedEpoch', 'currentEpoch'])
          writeFileSync(join(ensemble.dataDirOf(id), 'version-2', file), '1');
    await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
    await ensemble.settled();
  }
  const client = await ensemble.client(await ensemble.settled());
  assert.equal((await client.create('/after')).error, 0);
  assert.notEqual(await client.getData('/c'), undefined);
});

test('a member that the leader turns away comes again after a pause', async (t) => {
  const ensemble = await Ensemble.ofThree(t, {}, PATIENT);
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/n');
  const follower = await ensemble.follower();
  await ensemble.stop(follower);
  writeFileSync(join(ensemble.dataDirOf(follower), 'version-2', 'acceptedEpoch'), '200000');
  await ensemble.start(follower);
  await until(() => ensemble.running.some((id) => ensemble.said(id, /which cannot be/)));
  const turnedAway = (): number => ensemble.timesSaid(follower, /no longer/);
  await until(() => turnedAway() > 1);
  const began = performance.now();
  const before = turnedAway();
  await until(() => turnedAway() > before + 2);
  assert.ok(performance.now() - began > 190, 'half a tick of 200 ms passes between two of three');
  assert.equal((await client.create('/y')).error, 0);
});

test('a member with the history of a later epoch does not unseat a quorum that has lost its data and began again', async (t) => {
  const ensemble = await Ensemble.ofThree(t, {}, PATIENT);
  for (const path of ['/old0', '/old1', '/old2']) {
    const client = await ensemble.client(await ensemble.settled());
    await client.create(path);
    await ensemble.level();
    for (const id of [1, 2, 3]) await ensemble.stop(id);
    await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
    await ensemble.settled();
  }
  const later = ensemble.server(3).epochs.current;
  for (const id of [1, 2, 3]) await ensemble.stop(id);
  for (const id of [1, 2]) rmSync(join(ensemble.dataDirOf(id), 'version-2'), { recursive: true });
  await Promise.all([1, 2].map((id) => ensemble.start(id)));
  const client = await ensemble.client(await ensemble.settled());
  await client.create('/x');
  await ensemble.start(3);
  const turnedAway = (): number =>
    (ensemble.lines.get(3) ?? []).filter(({ message }) => message.includes(`is older than ${later}`)).length;
  await until(() => turnedAway() > 0);
  const began = performance.now();
  await until(() => turnedAway() > 3);
  assert.ok(performance.now() - began > 290, 'it comes again after half a tick of 200 ms');
  assert.notEqual(ensemble.server(3).notReady, undefined);
  assert.notEqual(await client.getData('/x'), undefined);
  assert.equal((await client.create('/y')).error, 0);
});
