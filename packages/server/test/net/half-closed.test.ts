// A client that has said all it will say: what arrived before the end of its connection is done.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

const COUNT = 3000;

test('requests before the end are all done, the end of the session with them', async (t) => {
  const { clientPort, server } = await serve(t, { globalOutstandingLimit: 100 });
  const client = await RawClient.open(t, clientPort);
  client.socket.cork();
  for (let i = 0; i < COUNT; i++)
    client.send(OpCode.create, (w) => {
      writeAclList(w.string(`/n${i}`).buffer(null), OPEN_ACL_UNSAFE);
      w.int(0);
    });
  client.send(OpCode.closeSession);
  client.socket.uncork();
  client.socket.end();
  await until(() => server.database.sessionTimeouts.size === 0);
  assert.equal(server.database.tree.store.count - COUNT, 4, 'beside the four that are always there');
});

test('a client that sends everything at once, from its hello to its good-bye, is served', async (t) => {
  const { clientPort, server } = await serve(t);
  const frame = (body: (w: JuteWriter) => void): Buffer => {
    const w = new JuteWriter();
    body(w);
    const bytes = Buffer.from(w.buf.subarray(0, w.pos));
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const hello = frame((w) => w.int(0).long(0n).int(10_000).long(0n).buffer(Buffer.alloc(16)).bool(false));
  const create = frame((w) => {
    writeAclList(w.int(1).int(OpCode.create).string('/n').buffer(null), OPEN_ACL_UNSAFE);
    w.int(0);
  });
  const socket = connect(clientPort, '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.end(Buffer.concat([hello, create, frame((w) => w.int(2).int(OpCode.closeSession))]));
  await until(() => server.database.tree.store.findString('/n') !== 0 && server.database.sessionTimeouts.size === 0);
});
