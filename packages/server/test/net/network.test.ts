// Node's own network: ports that are given back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type Connection, nodeNetwork } from '../../dist/net/network.js';

for (const forTls of [false, true]) {
  test(`a port that is closed twice is closed both times, once its last connection has ended (for TLS: ${forTls})`, async () => {
    const accepted: Connection[] = [];
    const listener = await nodeNetwork.listen({ port: 0, host: '127.0.0.1', forTls }, (one) => accepted.push(one));
    const client = connect({ port: listener.port, host: '127.0.0.1' });
    client.write('x');
    await once(client, 'connect');
    while (accepted.length === 0) await new Promise((resolve) => setImmediate(resolve));
    let closed = 0;
    const closing = [listener.close(), listener.close()].map((one) => one.then(() => closed++));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(closed, 0);
    accepted[0]?.destroy();
    await Promise.all(closing);
    client.destroy();
  });
}
