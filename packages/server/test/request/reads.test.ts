// Replies to reads, as far as they could take more than there is: what is not sent is not made either.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, JuteWriter, OpCode } from '@nodekeeper/protocol';
import type { Client } from '../../dist/request/client.js';
import { Reads } from '../../dist/request/reads.js';
import { REPLY_HEAD, ReplyBuffer } from '../../dist/request/reply-buffer.js';
import { Harness } from '../tree/harness.js';

const AUTH = { skipAcl: false, digestEnabled: true, extraSchemes: new Set<string>(), anySaslUser: undefined };

/** Answers a request from the tree; returns what was written to. */
function answered(h: Harness, op: number, body: (w: JuteWriter) => void): ReplyBuffer {
  const w = new JuteWriter();
  body(w);
  const out = new ReplyBuffer(1024);
  const client = { output: () => out } as unknown as Client;
  new Reads(h.tree, AUTH, true, 1 << 20).answer(client, [], 1, op, w.bytes(), 0, w.pos);
  return out;
}

test('of a multiRead, a list that is more than there is room for is not written to begin with', () => {
  const h = new Harness();
  h.create('/p');
  for (let i = 0; i < 36; i++) assert.equal(h.create(`/p/${String(i).padStart(1_900_000, 'x')}`), 0);
  const reply = answered(h, OpCode.multiRead, (w) =>
    w.int(OpCode.getChildren).bool(false).int(-1).string('/p').bool(false).int(-1).bool(true).int(-1),
  );
  assert.equal(reply.buf.readInt32BE(REPLY_HEAD - 4), ErrorCode.MarshallingError);
  assert.equal(reply.capacity, 1024);
});
