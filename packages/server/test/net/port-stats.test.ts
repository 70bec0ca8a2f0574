// What a client port counts, with the numbers of Apache's server 3.8.0.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import { RawClient, serve } from '../server/raw-client.js';

test('connects that the throttle refuses are not counted as requests, and unknown schemes not as failed', async (t) => {
  const settings = { connection_throttle_tokens: 1, connection_throttle_fill_time: 1_000_000 };
  const { clientPort, server } = await serve(t, settings);
  const client = await RawClient.open(t, clientPort);
  assert.equal(await (await RawClient.plain(t, clientPort)).handshake(), false);
  assert.equal(server.port.stats.connectionRequests, 1);
  const { error } = await client.request(OpCode.auth, (w) => w.int(0).string('unknown').buffer(Buffer.from('x')));
  assert.equal(error, ErrorCode.AuthFailed);
  assert.equal(server.port.stats.authFailed, 0);
});
