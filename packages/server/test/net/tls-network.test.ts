// Connections between servers over TLS: who comes through, by which names, and which ports take plain ones too.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { lookupService } from 'node:dns/promises';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ConfigError, loadConfig } from '../../dist/config/index.js';
import { type Connection, nodeNetwork } from '../../dist/net/network.js';
import { namesHost } from '../../dist/net/tls/host-name.js';
import { TlsError } from '../../dist/net/tls/key-store.js';
import { TlsNetwork, type TlsNetworkSettings } from '../../dist/net/tls/tls-network.js';
import { nodeRuntime } from '../../dist/runtime.js';
import { dataDir } from '../server/raw-client.js';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const at = (file: string): string => join(FIXTURES, file);
const ENSEMBLE = {
  'server.1': '127.0.0.1:1:2',
  'server.2': '127.0.0.1:3:4',
  'server.3': '127.0.0.1:5:6',
  initLimit: 10,
  syncLimit: 5,
};
const TLS = {
  sslQuorum: true,
  'ssl.quorum.keyStore.location': at('server.pem'),
  'ssl.quorum.trustStore.location': at('ca.pem'),
};

function load(options: Record<string, string | number | boolean>): TlsNetworkSettings | undefined {
  const flags = Object.entries({ ...ENSEMBLE, ...options }).map(([key, value]) => `${key}=${value}`);
  return loadConfig({ flags }).quorumTls;
}

interface Side {
  readonly network: TlsNetwork;
  readonly refused: string[];
  readonly reloaded: string[];
}

function side(t: TestContext, options: Record<string, string | number | boolean> = {}): Side {
  const settings = load({ ...TLS, ...options });
  assert.ok(settings !== undefined);
  const refused: string[] = [];
  const reloaded: string[] = [];
  const network = new TlsNetwork(settings, nodeRuntime, {
    onRefused: (_address, reason) => refused.push(reason),
    onFailed: (_address, reason) => refused.push(reason),
    onReloaded: (path) => reloaded.push(path),
    onReloadFailed: (path) => reloaded.push(`not ${path}`),
  });
  t.after(() => network.close());
  return { network, refused, reloaded };
}

/** Listens, and sends back what comes. */
async function echo(t: TestContext, { network }: Side): Promise<number> {
  const accepted = new Set<Connection>();
  const listener = await network.listen({ port: 0, host: '127.0.0.1' }, (connection) => {
    accepted.add(connection);
    connection.on('data', (chunk) => connection.write(chunk));
    connection.on('end', () => connection.destroy());
    connection.on('error', () => {});
  });
  t.after(() => {
    for (const connection of accepted) connection.destroy();
    return listener.close();
  });
  return listener.port;
}

/** Says something once connected; resolves with the answer, or with why there is none. */
function say(t: TestContext, connection: Connection): Promise<string> {
  t.after(() => connection.destroy());
  return new Promise((resolve) => {
    connection.on('connect', () => connection.write(Buffer.from('hello')));
    connection.on('data', (chunk) => resolve(chunk.toString()));
    connection.on('error', (error) => resolve(error.message));
    connection.on('close', () => resolve('closed'));
  });
}

test('servers that trust each other talk, by name and by address', async (t) => {
  const one = side(t);
  const two = side(t, { 'ssl.quorum.keyStore.location': at('server.p12'), 'ssl.quorum.keyStore.password': 'secret' });
  const port = await echo(t, one);
  assert.equal(await say(t, two.network.connect('127.0.0.1', port)), 'hello');
  assert.equal(await say(t, two.network.connect('localhost', port, { keepAlive: true })), 'hello');
  assert.deepEqual(one.refused, []);
});

