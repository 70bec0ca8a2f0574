// Servers and ensembles inside a test: ready quickly, killed, restarted, cut apart, and gone without a trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '@nodekeeper/client';
import { startEnsemble, startServer } from '../../dist/index.js';

test('a server is there, keeps its data through a restart and a kill, and is gone', async () => {
  const server = await startServer();
  let client = await connect(server.connectString);
  await client.create('/n', { data: 'x' });
  await client.close();
  for (const bring of ['restart', 'kill'] as const) {
    if (bring === 'kill') await server.kill();
    await server.restart();
    client = await connect(server.connectString);
    assert.equal((await client.getData('/n')).data?.toString(), 'x');
    await client.close();
  }
  await server.close();
});

test('two servers do not meet', async () => {
  const servers = await Promise.all([startServer(), startServer()]);
  assert.notEqual(servers[0]?.port, servers[1]?.port);
  await Promise.all(servers.map((server) => server.close()));
});

test('a session is ended on demand', async () => {
  const server = await startServer();
  const client = await connect(server.connectString);
  await client.create('/e', { mode: 'ephemeral' });
  const over = new Promise((resolve) => client.on('expired', resolve));
  assert.equal(server.expireSession(client.sessionId), true);
  assert.equal(server.expireSession(12345n), false);
  await over;
  await client.close();
  await server.close();
});

test('an ensemble elects, loses its leader, and is whole again', async () => {
  const ensemble = await startEnsemble(3, { observers: 1 });
  assert.deepEqual(ensemble.ids, [1, 2, 3, 4]);
  const client = await connect(ensemble.connectString);
  await client.create('/n', { data: 'x' });
  const first = ensemble.leader ?? 0;
  await ensemble.kill(first);
  await ensemble.ready();
  assert.notEqual(ensemble.leader, first);
  await ensemble.start(first);
  await ensemble.ready();
  await client.close();
  await ensemble.close();
});

test('a server that is cut off does not serve; healed, it does', async () => {
  const ensemble = await startEnsemble(3);
  const leader = ensemble.leader ?? 0;
  ensemble.partition([leader], ensemble.followers);
  while (ensemble.leader === undefined || ensemble.leader === leader)
    await new Promise((resolve) => setTimeout(resolve, 2));
  const client = await connect(ensemble.connectStringOf(ensemble.leader));
  await client.create('/n', { data: 'x' });
  ensemble.heal();
  await ensemble.ready();
  const late = await connect(ensemble.connectStringOf(leader));
  await late.sync('/');
  assert.equal((await late.getData('/n')).data?.toString(), 'x');
  await Promise.all([client.close(), late.close()]);
  await ensemble.close();
});
