// Observers with syncEnabled=false: nothing that they are informed of goes to their disk, and nothing speaks as if it did.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { EPOCH, epochOf } from '../../dist/broadcast/recent-proposals.js';
import { type Network, nodeNetwork } from '../../dist/net/network.js';
import type { RawClient } from '../server/raw-client.js';
import { until } from '../server/until.js';
import { Ensemble } from './ensemble.js';

/** The names of the files that hold its history. */
function files(ensemble: Ensemble, id: number): string[] {
  return readdirSync(join(ensemble.dataDirOf(id), 'version-2')).filter((name) => /^(log|snapshot)\./.test(name));
}

function currentEpoch(ensemble: Ensemble, id: number): number {
  return Number(readFileSync(join(ensemble.dataDirOf(id), 'version-2', 'currentEpoch'), 'utf8'));
}

async function writes(client: RawClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) assert.equal((await client.create('/n-', `${i}`, 2)).error, 0);
}

test('an observer without a log writes none, serves, and catches up when it starts again', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant', 'observer']);
  const start = (id: number): Promise<void> => ensemble.start(id, { syncEnabled: false, snapCount: 10 });
  await Promise.all([1, 2, 3, 4].map(start));
  const leader = await ensemble.settled();
  const client = await ensemble.client(4);
  await writes(client, 30);
  await ensemble.level();
  const before = files(ensemble, 4);
  assert.deepEqual(
    before.filter((name) => name.startsWith('log')),
    [],
  );
  assert.ok(files(ensemble, leader).length > 2, 'voters keep theirs');
  await assert.rejects(ensemble.server(4).takeSnapshot(), /keeps nothing on disk/);
  // It keeps what it has in memory through a change of leaders, but the epoch in its files stays that of its files.
  const epoch = currentEpoch(ensemble, 4);
  await ensemble.stop(leader);
  await ensemble.settled();
  await writes(client, 5);
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
  assert.equal(currentEpoch(ensemble, 4), epoch);
  await ensemble.stop(4);
  await start(4);
  await ensemble.settled();
  await ensemble.level();
  assert.equal(ensemble.digests().size, 1);
});

test('an observer without a log that becomes a voter has its history on disk first', async (t) => {
  const ensemble = await Ensemble.withFiles(t, 4, [1, 2, 3], {
    reconfigEnabled: true,
    skipACL: 'yes',
    syncEnabled: false,
  });
  await ensemble.settled();
  const client = await ensemble.client(3);
  const rejoin = async (role: string): Promise<void> => {
    const line = ensemble.fullLine(1).replace('participant', role);
    const { error } = await client.request(OpCode.reconfig, (w) => {
      w.string(`server.1=${line}`).string(null).string(null).long53(-1);
    });
    assert.equal(error, 0);
    const mode = role === 'observer' ? 'observer' : 'follower';
    while (ensemble.server(1).mode !== mode) await new Promise((resolve) => setTimeout(resolve, 2));
    await ensemble.settled();
  };
  await writes(client, 5);
  await rejoin('observer');
  await writes(client, 5);
  await ensemble.level();
  await rejoin('participant');
  await writes(client, 5);
  await ensemble.level();
  // What its disk says, read anew, is what the others have.
  const { lastZxid } = ensemble.server(3);
  await ensemble.stop(1);
  await ensemble.start(1);
  assert.equal(ensemble.server(1).lastZxid, lastZxid);
  await ensemble.settled();
  assert.equal(ensemble.digests().size, 1);
});

test('an observer does not count for members among whom it will vote', async (t) => {
  const settings = {
    reconfigEnabled: true,
    skipACL: 'yes',
    syncEnabled: false,
    initLimit: 5,
    standaloneEnabled: false,
  };
  const ensemble = await Ensemble.withFiles(t, 4, [1, 2, 3, 4], settings, []);
  for (const id of [1, 2, 3, 4]) {
    const text = readFileSync(ensemble.configPath(id), 'utf8');
    writeFileSync(ensemble.configPath(id), text.replace(/(server\.4=.*):participant/, '$1:observer'));
  }
  await Promise.all([2, 3].map((id) => ensemble.start(id))); // of these two the one with the higher id leads
  assert.equal(await ensemble.settled(), 3);
  await Promise.all([1, 4].map((id) => ensemble.start(id)));
  await ensemble.settled();
  await ensemble.level();
  await ensemble.stop(2); // it misses what is acknowledged
  const client = await ensemble.client(3);
  assert.equal((await client.create('/x', 'acknowledged')).error, 0);
  await ensemble.level();
  const next = (epochOf(ensemble.server(3).lastZxid) + 1) * EPOCH;
  for (const id of [3, 1, 4]) await ensemble.stop(id);
  // The leader has written down that 2, 3 and 4 shall vote. Server 2 elects him again, and does not reach him.
  const text = [2, 3, 4].map((id) => `server.${id}=${ensemble.fullLine(id)}`).join('\n');
  writeFileSync(`${ensemble.configPath(3)}.dynamic.next`, `${text}\nversion=${next.toString(16)}`);
  let parted = true;
  const network: Network = {
    ...nodeNetwork,
    connect: (host, port, options) =>
      nodeNetwork.connect(host, parted && port === ensemble.quorumPortOf(3) ? 1 : port, options),
  };
  await Promise.all([1, 3, 4].map((id) => ensemble.start(id)));
  await ensemble.start(2, {}, { network });
  await until(() => ensemble.said(3, /not enough servers/));
  assert.equal(ensemble.server(4).membership.observer, true);
  assert.notEqual(ensemble.server(3).notReady, undefined);
  parted = false;
  await ensemble.settled();
  assert.equal(await (await ensemble.client(2)).getData('/x'), 'acknowledged');
});
