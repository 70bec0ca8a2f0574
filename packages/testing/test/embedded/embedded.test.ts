// Servers and ensembles inside a test: ready quickly, killed, restarted, cut apart, and gone without a trace.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '@nodekeeper/client';
import { type ChaosKind, type Settings, startEnsemble, startServer } from '../../dist/index.js';

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
  const servers = await Promise.all([startServer(), startServer({ port: 0 })]);
  assert.notEqual(servers[0]?.port, servers[1]?.port);
  assert.notEqual(servers[1]?.port, 0);
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

test("settings are known ones, and none of those that are not the test's to choose", async () => {
  const refused = (settings: Settings, message: RegExp): Promise<void> =>
    assert.rejects(startServer({ settings }), (error) => error instanceof TypeError && message.test(error.message));
  await refused({ clientPort: 1 }, /clientPort cannot be set: the option port/);
  await refused({ 'zookeeper.dataDir': '/tmp' }, /dataDir cannot be set/);
  await refused({ tickTme: 1 }, /'tickTme' is not a known option; did you mean 'tickTime'\?/);
  await assert.rejects(startEnsemble(1, { settings: { 'server.1': 'x' } }), TypeError);
  await assert.rejects(startServer({ settings: { tickTime: 'never' } }), {
    name: 'ConfigError',
    message: /^settings: tickTime=never: .*rounded to it\.?\)$/,
  });
  await assert.rejects(startEnsemble(1.5), RangeError);
  const grouped = await startEnsemble(3, { settings: { 'group.1': '1:2:3', 'weight.1': 1 } });
  await grouped.close();
  await assert.rejects(startEnsemble(1, { observers: -1 }), RangeError);
});

test('what is closed stays closed', async () => {
  const server = await startServer();
  await server.close();
  await assert.rejects(server.restart(), /closed/);
  assert.equal(server.isRunning, false);
});

test('two starts of one server: the second finds it running', async () => {
  await using ensemble = await startEnsemble(3);
  await ensemble.stop(1);
  const starts = await Promise.allSettled([ensemble.start(1), ensemble.start(1)]);
  assert.equal(starts[0].status, 'fulfilled');
  assert.match(String(starts[1].status === 'rejected' && starts[1].reason), /server 1 runs already/);
});

test('closing ends what is starting and waits for what is stopping, and leaves nothing behind', async (t) => {
  const { TMPDIR } = process.env;
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-testing-'));
  process.env.TMPDIR = dir;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(dir, { recursive: true });
  });
  for (const [stop, start] of [
    ['kill', 'start'],
    ['stop', 'start'],
    ['stop', undefined],
  ] as const) {
    const ensemble = await startEnsemble(3);
    const stopped = ensemble[stop](2);
    if (start !== undefined) await stopped;
    const started = start === undefined ? stopped : ensemble[start](2);
    await ensemble.close();
    await started;
    assert.equal(ensemble.isRunning(2), false);
    assert.deepEqual(readdirSync(dir), []);
  }
});

test('faults that cannot be are refused', async () => {
  await using ensemble = await startEnsemble(2);
  assert.throws(() => ensemble.partition([1, 2], [2]), TypeError);
  assert.throws(() => ensemble.partition([1], [3]), RangeError);
  assert.throws(() => ensemble.failDisk(1, 'FOO'), TypeError);
  assert.throws(() => ensemble.chaos({ kinds: ['foo' as ChaosKind] }), TypeError);
  assert.throws(() => ensemble.chaos({ kinds: [] }), TypeError);
  for (const options of [{ duration: -1 }, { longest: Number.NaN }, { pause: -1 }, { atOnce: 0 }, { atOnce: 1.5 }])
    assert.throws(() => ensemble.chaos(options), RangeError);
});
