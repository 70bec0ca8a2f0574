// Clients over TLS: who comes in, what their certificate makes of them, and new certificates while the server runs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { ErrorCode, OpCode, readAclList, writeAclList } from '@nodekeeper/protocol';
import { ConfigError, loadConfig } from '../../dist/config/index.js';
import { isDistinguishedName } from '../../dist/request/distinguished-name.js';
import { startServer } from '../../dist/start.js';
import { dataDir, RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const at = (file: string): string => join(FIXTURES, file);
const TLS = {
  secureClientPort: 0,
  secureClientPortAddress: '127.0.0.1',
  'ssl.keyStore.location': at('server.pem'),
  'ssl.trustStore.location': at('ca.pem'),
};
const ca = readFileSync(at('ca.pem'));
/** A client's side of the handshake. */
const as = (name: string): ConnectionOptions => {
  const pem = readFileSync(at(`${name}.pem`));
  return { ca, key: pem, cert: pem };
};
const DN = 'CN=client,OU=a+OU=b,O=Test\\, Inc.,C=DE';

/** Resolves once the server has ended the connection; a refused certificate is told only after the handshake in TLS 1.3. */
async function turnedAway(t: TestContext, port: number, options: ConnectionOptions): Promise<void> {
  const client = await RawClient.secure(t, port, options).catch(() => undefined);
  assert.ok(client === undefined || !(await client.handshake()), 'no session is given');
}

async function createWith(client: RawClient, path: string, scheme: string, id: string): Promise<number> {
  const reply = await client.request(OpCode.create, (w) => {
    w.string(path).buffer(Buffer.from('x'));
    writeAclList(w, [{ perms: 31, scheme, id }]);
    w.int(0);
  });
  return reply.error;
}

test('a client with a trusted certificate has a session and its subject as identity', async (t) => {
  const { secureClientPort, server } = await serve(t, TLS);
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  assert.equal(await client.handshake(), true);
  assert.equal(await createWith(client, '/mine', 'auth', ''), 0);
  const acl = (await client.request(OpCode.getACL, (w) => w.string('/mine'))).body;
  assert.deepEqual(readAclList(acl), [{ perms: 31, scheme: 'x509', id: DN }]);
  assert.equal(await client.getData('/mine'), 'x');
  const other = await RawClient.secure(t, secureClientPort, as('odd'));
  await other.handshake();
  const refused = await other.request(OpCode.getData, (w) => w.string('/mine').bool(false));
  assert.equal(refused.error, ErrorCode.NoAuth);
  assert.equal(await createWith(other, '/theirs', 'x509', DN), 0);
  assert.equal(await createWith(other, '/nobody', 'x509', 'not a name'), ErrorCode.InvalidAcl);
  assert.equal(await client.getData('/theirs'), 'x');
  const again = await client.request(OpCode.auth, (w) => w.int(0).string('x509').buffer(null));
  assert.equal(again.error, 0);
  assert.equal(
    [...server.port.connections].every((c) => c.secure),
    true,
  );
});

test('large requests and replies, many at once, pass through TLS whole', async (t) => {
  const { secureClientPort } = await serve(t, TLS);
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  await client.handshake();
  const data = 'abcdefgh'.repeat(100_000);
  assert.equal((await client.create('/big', data)).error, 0);
  for (let i = 0; i < 20; i++) client.send(OpCode.getData, (w) => w.string('/big').bool(false));
  for (let i = 0; i < 20; i++) assert.equal((await client.reply()).body.buffer()?.toString(), data);
});

test('without a certificate, or with one of an unknown authority, nobody comes in', async (t) => {
  const { secureClientPort, server } = await serve(t, TLS);
  await turnedAway(t, secureClientPort, { ca });
  await turnedAway(t, secureClientPort, as('stranger'));
  await turnedAway(t, secureClientPort, { ...as('client'), maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' });
  assert.equal(server.port.stats.handshakesFailed, 3);
  assert.equal(server.port.stats.authFailed, 3);
  assert.equal(server.port.connections.size, 0);
});

test('who leaves within the handshake is told of by his address, once', async (t) => {
  const told: object[] = [];
  const logger = {
    info: () => {},
    warn: (fields: object, message: string) => void (message.startsWith('connection refused') && told.push(fields)),
    error: () => {},
  };
  const { secureClientPort, server } = await serve(t, TLS, { logger });
  const left = await RawClient.plain(t, secureClientPort);
  await until(() => server.port.handshakes === 1);
  left.socket.destroy();
  const silent = await RawClient.plain(t, secureClientPort);
  await until(() => server.port.handshakes === 1 && told.length > 0);
  silent.socket.end();
  await until(() => server.port.stats.handshakesFailed === 2);
  await turnedAway(t, secureClientPort, { ca }); // what Node tells of the others has come by then
  assert.equal(server.port.stats.handshakesFailed, 3);
  const client = '127.0.0.1';
  assert.deepEqual(told, [{ client }, { client }]); // for another reason, the second
  await server.close();
  assert.deepEqual(told.slice(2), [{ client, times: 1 }]);
});

test('refused connections without end do not fill the log', async (t) => {
  const told: string[] = [];
  const logger = {
    info: () => {},
    warn: (fields: object, message: string) => void told.push(`${JSON.stringify(fields)} ${message}`),
    error: () => {},
  };
  const { secureClientPort, clientPort, server } = await serve(t, TLS, { logger });
  for (let i = 0; i < 30; i++) await turnedAway(t, secureClientPort, { ca });
  for (let i = 0; i < 30; i++) {
    const client = await RawClient.plain(t, clientPort);
    client.socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff])); // no frame has that length
    await once(client.socket, 'close');
  }
  assert.equal(told.length, 2);
  await server.close();
  assert.match(String(told[2]), /"times":29\} connection refused: no TLS: the client has no certificate \(again\)$/);
  assert.match(String(told[3]), /"times":29\} connection closed: .* \(again\)$/);
  assert.equal(told.length, 4);
});

