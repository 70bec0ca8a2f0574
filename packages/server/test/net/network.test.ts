// Node's own network: ports that are given back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { type Connection, nodeNetwork } from '../../dist/net/network.js';
import { hintsOfLookups } from './lookups.js';

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

test('names are looked up for dialling as for listening, whatever addresses the machine has', async (t) => {
  const listener = await nodeNetwork.listen({ port: 0, host: 'localhost' }, (one) => one.destroy());
  t.after(() => listener.close());
  const hints = hintsOfLookups(t);
  const client = nodeNetwork.connect('localhost', listener.port);
  await once(client as unknown as Socket, 'connect');
  client.destroy();
  assert.deepEqual(hints, [0], 'not dns.ADDRCONFIG, which leaves out 127.0.0.1 where there is no other IPv4 address');
});

const LISTENER = `
  import { closeSync, openSync } from 'node:fs';
  import { nodeNetwork } from ${JSON.stringify(new URL('../../dist/net/network.js', import.meta.url).href)};
  const refused = [];
  const { port } = await nodeNetwork.listen(
    { port: 0, host: '127.0.0.1', forTls: process.argv[1] === 'tls' },
    (one) => one.on('data', () => {}),
    (error) => refused.push(error.message),
  );
  process.stdin.on('data', () => {
    for (let i = 0; i < 8; i++) openSync('/dev/null', 'r');
    process.stdout.write(refused.length + ' ' + [...new Set(refused)] + '\\n');
  });
  process.stdout.write(port + '\\n');
`;

for (const kind of ['plain', 'tls'])
  test(`connections leave some files for the log to be opened, however many come (${kind})`, async (t) => {
    const script = [
      '-c',
      'ulimit -n 100 && exec "$@"',
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      LISTENER,
      kind,
    ];
    const child = spawn('/bin/sh', script, { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const port = Number((await lines.next()).value);
    const clients: Socket[] = [];
    t.after(() => {
      for (const one of clients) one.destroy();
    });
    const closed = new Set<Socket>();
    for (let i = 0; i < 120; i++) {
      const one = connect({ port, host: '127.0.0.1' });
      one.on('error', () => {});
      one.on('close', () => closed.add(one));
      clients.push(one);
      await Promise.race([once(one, 'connect'), once(one, 'close')]);
    }
    for (let i = 0; closed.size < 20 && i < 100_000; i++) await new Promise((resolve) => setImmediate(resolve));
    child.stdin.write('x');
    const told = String((await lines.next()).value);
    assert.match(told, /^\d+ too many connections and files are open: it is closed$/);
    assert.ok(closed.size < 100, `${closed.size} of 120 connections were refused`);
  });
