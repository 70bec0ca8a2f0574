// Packets between leader and learner, against what real servers sent.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Acl, JuteWriter, writeAclList } from '@nodekeeper/protocol';
import { type Packet, PacketReader, PacketType, writePacket, writeRequest } from '../../dist/broadcast/packet.js';
import { SnapshotReceiver } from '../../dist/broadcast/snapshot-stream.js';
import { ReplyBuffer } from '../../dist/request/reply-buffer.js';

interface Captured {
  readonly name: string;
  readonly type: number;
  readonly hex: string;
}

const path = fileURLToPath(new URL('../../test/fixtures/learner-session.json', import.meta.url));
const { sessions } = JSON.parse(readFileSync(path, 'utf8')) as { sessions: { name: string; packets: Captured[] }[] };
const packets = sessions.flatMap((session) => session.packets);

function rewritten({ type, zxid, data, identities }: Packet): Buffer {
  const out = new ReplyBuffer(1024);
  if (type === PacketType.request && data !== null) {
    const begins = data.readInt32BE(12) === -10;
    writeRequest(
      out,
      data.readBigInt64BE(0),
      data.readInt32BE(8),
      data.readInt32BE(12),
      data.subarray(16),
      begins ? null : identities,
    );
  } else {
    writePacket(out, type, zxid, data);
  }
  return Buffer.from(out.buf.subarray(0, out.pos));
}

for (const { name, packets } of sessions) {
  test(`session ${name}: every packet is read, and written the same`, () => {
    for (const { hex, name: what, type } of packets) {
      if (type === PacketType.snap) continue;
      const bytes = Buffer.from(hex, 'hex');
      const seen: Buffer[] = [];
      const reader = new PacketReader(1 << 20, (packet) => seen.push(rewritten(packet)));
      reader.feed(bytes);
      assert.deepEqual(seen, [bytes], what);
    }
  });
}

test('of a request that is larger than is taken the head is read, and what follows it, wherever the stream is cut', () => {
  const out = new ReplyBuffer(1024);
  const identities = [{ scheme: 'digest', id: 'somebody' }];
  for (const length of [100, 3000, 0, 1001]) writeRequest(out, 7n, length, 1, Buffer.alloc(length, 0xff), identities);
  const all = out.buf.subarray(0, out.pos);
  for (const step of [1, 7, 64, 1000, all.length]) {
    const seen: number[][] = [];
    const reader = new PacketReader(1016, ({ type, data, identities: read, leftOut }) => {
      assert.deepEqual([type, read, data?.readBigInt64BE(0)], [PacketType.request, identities, 7n]);
      seen.push([data?.readInt32BE(8) ?? -1, data?.length ?? -1, leftOut]);
    });
    for (let at = 0; at < all.length; at += step) reader.feed(Buffer.from(all.subarray(at, at + step)));
    assert.deepEqual(
      seen,
      [
        [100, 116, 0],
        [3000, 16, 3000],
        [0, 16, 0],
        [1001, 16, 1001],
      ],
      `${step}`,
    );
  }
});

test('packets are read wherever the stream is cut', () => {
  const steady = packets.filter(({ type }) => type !== PacketType.snap).slice(0, 120);
  const all = Buffer.concat(steady.map(({ hex }) => Buffer.from(hex, 'hex')));
  for (const step of [1, 7, 64, 1000]) {
    const types: number[] = [];
    const reader = new PacketReader(1 << 20, (packet) => types.push(packet.type));
    for (let at = 0; at < all.length; at += step) reader.feed(all.subarray(at, at + step));
    assert.deepEqual(
      types,
      steady.map(({ type }) => type),
    );
  }
});

test('a snapshot body is loaded wherever it is cut, and what follows is left', () => {
  const snaps = packets.filter(({ type }) => type === PacketType.snap);
  assert.ok(snaps.length > 0);
  for (const { hex } of snaps) {
    const whole = Buffer.from(hex, 'hex');
    const body = Buffer.concat([whole.subarray(20), Buffer.from('next')]);
    const load = (step: number) => {
      const nodes: string[] = [];
      const sessions: bigint[] = [];
      const receiver = new SnapshotReceiver({
        session: (id) => sessions.push(id),
        acl: () => {},
        node: (buf, from, to) => nodes.push(buf.toString('utf8', from, to)),
      });
      for (let at = 0; at < body.length; at += step) {
        const end = Math.min(at + step, body.length);
        const done = receiver.feed(body, at, end);
        if (done >= 0) return { nodes, sessions, done };
      }
      throw new Error('the body does not end');
    };
    const once = load(body.length);
    assert.equal(once.done, body.length - 4);
    assert.ok(once.nodes.includes('/zookeeper/config'));
    for (const step of [1, 3, 100]) assert.deepEqual(load(step), once);
  }
});

test('a large item of a snapshot body costs no more the more pieces it comes in', () => {
  const acl = Array.from({ length: 30_000 }, (_, i) => ({
    perms: 31,
    scheme: 'digest',
    id: `user${i}`.padEnd(50, 'x'),
  }));
  const w = new JuteWriter().int(0).int(2).long53(1);
  writeAclList(w, acl);
  w.long53(2);
  writeAclList(w, acl.slice(0, 1));
  w.string('/n').buffer(Buffer.alloc(10_000_000, 'd'));
  const body = Buffer.concat([w.bytes(), Buffer.alloc(68), new JuteWriter().string('/').string('BenWasHere').bytes()]);
  const lists: (readonly Acl[])[] = [];
  let data = 0;
  const receiver = new SnapshotReceiver({
    session: () => {},
    acl: (_id, list) => lists.push(list),
    node: (_buf, _from, _to, start, end) => {
      data = end - start;
    },
  });
  const step = 16_384;
  let done = -1;
  const began = process.cpuUsage();
  for (let at = 0; at < body.length; at += step) done = receiver.feed(body, at, Math.min(at + step, body.length));
  assert.ok(process.cpuUsage(began).user < 5_000_000);
  assert.equal(done, body.length);
  assert.deepEqual(lists, [acl, acl.slice(0, 1)]);
  assert.equal(data, 10_000_000);
});

test('lengths that cannot be are refused', () => {
  const reader = new PacketReader(1000, () => {});
  const bytes = Buffer.alloc(40);
  bytes.writeInt32BE(PacketType.ack, 0);
  bytes.writeInt32BE(1001, 12);
  assert.throws(() => reader.feed(bytes));
});
