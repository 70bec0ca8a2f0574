// How much is in work at a time: by number and by bytes, who waits beyond it, and that those who ask for little do not.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

import { OpCode, writeAclList } from '@nodekeeper/protocol';
import { HeldDisk } from '../server/held-disk.js';
import { RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

const SMALL = 'x'.repeat(100);
const LARGE = 'x'.repeat(10_000);

async function scene(t: TestContext, settings: Record<string, string | number> = {}) {
  const disk = new HeldDisk();
  const { clientPort, server } = await serve(t, settings, { disk: disk.disk });
  const client = async (path: string) => {
    const raw = await RawClient.open(t, clientPort);
    await raw.create(path, '');
    return {
      raw,
      set: (data: string) => raw.send(OpCode.setData, (w) => w.string(path).buffer(Buffer.from(data)).int(-1)),
    };
  };
  const { processor } = server.port;
  /** What is in work once nothing more is taken in: everything that was sent before has been seen by then. */
  const settled = async (least: number, by: RawClient) => {
    await until(() => processor.outstanding >= least);
    for (let i = 0; i < 50; i++) await by.ping();
    return processor.outstanding;
  };
  return { disk, client, processor, settled, port: server.port };
}

test('beyond so many bytes in work a connection waits; one with less than its share goes on', async (t) => {
  const { disk, client, processor, settled, port } = await scene(t);
  const hog = await client('/hog');
  const quiet = await client('/quiet');
  const idle = await client('/idle');
  disk.hold();
  for (let i = 0; i < 100; i++) hog.set(LARGE);
  const fit = Math.ceil(port.bytesInWork / 10_000);
  assert.ok(fit < 20);
  const taken = await settled(fit - 1, idle.raw);
  assert.ok(taken >= fit - 1 && taken <= fit, `${taken} are in work, ${fit} fit`);
  for (let i = 0; i < 5; i++) quiet.set(LARGE);
  assert.equal(await settled(taken + 5, idle.raw), taken + 5, 'the quiet one has less than half of the bytes');
  for (let i = 0; i < 20; i++) quiet.set(LARGE);
  const more = await settled(taken + 6, idle.raw);
  assert.ok(more <= taken + fit / 2 + 1, `${more} are in work, of which the first has ${taken}`);
  disk.release();
  for (let i = 0; i < 100; i++) assert.equal((await hog.raw.reply()).error, 0);
  for (let i = 0; i < 25; i++) assert.equal((await quiet.raw.reply()).error, 0);
  assert.deepEqual([processor.outstanding, processor.outstandingBytes, processor.busyClients], [0, 0, 0]);
});

test('a small write weighs what it becomes', async (t) => {
  const { disk, client, processor, settled, port } = await scene(t);
  const hog = await client('/hog');
  const idle = await client('/idle');
  for (let i = 0; i < 1000; i++)
    hog.raw.send(
      OpCode.auth,
      (w) =>
        w
          .int(0)
          .string('digest')
          .buffer(Buffer.from(`user${i}:x`)),
      -4,
    );
  for (let i = 0; i < 1000; i++) assert.equal((await hog.raw.reply()).error, 0);
  disk.hold();
  for (let i = 0; i < 50; i++) {
    hog.raw.send(OpCode.create, (w) => {
      w.string(`/hog/${i}`).buffer(null);
      writeAclList(w, [{ perms: 31, scheme: 'auth', id: '' }]);
      w.int(0);
    });
  }
  const taken = await settled(2, idle.raw);
  assert.ok(taken * 40_000 < port.bytesInWork + 100_000, `${taken} are in work, each of more than 40 KB`);
  assert.ok(processor.outstandingBytes > taken * 40_000);
  disk.release();
  for (let i = 0; i < 50; i++) assert.equal((await hog.raw.reply()).error, 0);
  assert.equal(processor.outstandingBytes, 0);
});

test('beyond so many requests in work only connections without one are read', async (t) => {
  const { disk, client, processor, settled } = await scene(t, { globalOutstandingLimit: 10 });
  const hog = await client('/hog');
  const quiet = await client('/quiet');
  const idle = await client('/idle');
  disk.hold();
  for (let i = 0; i < 100; i++) hog.set(SMALL);
  assert.equal(await settled(10, idle.raw), 10);
  for (let i = 0; i < 5; i++) quiet.set(SMALL);
  assert.equal(await settled(11, idle.raw), 11);
  disk.release();
  for (let i = 0; i < 100; i++) assert.equal((await hog.raw.reply()).error, 0);
  for (let i = 0; i < 5; i++) assert.equal((await quiet.raw.reply()).error, 0);
  assert.deepEqual([processor.outstanding, processor.outstandingBytes, processor.busyClients], [0, 0, 0]);
});

test('a connection that ends with requests in work leaves nothing behind that counts', async (t) => {
  const { disk, client, processor, settled } = await scene(t);
  const hog = await client('/hog');
  const idle = await client('/idle');
  disk.hold();
  for (let i = 0; i < 5; i++) hog.set(LARGE);
  await settled(5, idle.raw);
  hog.raw.socket.destroy();
  await until(() => processor.busyClients === 0);
  assert.deepEqual([processor.outstanding, processor.outstandingBytes], [0, 0]);
  idle.set(SMALL);
  disk.release();
  assert.equal((await idle.raw.reply()).error, 0);
  assert.deepEqual([processor.outstanding, processor.outstandingBytes, processor.busyClients], [0, 0, 0]);
});

test('who leaves too many replies unread that later writes of its own push out is let go; who leaves a few is not', async (t) => {
  const { disk, client, port, settled } = await scene(t);
  port.mostUnread = 16_000_000;
  const hog = await client('/hog');
  const patient = await client('/patient');
  const idle = await client('/idle');
  idle.set('x'.repeat(1_000_000));
  assert.equal((await idle.raw.reply()).error, 0);
  const askFor = ({ raw, set }: typeof hog, replies: number) => {
    raw.socket.pause();
    set(SMALL);
    for (let i = 0; i < replies; i++) {
      raw.send(OpCode.getData, (w) => w.string('/idle').bool(false));
      set(SMALL);
    }
  };
  disk.hold();
  askFor(patient, 3);
  askFor(hog, 60);
  await settled(4 + 61, idle.raw);
  disk.release();
  await until(() => port.connections.size === 2);
  patient.raw.socket.resume();
  for (let i = 0; i < 7; i++) assert.equal((await patient.raw.reply()).error, 0);
  hog.raw.socket.resume();
  await until(() => hog.raw.ended);
  assert.equal(port.slow.size, 0);
});

test('who leaves too many notifications unread, beside others who do, is let go; who leaves a few is not', async (t) => {
  const { client, port } = await scene(t);
  port.mostUnread = 16_000_000;
  const writer = await client('/writer');
  const patient = await client('/patient');
  const hogs = [await client('/hog1'), await client('/hog2'), await client('/hog3')];
  const watch = async ({ raw }: typeof patient, path: string) => {
    await raw.request(OpCode.addWatch, (w) => w.string(path).int(0));
    raw.socket.pause();
  };
  const name = `/${'n'.repeat(200_000)}`;
  await writer.raw.create(name);
  await watch(patient, '/patient');
  for (const hog of hogs) await watch(hog, name);
  for (let i = 0; i < 200; i++) {
    writer.raw.send(OpCode.setData, (w) => w.string(name).buffer(null).int(-1));
    assert.equal((await writer.raw.reply()).error, 0);
  }
  await until(() => port.connections.size < 5);
  assert.ok(port.unsentOfSlow() < port.mostUnread);
  assert.equal(patient.raw.ended, false);
});

test('who has one list of children after the other pushed out by a later write, and reads none, is let go', async (t) => {
  const { disk, client, port, settled } = await scene(t);
  const hog = await client('/hog');
  const idle = await client('/idle');
  for (let i = 0; i < 10; i++) assert.equal((await idle.raw.create(`/idle/${i}${'n'.repeat(1_000_000)}`)).error, 0);
  hog.raw.socket.pause();
  const list = (): number => hog.raw.send(OpCode.getChildren, (w) => w.string('/idle').bool(false));
  disk.hold();
  hog.set(SMALL);
  for (let i = 0; i < 20; i++) list();
  hog.set(SMALL);
  await settled(22, idle.raw);
  const lists = t.mock.method(port.tree.store, 'hold');
  disk.release();
  await until(() => port.connections.size === 1);
  assert.ok(lists.mock.callCount() < 10, `${lists.mock.callCount()} lists of 20`);
});