test('certificates that all have one name are told apart by who signed them', async (t) => {
  const { secureClientPort, server } = await serve(t, { ...TLS, 'ssl.trustStore.location': at('same-ca.pem') });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await RawClient.secure(t, secureClientPort, { ...as('same-client'), maxVersion });
    assert.equal(await client.handshake(), true);
    assert.equal(await createWith(client, `/${maxVersion}`, 'x509', 'CN=one name for all,O=Test'), 0);
    assert.equal(await client.getData(`/${maxVersion}`), 'x');
    for (const wrong of ['same-stranger', 'same-expired', 'same-server-only', 'client'])
      await turnedAway(t, secureClientPort, { ...as(wrong), maxVersion });
  }
  assert.equal(server.port.stats.handshakesFailed, 8);
  assert.equal(server.port.connections.size, 2);
});

test('a certificate that is itself in the trust store is trusted, though it has expired', async (t) => {
  const { secureClientPort } = await serve(t, { ...TLS, 'ssl.trustStore.location': at('same-expired.pem') });
  const client = await RawClient.secure(t, secureClientPort, as('same-expired'));
  assert.equal(await client.handshake(), true);
  await turnedAway(t, secureClientPort, as('same-client'));
});

test('named suites without one of TLS 1.3 shut that out', async (t) => {
  const { secureClientPort } = await serve(t, {
    ...TLS,
    'ssl.ciphersuites': 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  });
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  assert.equal(await client.handshake(), true);
  const other = { ...as('client'), ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' };
  await assert.rejects(RawClient.secure(t, secureClientPort, other));
  await assert.rejects(RawClient.secure(t, secureClientPort, { ...as('client'), minVersion: 'TLSv1.3' }));
  const alone = { 'ssl.enabledProtocols': 'TLSv1.3', 'ssl.ciphersuites': 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384' };
  await assert.rejects(serve(t, { ...TLS, ...alone }), /TLS cannot be offered/);
});

test('plain bytes on the TLS port are turned away, and the port goes on', async (t) => {
  const { secureClientPort } = await serve(t, TLS);
  const plain = await RawClient.plain(t, secureClientPort);
  assert.equal(await plain.handshake(), false);
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  assert.equal(await client.handshake(), true);
});

test('ssl.clientAuth=want takes clients without a certificate, but not with a strange one', async (t) => {
  const { secureClientPort } = await serve(t, { ...TLS, 'ssl.clientAuth': 'WANT' });
  const client = await RawClient.secure(t, secureClientPort, { ca });
  assert.equal(await client.handshake(), true);
  assert.equal(await createWith(client, '/mine', 'auth', ''), ErrorCode.InvalidAcl);
  const auth = await client.request(OpCode.auth, (w) => w.int(0).string('x509').buffer(null));
  assert.equal(auth.error, ErrorCode.AuthFailed);
  const known = await RawClient.secure(t, secureClientPort, as('client'));
  await known.handshake();
  assert.equal(await createWith(known, '/mine', 'auth', ''), 0);
  await turnedAway(t, secureClientPort, as('stranger'));
});

test('ssl.clientAuth=none needs no trust store and asks for nothing', async (t) => {
  const { secureClientPort } = await serve(t, {
    secureClientPort: 0,
    secureClientPortAddress: '127.0.0.1',
    'ssl.clientAuth': 'none',
    'ssl.keyStore.location': at('server.p12'),
    'ssl.keyStore.password': 'secret',
  });
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  assert.equal(await client.handshake(), true);
  assert.equal(await createWith(client, '/mine', 'auth', ''), ErrorCode.InvalidAcl);
});

test('a required scheme can be x509: a plain client is closed', async (t) => {
  const { secureClientPort, clientPort } = await serve(t, {
    ...TLS,
    'enforce.auth.enabled': true,
    'enforce.auth.schemes': 'x509',
  });
  const secure = await RawClient.secure(t, secureClientPort, as('client'));
  await secure.handshake();
  assert.equal((await secure.create('/a')).error, 0);
  const plain = await RawClient.open(t, clientPort);
  assert.equal((await plain.create('/b')).error, ErrorCode.SessionClosedRequireSaslAuth);
});

test('the certificate of X509AuthenticationProvider.superUser may do everything', async (t) => {
  const { secureClientPort } = await serve(t, { ...TLS, 'X509AuthenticationProvider.superUser': DN });
  const owner = await RawClient.secure(t, secureClientPort, as('odd'));
  await owner.handshake();
  assert.equal(await createWith(owner, '/locked', 'auth', ''), 0);
  const root = await RawClient.secure(t, secureClientPort, as('client'));
  await root.handshake();
  assert.equal(await root.getData('/locked'), 'x');
});

test('one port can take both, told apart by the first byte', async (t) => {
  const { clientPort, server } = await serve(t, {
    'ssl.keyStore.location': at('server.pem'),
    'ssl.trustStore.location': at('trust.p12'),
    'ssl.trustStore.password': 'secret',
    'client.portUnification': true,
    maxClientCnxns: 2,
  });
  const plain = await RawClient.open(t, clientPort);
  assert.equal((await plain.create('/p')).error, 0);
  const secure = await RawClient.secure(t, clientPort, as('client'));
  await secure.handshake();
  assert.equal(await createWith(secure, '/s', 'auth', ''), 0);
  assert.equal((await plain.request(OpCode.getData, (w) => w.string('/s').bool(false))).error, ErrorCode.NoAuth);
  assert.deepEqual([...server.port.connections].map((c) => c.secure).sort(), [false, true]);
  // A third is one too many; a place is free once one has gone.
  const third = await RawClient.plain(t, clientPort);
  await third.closed();
  secure.socket.destroy();
  while (server.port.connections.size > 1) await plain.ping();
  const fourth = await RawClient.secure(t, clientPort, as('client'));
  assert.equal(await fourth.handshake(), true);
});

test('who says nothing on such a port is closed, and a silent one does not keep the server from stopping', async (t) => {
  const running = await serve(t, {
    'ssl.keyStore.location': at('server.pem'),
    'ssl.trustStore.location': at('ca.pem'),
    'client.portUnification': true,
    'nio.sessionlessCnxnTimeout': 50,
    ...{ secureClientPort: 0, secureClientPortAddress: '127.0.0.1' },
  });
  for (const port of [running.clientPort, running.secureClientPort]) {
    const silent = connectPlain(port, '127.0.0.1');
    silent.on('error', () => {});
    silent.resume();
    await once(silent, 'close');
  }
  const late = [running.clientPort, running.secureClientPort].map((port) => connectPlain(port, '127.0.0.1'));
  for (const socket of late) {
    socket.on('error', () => {});
    await once(socket, 'connect');
  }
  await running.close();
});

test('handshakes under way can be limited', async (t) => {
  const { secureClientPort, server } = await serve(t, { ...TLS, 'netty.server.outstandingHandshake.limit': 1 });
  const slow = connectPlain(secureClientPort, '127.0.0.1');
  await once(slow, 'connect');
  await turnedAway(t, secureClientPort, as('client'));
  assert.equal(server.port.stats.handshakesRefused, 1);
  slow.destroy();
  while (server.port.handshakes > 0) await new Promise(setImmediate);
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  assert.equal(await client.handshake(), true);
});

test('clients from one port to two addresses of the server are told apart', { timeout: 30_000 }, async (t) => {
  const { secureClientPort: port } = await serve(t, { ...TLS, secureClientPortAddress: '0.0.0.0' });
  const first = connectPlain({ port, host: '127.0.0.1', localAddress: '127.0.0.1' });
  await once(first, 'connect');
  const second = connectPlain({ port, host: '127.0.0.2', localAddress: '127.0.0.1', localPort: first.localPort ?? 0 });
  await once(second, 'connect');
  // Both handshakes are under way at the same moment.
  const clients = await Promise.all(
    [first, second].map((socket) => RawClient.secure(t, port, { ...as('client'), socket })),
  );
  for (const client of clients) assert.equal(await client.handshake(), true);
});

test('protocols and cipher suites are those of the options', async (t) => {
  const { secureClientPort } = await serve(t, {
    ...TLS,
    'ssl.enabledProtocols': 'TLSv1.2',
    'ssl.ciphersuites': 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  });
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  const socket = client.socket as TLSSocket;
  assert.equal(socket.getProtocol(), 'TLSv1.2');
  assert.equal(socket.getCipher().standardName, 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384');
  await turnedAway(t, secureClientPort, { ...as('client'), minVersion: 'TLSv1.3' });
  await assert.rejects(serve(t, { ...TLS, 'ssl.ciphersuites': 'TLS_NONE_SUCH' }), /no cipher suite TLS_NONE_SUCH/);
});

test('a certificate can be held to the address it comes from', async (t) => {
  const { secureClientPort } = await serve(t, { ...TLS, 'ssl.clientHostnameVerification': true });
  const client = await RawClient.secure(t, secureClientPort, as('client'));
  assert.equal(await client.handshake(), true);
  await turnedAway(t, secureClientPort, as('odd'));
});

test('new certificates are used once their file changes; half a file changes nothing', async (t) => {
  const keyStore = join(dataDir(t), 'server.pem');
  copyFileSync(at('server.pem'), keyStore);
  let told: (message: string) => void = () => {};
  const next = (): Promise<string> => new Promise((resolve) => (told = resolve));
  const logger = {
    info: (_: object, message: string) => void (message.startsWith('certificates') && told(message)),
    warn: () => {},
    error: (_: object, message: string) => told(message),
  };
  const settings = { ...TLS, 'ssl.keyStore.location': keyStore, 'client.certReload': true };
  const { secureClientPort } = await serve(t, settings, { logger });
  const subject = async (): Promise<string> => {
    const client = await RawClient.secure(t, secureClientPort, as('client'));
    assert.equal(await client.handshake(), true);
    return String((client.socket as TLSSocket).getPeerCertificate().subject.CN);
  };
  assert.equal(await subject(), 'localhost');
  const failed = next();
  await (await import('node:fs/promises')).writeFile(keyStore, readFileSync(at('server2.pem')).subarray(0, 200));
  assert.match(await failed, /the old ones stay/);
  assert.equal(await subject(), 'localhost');
  const reloaded = next();
  copyFileSync(at('server2.pem'), keyStore);
  assert.match(await reloaded, /read again/);
  assert.equal(await subject(), 'renewed');
});

test('a client port is not needed beside one with TLS', async (t) => {
  const flags = Object.entries({ ...TLS, dataDir: dataDir(t), 'admin.enableServer': false });
  const config = loadConfig({ flags: flags.map(([key, value]) => `${key}=${value}`) });
  assert.equal(config.clientPort, undefined);
  assert.deepEqual(config.warnings, []);
  const running = await startServer(config);
  try {
    assert.equal(running.clientPort, -1);
    const client = await RawClient.secure(t, running.secureClientPort, as('client'));
    assert.equal(await client.handshake(), true);
  } finally {
    await running.close();
  }
});

// What Java's X500Principal makes of each.
for (const [name, valid] of [
  ['', true],
  ['CN=a', true],
  ['cn = a , O = b', true],
  ['CN=', true],
  ['CN=a;O=b', true],
  ['CN=a+OU=b', true],
  ['CN=a=b', true],
  ['CN=a#b', true],
  ['CN="a,b"', true],
  ['CN=\\ Zoë\\\\\\+\\ ,UID=u\\#1', true],
  ['1.2.840.113549.1.9.1=#16056140622e63', true],
  ['OID.1.2.3=x', true],
  ['emailAddress=a@b.c', true],
  [' ', false],
  ['a', false],
  ['FOO=1', false],
  ['CN=a,', false],
  ['CN=a,,O=b', false],
  ['CN=a+', false],
  ['CN=#zz', false],
  ['CN=#', false],
  ['CN=a<b', false],
  ['CN=a"b', false],
  ['CN=a\\', false],
  ['CN=\\zz', false],
] as const) {
  test(`'${name}' is ${valid ? 'a' : 'no'} distinguished name`, () => assert.equal(isDistinguishedName(name), valid));
}

for (const [settings, said] of [
  [{ 'ssl.keyStore.location': undefined }, /needs ssl\.keyStore\.location/],
  [{ 'ssl.trustStore.location': undefined }, /ssl\.clientAuth=need needs ssl\.trustStore\.location/],
  [{ 'ssl.clientAuth': 'maybe' }, /'none', 'want', 'need'/],
  [{ 'ssl.keyStore.type': 'BCFKS' }, /BCFKS files are not read.*keytool -importkeystore/],
  [{ 'ssl.keyStore.type': 'ZIP' }, /one of 'PEM', 'PKCS12'/],
  [{ 'ssl.enabledProtocols': 'TLSv1.1' }, /only TLSv1\.2 and TLSv1\.3/],
  [{ 'ssl.crl': true }, /revoked/],
  [{ 'ssl.context.supplier.class': 'a.B' }, /Java class/],
  [{ 'ssl.authProvider': 'mine' }, /no provider of that name/],
] as const) {
  test(`TLS that cannot work stops the start: ${Object.entries(settings)[0]?.join('=')}`, () => {
    const flags = Object.entries({ ...TLS, dataDir: '/d', ...settings })
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${value}`);
    assert.throws(
      () => loadConfig({ flags }),
      (e) => e instanceof ConfigError && said.test(e.message),
    );
  });
}