test('a dialled server must show a certificate of its address, from a known authority', async (t) => {
  const strict = side(t);
  const elsewhere = await echo(t, side(t, { 'ssl.quorum.keyStore.location': at('odd.pem') }));
  assert.match(await say(t, strict.network.connect('127.0.0.1', elsewhere)), /not for its address/);
  assert.match(await say(t, strict.network.connect('localhost', elsewhere)), /not for its address/);
  const lax = side(t, { 'ssl.quorum.hostnameVerification': false });
  assert.equal(await say(t, lax.network.connect('127.0.0.1', elsewhere)), 'hello');
  const stranger = await echo(t, side(t, { 'ssl.quorum.keyStore.location': at('stranger.pem') }));
  assert.notEqual(await say(t, lax.network.connect('127.0.0.1', stranger)), 'hello');
});

test('certificates that all have one name are told apart by who signed them', async (t) => {
  const trust = { 'ssl.quorum.trustStore.location': at('same-ca.pem'), 'ssl.quorum.hostnameVerification': false };
  const one = side(t, { ...trust, 'ssl.quorum.keyStore.location': at('same-client.pem') });
  assert.equal(await say(t, one.network.connect('127.0.0.1', await echo(t, one))), 'hello');
  for (const wrong of ['same-stranger', 'same-expired']) {
    const other = side(t, { ...trust, 'ssl.quorum.keyStore.location': at(`${wrong}.pem`) });
    assert.match(await say(t, one.network.connect('127.0.0.1', await echo(t, other))), /not trusted/);
    assert.notEqual(await say(t, other.network.connect('127.0.0.1', await echo(t, one))), 'hello');
  }
  assert.equal(one.refused.length, 2);
});

test('a server that dials must show such a certificate too', async (t) => {
  const strict = side(t, { 'ssl.quorum.allowReverseDnsLookup': false });
  const port = await echo(t, strict);
  const trusted = { 'ssl.quorum.hostnameVerification': false };
  const elsewhere = side(t, { ...trusted, 'ssl.quorum.keyStore.location': at('odd.pem') });
  assert.notEqual(await say(t, elsewhere.network.connect('127.0.0.1', port)), 'hello');
  assert.match(strict.refused[0] ?? '', /not for its address/);
  const stranger = side(t, { ...trusted, 'ssl.quorum.keyStore.location': at('stranger.pem') });
  assert.notEqual(await say(t, stranger.network.connect('127.0.0.1', port)), 'hello');
  assert.equal(strict.refused.length, 2);
  const lax = side(t, { 'ssl.quorum.clientHostnameVerification': false });
  assert.equal(await say(t, elsewhere.network.connect('127.0.0.1', await echo(t, lax))), 'hello');
  const open = side(t, { 'ssl.quorum.clientAuth': 'none' });
  assert.equal(await say(t, stranger.network.connect('127.0.0.1', await echo(t, open))), 'hello');
});

test('without portUnification nothing plain comes through, with it everything does', async (t) => {
  const port = await echo(t, side(t));
  assert.notEqual(await say(t, nodeNetwork.connect('127.0.0.1', port)), 'hello');
  const both = side(t, { portUnification: true });
  const open = await echo(t, both);
  assert.equal(await say(t, nodeNetwork.connect('127.0.0.1', open)), 'hello');
  assert.equal(await say(t, both.network.connect('127.0.0.1', open)), 'hello');
  const dialsPlain = side(t, { sslQuorum: false, portUnification: true });
  assert.equal(await say(t, dialsPlain.network.connect('127.0.0.1', open)), 'hello');
  assert.notEqual(await say(t, dialsPlain.network.connect('127.0.0.1', port)), 'hello');
});

test('a connection that says nothing is given up in time', async (t) => {
  const port = await echo(t, side(t, { 'ssl.quorum.handshakeDetectionTimeoutMillis': 50, portUnification: true }));
  const silent = connect(port, '127.0.0.1');
  t.after(() => silent.destroy());
  await once(silent, 'close');
});

