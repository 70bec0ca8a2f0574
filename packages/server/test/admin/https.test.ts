// The admin server and the metrics over HTTPS: who comes in, and what a port takes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get as httpGet, type IncomingHttpHeaders } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startAdminPorts } from '../../dist/admin/admin-server.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { ConfigError, loadConfig } from '../../dist/config/index.js';
import { silentLogger } from '../../dist/log.js';
import { serve } from '../server/raw-client.js';
import { FakeView } from './fake-view.js';

const FIXTURES = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
const at = (file: string): string => join(FIXTURES, file);
const ca = readFileSync(at('ca.pem'));
const own = readFileSync(at('client.pem'));
const QUORUM_STORES = {
  'ssl.quorum.keyStore.location': at('server.pem'),
  'ssl.quorum.trustStore.location': at('ca.pem'),
};
const METRICS = {
  'admin.enableServer': false,
  'metricsProvider.className': 'org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider',
  'metricsProvider.httpHost': '127.0.0.1',
  'metricsProvider.ssl.keyStore.location': at('server.pem'),
  'metricsProvider.ssl.trustStore.location': at('ca.pem'),
};

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The ports that a configuration opens, and what was warned of. */
async function ports(t: TestContext, options: Record<string, string | number | boolean>) {
  const all = { 'admin.serverAddress': '127.0.0.1', 'admin.serverPort': 0, ...options };
  const config = loadConfig({ flags: Object.entries(all).map(([key, value]) => `${key}=${value}`) });
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => warnings.push(message) };
  const started = await startAdminPorts(new FakeView(), config, logger);
  t.after(() => Promise.all(started.map((one) => one.close())));
  return { ports: started.map(({ url }) => Number(new URL(url).port)), warnings };
}

