// Options of the client port and of the process that few use.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { loadConfig } from '../../dist/config/index.js';
import { silentLogger } from '../../dist/log.js';
import { monitorPauses } from '../../dist/pause-monitor.js';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import { Summary } from '../../dist/server-stats.js';
import type { RunningServer } from '../../dist/start.js';
import { RawClient, serve } from './raw-client.js';

const ENSEMBLE = { 'authProvider.1': 'org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider' };

function tell(client: RawClient, name: string) {
  return client.request(OpCode.auth, (w) => w.int(0).string('ensemble').buffer(Buffer.from(name)));
}

test('a client that looks for another ensemble is turned away without an answer', async (t) => {
  const { clientPort, server } = await serve(t, { ...ENSEMBLE, ensembleAuthName: 'blue, navy' });
  const right = await RawClient.open(t, clientPort);
  assert.equal((await tell(right, 'navy')).error, 0);
  assert.equal((await tell(right, '')).error, 0);
  const wrong = await RawClient.open(t, clientPort);
  await assert.rejects(tell(wrong, 'red'));
  const view = viewOf(server);
  assert.equal(view.counter('ensemble_auth_success'), 1);
  assert.equal(view.counter('ensemble_auth_skip'), 1);
  assert.equal(view.counter('ensemble_auth_fail'), 1);
});

test('without names any ensemble will do; without the provider there is no such scheme', async (t) => {
  const any = await serve(t, ENSEMBLE);
  assert.equal((await tell(await RawClient.open(t, any.clientPort), 'red')).error, 0);
  const none = await serve(t, {});
  assert.notEqual((await tell(await RawClient.open(t, none.clientPort), 'red')).error, 0);
});

test('a pause is measured, and told from its thresholds on', () => {
  let now = 0;
  let look: () => void = () => {};
  const runtime: Runtime = {
    ...nodeRuntime,
    now: () => now,
    after: (_ms, action) => {
      look = action;
      return { cancel: () => {} };
    },
  };
  const told: string[] = [];
  const logger = {
    ...silentLogger,
    info: (fields: object) => told.push(`info ${JSON.stringify(fields)}`),
    warn: (fields: object) => told.push(`warn ${JSON.stringify(fields)}`),
  };
  const pauses = new Summary();
  monitorPauses({ sleepTime: 500, infoThreshold: 100, warnThreshold: 1000 }, runtime, logger, pauses);
  for (const late of [0, 50, 200, 5000]) {
    now += 500 + late;
    look();
  }
  assert.deepEqual(told, ['info {"ms":200}', 'warn {"ms":5000}']);
  assert.equal(pauses.count, 4);
  assert.equal(pauses.sum, 5250);
});

test('pauses are looked for only if that is asked for', async (t) => {
  assert.equal(loadConfig().pauseMonitor, undefined);
  const { server } = await serve(t, { 'jvm.pause.monitor': true, 'jvm.pause.sleep.time.ms': 1 });
  const { pauseTime } = server.stats;
  while (pauseTime.count === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(viewOf(server).summary('jvm_pause_time_ms'), pauseTime);
});

test('a wait for further writes ends a third of flushDelay after the last, unless told otherwise', () => {
  assert.equal(loadConfig({ flags: ['flushDelay=30'] }).maxWriteQueuePollTime, 10);
  assert.equal(loadConfig({ flags: ['flushDelay=30', 'maxWriteQueuePollTime=4'] }).maxWriteQueuePollTime, 4);
});

test('a server that stops does not wait for the snapshot that it is writing', async (t) => {
  let held: (() => void) | undefined;
  const runtime: Runtime = {
    ...nodeRuntime,
    // Turns between slices come only when the test lets them.
    soon: (action) => {
      if (server?.snapshotting == null) nodeRuntime.soon(action);
      else if (server.stopping) nodeRuntime.soon(action);
      else held = action;
    },
  };
  let server: RunningServer['server'] | undefined;
  const running = await serve(t, {}, { runtime });
  server = running.server;
  const { dirs } = server;
  const client = await RawClient.open(t, running.clientPort);
  for (let i = 0; i < 50; i++)
    await client.request(OpCode.create, (w) => {
      w.string(`/n${i}`).buffer(Buffer.alloc(10_000));
      writeAclList(w, OPEN_ACL_UNSAFE);
      w.int(0);
    });
  const before = readdirSync(dirs.snapshots).filter((name) => name.startsWith('snapshot.'));
  server.startSnapshot();
  while (held === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  const closed = running.close();
  nodeRuntime.soon(held);
  await closed;
  const after = readdirSync(dirs.snapshots).filter((name) => /snapshot/.test(name));
  assert.deepEqual(after, before, 'no further one, and nothing half written');
  assert.equal(server.stats.snapshotErrors, 0);
});
