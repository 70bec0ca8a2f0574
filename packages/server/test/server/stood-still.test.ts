// A server whose process stood still: who has shown a sign of life meanwhile is not dead, and who has not is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { RawClient, serve } from './raw-client.js';

/** Stops this thread, and with it the server in it, as SIGSTOP would. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a session whose sign of life waits to be read when the server wakes up lives on, a silent one expires', async (t) => {
  const { server, clientPort } = await serve(t, { tickTime: 500 });
  const silent = await RawClient.open(t, clientPort, { timeout: 1000 });
  await silent.create('/silent', '', 1);
  const alive = await RawClient.open(t, clientPort, { timeout: 1000 });
  await alive.create('/alive', '', 1);
  assert.equal(alive.timeout, 1000);
  alive.send(OpCode.ping);
  standStill(2500);
  assert.equal((await alive.reply()).error, 0);
  const pinging = setInterval(() => alive.send(OpCode.ping, undefined, -2), 50);
  t.after(() => clearInterval(pinging));
  await silent.closed();
  assert.equal(alive.ended, false);
  assert.equal(server.database.sessionTimeouts.has(silent.id), false);
  assert.equal(server.database.sessionTimeouts.has(alive.id), true);
});
