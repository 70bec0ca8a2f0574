// Time that passes at once: sessions of clients that are gone expire, containers and TTL nodes go, connected clients stay.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from '@nodekeeper/client';
import { startEnsemble, startServer, type TestEnsemble, type TestServer } from '../../dist/index.js';
import { vanish } from './raw-client.js';

const LONG = 600_000;
const settings = { extendedTypesEnabled: true, maxSessionTimeout: 60_000 };

const kinds: readonly (readonly [string, () => Promise<TestServer | TestEnsemble>])[] = [
  ['a server', () => startServer({ settings })],
  ['an ensemble', () => startEnsemble(3, { observers: 1, settings })],
];

for (const [kind, start] of kinds) {
  test(`${kind}: the session of a client that is gone expires when its time is over, that of a connected one lives`, async () => {
    await using servers = await start();
    const client = await connect(servers.connectString, { sessionTimeout: 4000 });
    const { sessionId } = client;
    await client.create('/mine', { mode: 'ephemeral' });
    await vanish(servers.connectString.split(',').at(-1) ?? '', '/gone', 20_000);
    await servers.advance(15_000);
    await client.sync('/');
    assert.notEqual(await client.exists('/gone'), null);
    await servers.advance(15_000);
    await client.sync('/');
    assert.equal(await client.exists('/gone'), null);
    assert.notEqual(await client.exists('/mine'), null);
    assert.equal(client.sessionId, sessionId);
    await client.close();
  });

  test(`${kind}: nodes with a time to live go when it is over, empty containers when they are looked for`, async () => {
    await using servers = await start();
    const client = await connect(servers.connectString, { sessionTimeout: 4000 });
    const { sessionId } = client;
    await client.create('/ttl', { mode: 'persistentWithTtl', ttl: LONG });
    await client.create('/container', { mode: 'container' });
    await client.create('/container/child');
    await client.delete('/container/child');
    const { ctime } = (await client.exists('/ttl')) ?? assert.fail();
    await servers.advance(LONG / 2);
    await client.sync('/');
    assert.notEqual(await client.exists('/ttl'), null);
    assert.equal(await client.exists('/container'), null);
    await servers.advance(LONG / 2 + 90_000);
    await client.sync('/');
    assert.equal(await client.exists('/ttl'), null);
    await client.create('/later');
    const later = (await client.exists('/later')) ?? assert.fail();
    assert.ok(Number(later.ctime) >= Number(ctime) + LONG, 'nodes get the time that it is then');
    assert.equal(client.sessionId, sessionId);
    await client.close();
  });

  test(`${kind}: silent clients lose their sessions`, async () => {
    await using servers = await start();
    const client = await connect(servers.connectString, { sessionTimeout: 4000 });
    const expired = once(client, 'expired');
    await servers.advance(10_000, { silent: true });
    await expired;
    await client.close();
  });
}

test('a server that is killed and restarted goes on in the time that it was', async () => {
  await using server = await startServer();
  await server.advance(LONG);
  await server.kill();
  await server.restart();
  const client = await connect(server.connectString);
  await client.create('/n');
  const { ctime } = (await client.exists('/n')) ?? assert.fail();
  assert.ok(Number(ctime) >= Date.now() + LONG - 60_000);
  await client.close();
});

test('time does not go back', async () => {
  await using server = await startServer();
  await assert.rejects(server.advance(-1), RangeError);
  await assert.rejects(server.advance(Number.NaN), RangeError);
});
