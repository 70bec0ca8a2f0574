// TLS: the server must be the one that is meant; the client can show a certificate of its own.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import { connect } from '../dist/index.js';
import { atEnd, begin, open, serve } from './support.js';

const pem = (name: string): Buffer => readFileSync(new URL(`../test/fixtures/tls/${name}.pem`, import.meta.url));
const ca = pem('ca');

/** A TLS port in front of a server. Returns the port, and who has shown a certificate. */
async function tlsFront(t: TestContext, requestCert = false): Promise<{ port: number; names: (string | undefined)[] }> {
  const { clientPort } = await serve(t);
  const names: (string | undefined)[] = [];
  const front = createServer({ key: pem('server'), cert: pem('server'), ca, requestCert }, (socket: TLSSocket) => {
    names.push(socket.getPeerCertificate().subject?.CN?.toString());
    const server = connectTcp({ port: clientPort, host: '127.0.0.1' });
    socket.on('error', () => server.destroy());
    server.on('error', () => socket.destroy());
    socket.pipe(server).pipe(socket);
    atEnd(t, () => socket.destroy());
  });
  front.on('tlsClientError', () => {});
  front.listen(0, '127.0.0.1');
  await once(front, 'listening');
  atEnd(t, () => front.close());
  return { port: (front.address() as { port: number }).port, names };
}

test('a server with a certificate of the given authority is talked to', async (t) => {
  const { port } = await tlsFront(t);
  const client = await open(t, `127.0.0.1:${port}`, { tls: { ca } });
  await client.create('/a', { data: Buffer.alloc(500_000, 1) });
  assert.equal((await client.getData('/a')).data?.length, 500_000);
});

test('the certificate must name the host of the connection string', async (t) => {
  const { port } = await tlsFront(t);
  const resolver = { lookup: async () => ['127.0.0.1'], resolveSrv: async () => [] };
  await open(t, `localhost:${port}`, { tls: { ca }, resolver });
  const other = begin(t, `elsewhere.test:${port}`, { tls: { ca }, resolver });
  await assert.rejects(other.connected({ timeout: 3000 }), { message: /elsewhere\.test/ });
});

test('a certificate of nobody in particular is refused', async (t) => {
  const { port } = await tlsFront(t);
  const client = begin(t, `127.0.0.1:${port}`, { tls: true });
  await assert.rejects(client.connected({ timeout: 3000 }), { codeName: 'OperationTimeout', message: /certificate/ });
});

test('a key that is not that of the certificate is told at once', async () => {
  const tls = { ca, key: pem('server'), cert: pem('client') };
  await assert.rejects(connect('127.0.0.1:1', { tls }), { name: 'TypeError', message: /tls: .*key values mismatch/ });
});

test('the client shows its certificate', async (t) => {
  const { port, names } = await tlsFront(t, true);
  await open(t, port, { tls: { ca, key: pem('client'), cert: pem('client') } });
  assert.deepEqual(names, ['client.test']);
});