test('where nobody listens, the error says so', async (t) => {
  const { network } = side(t);
  const listener = await nodeNetwork.listen({ port: 0, host: '127.0.0.1' }, () => {});
  await listener.close();
  const connection = network.connect('127.0.0.1', listener.port);
  const error = await new Promise<Error & { code?: string }>((resolve) => connection.on('error', resolve));
  assert.equal(error.code, 'ECONNREFUSED');
});

test('with sslQuorumReloadCertFiles new certificates count for listening and dialling', async (t) => {
  const file = join(dataDir(t), 'store.pem');
  copyFileSync(at('odd.pem'), file);
  const renewed = side(t, { sslQuorumReloadCertFiles: true, 'ssl.quorum.keyStore.location': file });
  const strict = side(t, { 'ssl.quorum.allowReverseDnsLookup': false });
  const port = await echo(t, renewed);
  assert.match(await say(t, strict.network.connect('127.0.0.1', port)), /not for its address/);
  copyFileSync(at('server2.pem'), file);
  while (renewed.reloaded.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(await say(t, strict.network.connect('127.0.0.1', port)), 'hello');
  assert.equal(await say(t, renewed.network.connect('127.0.0.1', await echo(t, strict))), 'hello');
});

test('options that cannot work stop the start and say why', () => {
  assert.equal(load({}), undefined);
  assert.equal(load({ ...TLS, sslQuorum: false }), undefined);
  const fails = (message: RegExp, options: Record<string, string | number | boolean>): void => {
    assert.throws(
      () => load(options),
      (error: Error) => error instanceof ConfigError && message.test(error.message),
    );
  };
  fails(/TLS between servers needs ssl\.quorum\.keyStore\.location/, { sslQuorum: true });
  fails(/needs ssl\.quorum\.trustStore\.location/, {
    sslQuorum: true,
    'ssl.quorum.keyStore.location': at('server.pem'),
  });
  fails(/ssl\.quorum\.clientAuth=maybe/, { ...TLS, 'ssl.quorum.clientAuth': 'maybe' });
  fails(/ssl\.quorum\.crl/, { ...TLS, 'ssl.quorum.ocsp': true });
  fails(/only TLSv1\.2 and TLSv1\.3/, { ...TLS, 'ssl.quorum.enabledProtocols': 'TLSv1.1' });
  const settings = load({ ...TLS, 'ssl.quorum.trustStore.location': at('server.jceks') });
  assert.ok(settings !== undefined);
  const hooks = { onRefused() {}, onFailed() {}, onReloaded() {}, onReloadFailed() {} };
  assert.throws(() => new TlsNetwork(settings, nodeRuntime, hooks), TlsError);
});

test('who resets a connection before its first byte, on a port that takes either, does no harm', async (t) => {
  const one = side(t, { sslQuorum: false, portUnification: true });
  const port = await echo(t, one);
  for (let i = 0; i < 20; i++) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.resetAndDestroy();
    await once(socket, 'close');
  }
  assert.equal(await say(t, nodeNetwork.connect('127.0.0.1', port)), 'hello');
});

test('a certificate is compared with the address of a peer that may be gone, or in a zone', async () => {
  const certificate = new X509Certificate(readFileSync(at('server.pem')));
  assert.equal(await namesHost(certificate, '127.0.0.1', false), true);
  assert.equal(await namesHost(certificate, '::ffff:127.0.0.1', false), true);
  assert.equal(await namesHost(certificate, undefined, false, 'localhost'), false);
  assert.equal(await namesHost(certificate, 'fe80::1%eth0', false), false);
});

test('the name that /etc/hosts has for the address of a peer counts as those of the DNS', async () => {
  const { hostname } = await lookupService('127.0.0.1', 0);
  const named = { checkIP: () => undefined, checkHost: (name: string) => (name === hostname ? name : undefined) };
  assert.equal(await namesHost(named as unknown as X509Certificate, '127.0.0.1', true), true);
  assert.equal(await namesHost(named as unknown as X509Certificate, '127.0.0.1', false), false);
});
