// Metrics of real servers: what is measured of starts, connections and acknowledgements.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { metricRows } from '../../dist/admin/metrics.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import type { Server } from '../../dist/server.js';
import { Ensemble } from '../ensemble/ensemble.js';
import { dataDir, RawClient, serve } from '../server/raw-client.js';

function metrics(server: Server): Map<string, string> {
  return new Map(Array.from(metricRows(viewOf(server)), ([key, value]) => [key, String(value)]));
}

test('a start tells how many transactions it read', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir });
  assert.equal(metrics(first.server).get('sum_startup_txns_loaded'), '0');
  const a = await RawClient.open(t, first.clientPort);
  for (let i = 0; i < 5; i++) await a.create(`/n${i}`);
  await first.close();
  const second = await serve(t, { dataDir: dir });
  const told = metrics(second.server);
  assert.equal(told.get('sum_startup_txns_loaded'), '6', 'the session and its nodes');
  assert.equal(told.get('cnt_startup_txns_load_time'), '1');
  assert.equal(told.get('cnt_startup_snap_load_time'), '1');
});

test('connections that clients let go are told from those that end with their session', async (t) => {
  const { server, clientPort } = await serve(t);
  const clean = await RawClient.open(t, clientPort);
  await clean.request(OpCode.closeSession);
  await clean.closed();
  assert.equal(metrics(server).get('connection_drop_count'), '0');
  const lost = await RawClient.open(t, clientPort);
  lost.socket.destroy();
  while (server.port.connections.size > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(metrics(server).get('connection_drop_count'), '1');
});

test('the leader tells how long each server takes to acknowledge', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { 'leader.ackLoggingFrequency': 5 });
  const leader = ensemble.server(await ensemble.settled());
  const client = await ensemble.client(leader.id);
  for (let i = 0; i < 20; i++) await client.create(`/n${i}`);
  const told = metrics(leader);
  const counts = [1, 2, 3].map((id) => Number(told.get(`cnt_${id}_ack_latency`) ?? 0));
  assert.ok(counts.filter((count) => count > 0).length >= 2, `a quorum has acknowledged: ${counts}`);
  assert.ok(
    counts.every((count) => count <= 4),
    `only each fifth is timed: ${counts}`,
  );
  assert.ok(told.has(`p99_${leader.id}_ack_latency`) || counts[leader.id - 1] === 0);
  viewOf(leader).resetStats();
  assert.equal(metrics(leader).has(`cnt_${leader.id}_ack_latency`), false);
});