async function answer(request: ReturnType<typeof httpGet>): Promise<Answer> {
  const [response] = await once(request, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

const secure = (port: number, path: string, certificate?: Buffer, headers = {}): Promise<Answer> => {
  const mine = certificate === undefined ? {} : { key: certificate, cert: certificate };
  const to = { host: '127.0.0.1', servername: 'localhost', port, path, headers };
  return answer(httpsGet({ ...to, ca, agent: false, ...mine }));
};
const plain = (port: number, path: string): Promise<Answer> =>
  answer(httpGet({ host: '127.0.0.1', port, path, agent: false }));

test('with admin.forceHttps commands are answered over TLS alone', async (t) => {
  const { ports: found, warnings } = await ports(t, { ...QUORUM_STORES, 'admin.forceHttps': true });
  const [port = 0] = found;
  const reply = await secure(port, '/commands/ruok');
  assert.equal(reply.status, 200);
  assert.match(reply.body, /"command" : "ruok"/);
  assert.match(String(reply.headers['strict-transport-security']), /max-age=86400/);
  await assert.rejects(plain(port, '/commands/ruok'));
  assert.ok(warnings.some((warning) => /a connection to the admin server is refused/.test(warning)));
});

test('connections that do not shake hands leave room for those who do', async (t) => {
  const { ports: found } = await ports(t, { ...QUORUM_STORES, 'admin.forceHttps': true });
  const [port = 0] = found;
  for (let i = 0; i < 120; i++) {
    const silent = connect(port, '127.0.0.1').on('error', () => {});
    t.after(() => silent.destroy());
    await once(silent, 'connect');
  }
  assert.equal((await secure(port, '/health')).status, 200);
});

test('with admin.portUnification one port takes both', async (t) => {
  const { ports: found } = await ports(t, { ...QUORUM_STORES, 'admin.portUnification': true });
  const [port = 0] = found;
  assert.equal((await secure(port, '/commands/ruok')).status, 200);
  const reply = await plain(port, '/commands/ruok');
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['strict-transport-security'], undefined);
});

test('with admin.needClientAuth a certificate is needed', async (t) => {
  const options = { ...QUORUM_STORES, 'admin.forceHttps': true, 'admin.needClientAuth': true };
  const { ports: found } = await ports(t, options);
  const [port = 0] = found;
  await assert.rejects(secure(port, '/commands/ruok'));
  await assert.rejects(secure(port, '/commands/ruok', readFileSync(at('stranger.pem'))));
  assert.equal((await secure(port, '/commands/ruok', own)).status, 200);
});

test('credentials of scheme x509 are those of the certificate', async (t) => {
  const { server } = await serve(t, {});
  const status = async (needClientAuth: boolean, certificate: Buffer | undefined): Promise<number> => {
    const options = { ...QUORUM_STORES, 'admin.forceHttps': true, 'admin.needClientAuth': needClientAuth };
    const all = { 'admin.serverAddress': '127.0.0.1', 'admin.serverPort': 0, ...options };
    const config = loadConfig({ flags: Object.entries(all).map(([key, value]) => `${key}=${value}`) });
    const [admin] = await startAdminPorts(viewOf(server), config, silentLogger);
    assert.ok(admin);
    try {
      const path = '/commands/snapshot?streaming=false';
      const headers = { authorization: 'x509 ' };
      return (await secure(Number(new URL(admin.url).port), path, certificate, headers)).status;
    } finally {
      await admin.close();
    }
  };
  assert.equal(await status(true, own), 200);
  assert.equal(await status(false, own), 401, 'nobody asked for it');
});

test('stores that cannot be read are told, and nothing is opened', async (t) => {
  const stores = { ...QUORUM_STORES, 'ssl.quorum.keyStore.location': at('no-such.pem') };
  const { ports: found, warnings } = await ports(t, { ...stores, 'admin.forceHttps': true });
  assert.deepEqual(found, []);
  assert.match(warnings[0] ?? '', /no-such\.pem.*Clients are served all the same/);
});

test('metrics are served over HTTPS, to those with a certificate unless it is not asked for', async (t) => {
  const { ports: found } = await ports(t, { ...METRICS, 'metricsProvider.httpsPort': 0 });
  assert.equal(found.length, 1, 'no HTTP beside it');
  await assert.rejects(secure(found[0] ?? 0, '/metrics'));
  assert.match((await secure(found[0] ?? 0, '/metrics', own)).body, /^znode_count 11$/m);
  const open = await ports(t, {
    ...METRICS,
    'metricsProvider.httpsPort': 0,
    'metricsProvider.ssl.need.client.auth': false,
    'metricsProvider.ssl.want.client.auth': false,
  });
  assert.equal((await secure(open.ports[0] ?? 0, '/metrics')).status, 200);
});

test('metrics at the same port for HTTP and HTTPS', async (t) => {
  const options = { ...METRICS, 'metricsProvider.ssl.want.client.auth': false, 'metricsProvider.httpPort': 0 };
  const { ports: found } = await ports(t, {
    ...options,
    'metricsProvider.ssl.need.client.auth': false,
    'metricsProvider.httpsPort': 0,
  });
  assert.equal(found.length, 1);
  assert.equal((await plain(found[0] ?? 0, '/metrics')).status, 200);
  assert.equal((await secure(found[0] ?? 0, '/metrics')).status, 200);
});

test('what is missing for HTTPS stops the start', () => {
  const load = (...flags: string[]) => loadConfig({ flags });
  const needs = (pattern: RegExp) => (e: unknown) => e instanceof ConfigError && pattern.test(e.message);
  assert.throws(() => load('admin.forceHttps=true'), needs(/HTTPS of the admin server needs ssl\.quorum\.keyStore/));
  assert.throws(
    () => load('admin.forceHttps=true', 'admin.needClientAuth=true', 'ssl.quorum.keyStore.location=k'),
    needs(/admin\.needClientAuth=true needs ssl\.quorum\.trustStore/),
  );
  assert.throws(
    () => load('metricsProvider.className=PrometheusMetricsProvider', 'metricsProvider.httpsPort=1'),
    needs(/metrics over HTTPS needs metricsProvider\.ssl\.keyStore/),
  );
  assert.equal(load('admin.forceHttps=true', 'admin.enableServer=false').admin.https, undefined);
});

test('who resets a connection before its first byte, on a port that takes either, does no harm', async (t) => {
  const { ports: found } = await ports(t, { ...QUORUM_STORES, 'admin.portUnification': true });
  const [port = 0] = found;
  for (let i = 0; i < 20; i++) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.resetAndDestroy();
    await once(socket, 'close');
  }
  assert.equal((await plain(port, '/commands/ruok')).status, 200);
});
