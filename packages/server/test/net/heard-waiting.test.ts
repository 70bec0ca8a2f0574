// Clients whose requests have to wait, as they take their replies slowly or the disk does not answer: while they show that they live,
// their sessions do.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { Clock } from '../server/clock.js';
import { HeldDisk } from '../server/held-disk.js';
import { RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

const NAMES = 12; // more than sockets hold
const NAME_LENGTH = 900_000;
const PINGS = 20;

async function scene(t: TestContext) {
  const clock = new Clock();
  const disk = new HeldDisk();
  const { clientPort, server } = await serve(t, { tickTime: 2000 }, { runtime: clock.runtime, disk: disk.disk });
  const client = await RawClient.open(t, clientPort, { timeout: 4000 });
  const other = await RawClient.open(t, clientPort, { timeout: 40_000 });
  const session = () => server.port.sessions.get(client.id);
  /** Whether the session has not ended, nor is about to. */
  const lives = (): boolean => session()?.closing === false;
  /** 8 s pass, in which sessions are looked at; every 400 ms the client shows that it lives, if it does. */
  const pass = async (shows: () => void): Promise<void> => {
    for (let i = 0; i < PINGS && lives(); i++) {
      shows();
      await clock.pass(400);
    }
  };
  const ping = (): void => void client.send(OpCode.ping, undefined, -2);
  return { disk, client, other, pass, ping, lives, port: server.port };
}

async function longList(client: RawClient): Promise<void> {
  await client.create('/long');
  for (let i = 0; i < NAMES; i++) await client.create(`/long/${i}${'n'.repeat(NAME_LENGTH)}`);
}

/** The client asks for a long list so many times, and takes as much of it as sockets hold. */
async function takesSome({ client, other, port }: Awaited<ReturnType<typeof scene>>, times = 1): Promise<void> {
  await longList(other);
  for (let i = 0; i < times; i++) client.send(OpCode.getChildren, (w) => w.string('/long').bool(false));
  client.socket.pause();
  await until(() => port.slow.size === 1);
}

async function pingsAreAnswered(client: RawClient): Promise<void> {
  for (let i = 0; i < PINGS; i++) assert.equal((await client.reply()).xid, -2);
}

test('a client that takes a long list slowly lives as long as it pings', async (t) => {
  const all = await scene(t);
  const { client, pass, ping, lives } = all;
  await takesSome(all);
  await pass(ping);
  assert.ok(lives());
  client.socket.resume();
  assert.equal((await client.reply()).body.int(), NAMES);
  await pingsAreAnswered(client);
});

test('so does one that has sent more than is read meanwhile, as long as it takes what it asked for', async (t) => {
  const all = await scene(t);
  const { client, pass, lives } = all;
  await takesSome(all, 2);
  for (let i = 0; i < 100; i++) client.send(OpCode.exists, (w) => w.string(`/${'n'.repeat(1000)}`).bool(false));
  let left = 0;
  client.socket.on('data', (bytes) => {
    left -= bytes.length;
    if (left < 0) client.socket.pause();
  });
  await pass(() => {
    left = 300_000;
    client.socket.resume();
  });
  assert.ok(lives());
});

test('one that neither pings nor takes it does not', async (t) => {
  const all = await scene(t);
  await takesSome(all);
  await all.pass(() => {});
  assert.ok(!all.lives());
});

test('who waits for a write that is larger than its share of those in work lives as long as it pings', async (t) => {
  const { disk, client, pass, ping, lives } = await scene(t);
  await client.create('/large');
  disk.hold();
  client.send(OpCode.setData, (w) => w.string('/large').buffer(Buffer.alloc(900_000)).int(-1));
  await pass(ping);
  assert.ok(lives());
  disk.release();
  assert.equal((await client.reply()).error, 0);
  await pingsAreAnswered(client);
});
