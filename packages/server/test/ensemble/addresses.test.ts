// Servers with several addresses: they listen at all of them, and others find the one that answers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { atEnd } from '../server/raw-client.js';
import { Ensemble, freePorts } from './ensemble.js';

const ON = { 'multiAddress.enabled': true };

/** Settings of an ensemble of three in which each has two addresses, as it and as the others have them. */
async function twoEach(): Promise<(id: number) => Record<string, string>> {
  const ports = await freePorts(6);
  const places = (id: number, first: string): string =>
    [first, `127.0.1.${id}`].map((host) => `${host}:${ports[2 * id - 2]}:${ports[2 * id - 1]}`).join('|');
  // Nobody listens at the first address that the others know.
  return (id) =>
    Object.fromEntries(
      [1, 2, 3].map((other) => [`server.${other}`, places(other, other === id ? `127.0.0.${id}` : `127.0.2.${other}`)]),
    );
}

async function listens(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  const there = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return there;
}

test('servers listen at all their addresses, and are found where one of them answers', async (t) => {
  const members = await twoEach();
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], ON);
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, members(id))));
  const leader = await ensemble.settled();
  for (const id of [1, 2, 3]) {
    const [, quorum = '', election = ''] = (members(id)[`server.${id}`] ?? '').split('|')[0]?.split(':') ?? [];
    for (const host of [`127.0.0.${id}`, `127.0.1.${id}`]) {
      assert.ok(await listens(host, Number(election)), `${host}:${election}`);
      assert.equal(await listens(host, Number(quorum)), id === leader);
    }
  }
  const client = await ensemble.client([1, 2, 3].find((id) => id !== leader) ?? 0);
  assert.equal((await client.create('/a')).error, 0);
  await ensemble.stop(leader);
  await ensemble.settled();
});

for (const [what, lines, version, expected] of [
  ['all its addresses', 'two', -65535n, /^127\.0\.0\.3:(\d+)\|127\.0\.1\.3:\1$/],
  ['its one address', 'one', -65536n, /^127\.0\.0\.3:\d+$/],
] as const) {
  test(`a server tells the others ${what}`, async (t) => {
    const [q1 = 0, e1 = 0, q3 = 0, e3 = 0, q2 = 0, e2 = 0] = await freePorts(6);
    const first = createServer();
    atEnd(t, () => first.close());
    first.listen(e1, '127.0.0.1');
    const own = `127.0.0.3:${q3}:${e3}`;
    const members = {
      'server.1': `127.0.0.1:${q1}:${e1}`,
      'server.2': `127.0.0.2:${q2}:${e2}`,
      'server.3': lines === 'two' ? `${own}|127.0.1.3:${q3}:${e3}` : own,
    };
    const ensemble = await Ensemble.of(t, [], lines === 'two' ? ON : {});
    const dialled = once(first, 'connection') as Promise<[Socket]>;
    await ensemble.start(3, members);
    const [socket] = await dialled;
    atEnd(t, () => socket.destroy());
    const [greeting] = (await once(socket, 'data')) as [Buffer];
    assert.equal(greeting.readBigInt64BE(0), version);
    assert.match(greeting.toString('utf8', 20, 20 + greeting.readInt32BE(16)), expected);
  });
}

test('several addresses without multiAddress.enabled are refused', async (t) => {
  const members = await twoEach();
  const ensemble = await Ensemble.of(t, []);
  await assert.rejects(ensemble.start(1, members(1)), /server\.1 has several addresses. Add multiAddress.enabled=true/);
});
