import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type AdminSettings, createAdminApp, startAdminPorts } from '../../dist/admin/admin-server.js';
import type { CommandLimits } from '../../dist/admin/commands.js';
import { holdPorts } from '../../dist/admin/held-port.js';
import { createRegistry } from '../../dist/admin/prometheus.js';
import { RateLimit } from '../../dist/admin/rate-limit.js';
import { withoutSecrets } from '../../dist/admin/system-properties.js';
import { silentLogger } from '../../dist/log.js';
import { until } from '../server/until.js';
import { A, afterReset, connection, FakeView, recorded } from './fake-view.js';

interface Clock {
  now: number;
}

function limits(clock: Clock, options: { enabled?: boolean } = {}): CommandLimits {
  const enabled = options.enabled ?? true;
  const rate = (): RateLimit => new RateLimit(1000, () => clock.now);
  return { snapshotEnabled: enabled, restoreEnabled: enabled, snapshotRate: rate(), restoreRate: rate() };
}

const HTTP = { commandUrl: '/commands', idleTimeout: 30_000, forwardedFor: false, https: undefined };

function appOf(t: TestContext, view: FakeView, with_ = limits({ now: 0 }), url = '/commands', more = {}) {
  const app = createAdminApp(
    view,
    createRegistry(view, false),
    { ...HTTP, commandUrl: url, ...more },
    with_,
    silentLogger,
  );
  t.after(() => app.close());
  return app;
}

/** The recorded server had its counts reset by the words recorded before. */
function recordedState(path: string): FakeView {
  const view = new FakeView();
  view.table = view.table.map(afterReset);
  Object.assign(view.now, {
    packetsReceived: 7,
    packetsSent: 6,
    avgLatency: 0,
    maxLatency: 0,
    connections: 2,
    lastResponseSize: -1,
    minResponseSize: -1,
    maxResponseSize: -1,
    uptime: Number(/"uptime" : (\d+)/.exec(recorded.http[path] ?? '')?.[1] ?? 0),
  });
  return view;
}

for (const path of Object.keys(recorded.http)) {
  if (path === '/commands/monitor') continue; // see below
  test(`GET ${path} answers byte for byte what Apache's server answers`, async (t) => {
    const reply = await appOf(t, recordedState(path)).inject(path);
    assert.equal(reply.statusCode, 200);
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.equal(reply.body, recorded.http[path]);
  });
}

test('GET /commands/monitor has the keys of the Apache server, with doubles where it has them', async (t) => {
  const reply = await appOf(t, new FakeView()).inject('/commands/mntr');
  const shape = (body: string): string[] =>
    [...body.matchAll(/^ {2}"(.*?)" : (.*?),?$/gm)]
      .filter(([, key]) => !/_per_namespace|restore_|snapshot_(error|rate)/.test(key ?? ''))
      .map(
        ([, key, value = '']) => `${key} ${value.startsWith('"') ? 'text' : value.includes('.') ? 'double' : 'whole'}`,
      )
      .sort();
  assert.deepEqual(shape(reply.body), shape(recorded.http['/commands/monitor'] ?? ''));
});

test('system_properties has the lines of zoo.cfg that are properties in Apache’s server, but no passwords', async (t) => {
  const view = new FakeView();
  const lines = [
    'quorum.auth.enableSasl=true',
    'ssl.keyStore.location=/k',
    'ssl.keyStore.password=p',
    'server.1=h:1:2',
  ];
  view.conf = {
    ...view.conf,
    text: `${view.conf.text}${lines.join('\n')}\nDigestAuthenticationProvider.superDigest=super:x`,
  };
  const told = (await appOf(t, view).inject('/commands/sysp')).json();
  assert.deepEqual(
    Object.entries(told).filter(([name]) => name.startsWith('zookeeper.')),
    [
      ['zookeeper.4lw.commands.whitelist', '*'],
      ['zookeeper.admin.serverAddress', '127.0.0.1'],
      ['zookeeper.admin.serverPort', '3341'],
      ['zookeeper.extendedTypesEnabled', 'true'],
      ['zookeeper.ssl.keyStore.location', '/k'],
    ],
  );
});

test('the list links every command under its primary name', async (t) => {
  const app = appOf(t, new FakeView());
  for (const path of ['/commands', '/commands/']) {
    const reply = await app.inject(path);
    assert.equal(reply.statusCode, 200);
    const names = [...reply.body.matchAll(/^<a href="\/commands\/(\w+)">(\w+)<\/a>\n<br\/>\n/gm)].map(
      (m) => m[1] ?? '',
    );
    assert.equal(names.length, 28);
    assert.deepEqual(names, [...names].sort());
    assert.ok(names.includes('snapshot') && names.includes('restore') && names.includes('zabstate'));
  }
});

test('admin.commandURL moves the commands', async (t) => {
  const app = appOf(t, new FakeView(), undefined, '/zk/');
  assert.match((await app.inject('/zk/ruok')).body, /"command" : "ruok"/);
  assert.match((await app.inject('/zk')).body, /href="\/zk\/ruok"/);
  assert.equal((await app.inject('/commands/ruok')).statusCode, 404);
});

test('an admin.commandURL without a name has the commands at the top, beside what else is there', async (t) => {
  for (const url of ['', '/']) {
    const app = appOf(t, new FakeView(), undefined, url);
    assert.match((await app.inject('/ruok')).body, /"command" : "ruok"/);
    assert.match((await app.inject('/')).body, /href="\/ruok"/);
    assert.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 405);
    assert.equal((await app.inject('/health')).json().healthy, true);
  }
});

test('resets reach the server, by GET as in Apache', async (t) => {
  const view = new FakeView();
  const app = appOf(t, view);
  assert.equal(
    (await app.inject('/commands/crst')).body,
    '{\n  "command" : "connection_stat_reset",\n  "error" : null\n}',
  );
  assert.equal((await app.inject('/commands/srst')).body, '{\n  "command" : "stat_reset",\n  "error" : null\n}');
  assert.deepEqual(view.calls, ['resetConnectionStats', 'resetStats']);
});

test('a mask is taken only if it is a 64-bit number', async (t) => {
  const view = new FakeView();
  const app = appOf(t, view);
  for (const bad of ['', '1.5', '0x10', '9223372036854775808', '1e3']) {
    assert.match((await app.inject(`/commands/stmk?traceMask=${bad}`)).body, /"error" : "setTraceMask requires/, bad);
  }
  assert.equal(view.traceMask, 306n);
  await app.inject('/commands/stmk?traceMask=-9223372036854775808');
  assert.equal(view.traceMask, -(2n ** 63n));
  await app.inject('/commands/stmk?traceMask=%2B7&traceMask=8');
  assert.equal(view.traceMask, 7n);
});

test('a server that does not serve says so, except to commands that need none', async (t) => {
  const view = new FakeView();
  view.serving = false;
  const app = appOf(t, view);
  const reply = await app.inject('/commands/srvr');
  assert.equal(reply.statusCode, 200);
  assert.equal(
    reply.body,
    '{\n  "command" : "srvr",\n  "error" : "This ZooKeeper instance is not currently serving requests"\n}',
  );
  assert.match((await app.inject('/commands/env')).body, /"error" : null/);
  assert.match((await app.inject('/commands/zabstate')).body, /"error" : null/);
});

test('other methods than GET are refused; HEAD and OPTIONS are answered', async (t) => {
  const app = appOf(t, new FakeView());
  for (const method of ['POST', 'PUT', 'DELETE'] as const) {
    for (const url of ['/commands/ruok', '/commands/nosuch', '/commands']) {
      const reply = await app.inject({ method, url, payload: '{}', headers: { 'content-type': 'application/json' } });
      assert.equal(reply.statusCode, 405, `${method} ${url}`);
      assert.match(reply.body, new RegExp(`HTTP method ${method} is not supported by this URL`));
    }
  }
  assert.equal((await app.inject({ method: 'GET', url: '/commands/restore' })).statusCode, 405);
  const head = await app.inject({ method: 'HEAD', url: '/commands/ruok' });
  assert.deepEqual([head.statusCode, head.body], [200, '']);
  assert.equal((await app.inject({ method: 'OPTIONS', url: '/commands/ruok' })).statusCode, 200);
});

test('an unknown page is told as one, with nothing of the URL unescaped', async (t) => {
  const reply = await appOf(t, new FakeView()).inject('/<script>');
  assert.equal(reply.statusCode, 404);
  assert.match(String(reply.headers['content-type']), /^text\/html/);
  assert.doesNotMatch(reply.body, /<script>/);
});

test('a command that fails gives a page with status 500, and is logged', async (t) => {
  const view = new FakeView();
  view.dirSizes = () => {
    throw new Error('no such directory');
  };
  const errors: object[] = [];
  const logger = { ...silentLogger, error: (fields: object) => errors.push(fields) };
  const app = createAdminApp(view, createRegistry(view, false), HTTP, limits({ now: 0 }), logger);
  t.after(() => app.close());
  assert.equal((await app.inject('/commands/dirs')).statusCode, 500);
  assert.equal(errors.length, 1);
});

test('tables of any size arrive whole', async (t) => {
  const view = new FakeView();
  view.watched = Array.from({ length: 50_000 }, (_, i) => [`/watched/path-${i}`, [A]]);
  view.table = Array.from({ length: 10_000 }, (_, i) => connection(i + 1, 1, 0));
  const app = appOf(t, view);
  const byPath = (await app.inject('/commands/wchp')).json() as { path_to_session_ids: object; error: null };
  assert.equal(Object.keys(byPath.path_to_session_ids).length, 50_000);
  assert.equal(byPath.error, null);
  const bySession = (await app.inject('/commands/wchc')).json() as {
    session_id_to_watched_paths: Record<string, string[]>;
  };
  assert.equal(bySession.session_id_to_watched_paths[String(A)]?.length, 50_000);
  assert.equal(((await app.inject('/commands/cons')).json() as { connections: [] }).connections.length, 10_000);
});

test('few answers that keep large tables are made at a time, and who does not read one in time is cut off', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const view = new FakeView();
  view.watched = Array.from({ length: 200_000 }, (_, i) => [`/watched/path-${i}`.padEnd(100, 'x'), [A]]);
  const [admin] = await startAdminPorts(view, settings({}), silentLogger);
  assert.ok(admin);
  t.after(() => admin.close());
  const { port, hostname: host } = new URL(admin.url);
  const slow = [];
  for (let i = 0; i < 2; i++) {
    const socket = connect({ port: Number(port), host });
    t.after(() => socket.destroy());
    socket.write('GET /commands/wchp HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    slow.push(socket.pause());
  }
  const status = async (command: string) => (await fetch(`${admin.url}/commands/${command}`)).status;
  assert.equal(await status('dump'), 429);
  assert.equal(await status('ruok'), 200);
  t.mock.timers.tick(60_000);
  for (const socket of slow) await once(socket.resume(), 'close');
  assert.equal(await status('dump'), 200);
});

test('lists of connections that nobody reads leave room for those who ask', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const view = new FakeView();
  view.table = Array.from({ length: 20_000 }, (_, i) => connection(i + 1, 1, 0));
  const [admin] = await startAdminPorts(view, settings({}), silentLogger);
  assert.ok(admin);
  t.after(() => admin.close());
  const { port, hostname: host } = new URL(admin.url);
  const unread: Socket[] = [];
  for (let i = 0; i < 100; i++) {
    const socket = connect({ port: Number(port), host });
    t.after(() => socket.destroy());
    socket.write('GET /commands/connections HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    unread.push(socket.pause());
  }
  const asked = await fetch(`${admin.url}/health`);
  assert.equal(asked.status, 200);
  assert.equal((await fetch(`${admin.url}/commands/stats`)).status, 429);
  t.mock.timers.tick(60_000);
  await Promise.all(unread.slice(0, 10).map((socket) => once(socket.resume(), 'close')));
  assert.equal((await fetch(`${admin.url}/commands/stats`)).status, 200);
});

// ---- snapshot and restore ----

const AUTH = { authorization: 'digest super:secret' };

function withSnapshot(): FakeView {
  const view = new FakeView();
  view.snapshot = async () => ({ zxid: 0x2a, size: 5, open: () => Readable.from([Buffer.from('bytes')]) });
  return view;
}

test('a snapshot is streamed with its zxid and size', async (t) => {
  const view = withSnapshot();
  const reply = await appOf(t, view).inject({ url: '/commands/snapshot', headers: AUTH });
  assert.equal(reply.statusCode, 200);
  assert.equal(reply.headers['content-type'], 'application/octet-stream');
  assert.equal(reply.headers.last_zxid, '0x2a');
  assert.equal(reply.headers.snapshot_size, '5');
  assert.equal(reply.body, 'bytes');
  assert.deepEqual(view.calls, ['authorize digest super:secret from 127.0.0.1']);
});

test('behind a proxy, what it says is where a request comes from', async (t) => {
  const view = withSnapshot();
  const headers = { ...AUTH, 'x-forwarded-for': '6.6.6.6, 10.1.2.3' };
  const behind = appOf(t, view, limits({ now: 0 }), '/commands', { forwardedFor: true });
  await behind.inject({ url: '/commands/snapshot', headers });
  await appOf(t, view).inject({ url: '/commands/snapshot', headers });
  assert.deepEqual(view.calls, [
    'authorize digest super:secret from 10.1.2.3', // what the client itself may have written stands before it
    'authorize digest super:secret from 127.0.0.1',
  ]);
});

test('with streaming=false the snapshot is only taken', async (t) => {
  const reply = await appOf(t, withSnapshot()).inject({ url: '/commands/snap?streaming=false', headers: AUTH });
  assert.equal(reply.body, '{\n  "command" : "snapshot",\n  "error" : null\n}');
  assert.equal(reply.headers.last_zxid, '0x2a');
});

test('snapshot and restore want credentials that have all permissions on the root', async (t) => {
  const view = withSnapshot();
  view.restore = async () => assert.fail('restored without permission');
  const app = appOf(t, view);
  const both = [
    { method: 'GET', url: '/commands/snapshot' },
    { method: 'POST', url: '/commands/restore', payload: 'x' },
  ] as const;
  for (const request of both) {
    const name = request.url.slice('/commands/'.length);
    const expect = async (headers: Record<string, string>, status: number, error: string): Promise<void> => {
      const reply = await app.inject({
        ...request,
        headers: { ...headers, 'content-type': 'application/octet-stream' },
      });
      assert.equal(reply.statusCode, status);
      assert.equal(reply.body, `{\n  "command" : "${name}",\n  "error" : "${error}"\n}`);
    };
    await expect({}, 401, 'Auth info is missing for the command');
    view.authorization = 'not authenticated';
    await expect(AUTH, 401, 'Not authenticated');
    view.authorization = 'not authorized';
    await expect(AUTH, 403, 'Not authorized');
  }
});

test('snapshots are limited in rate', async (t) => {
  const clock = { now: 0 };
  const view = withSnapshot();
  const app = appOf(t, view, limits(clock));
  const get = async () => (await app.inject({ url: '/commands/snapshot', headers: AUTH })).statusCode;
  assert.equal(await get(), 200);
  clock.now = 999;
  view.calls = [];
  assert.equal(await get(), 429);
  assert.deepEqual(view.calls.slice(1), ['snapshotRateLimited']);
  clock.now = 1000;
  assert.equal(await get(), 200);
});

test('what is switched off, or what the server cannot do, is not available', async (t) => {
  const off = appOf(t, withSnapshot(), limits({ now: 0 }, { enabled: false }));
  assert.equal((await off.inject({ url: '/commands/snapshot', headers: AUTH })).statusCode, 503);
  const without = appOf(t, new FakeView());
  assert.equal((await without.inject({ url: '/commands/snapshot', headers: AUTH })).statusCode, 503);
  const restore = { method: 'POST', url: '/commands/restore', headers: AUTH, payload: 'x' } as const;
  const refused = await without.inject(restore);
  assert.equal(refused.statusCode, 503);
  assert.match(refused.json().error, /member of an ensemble/);
  const mute = withSnapshot();
  mute.snapshotsTellZxid = false;
  mute.restore = async () => assert.fail('restored');
  assert.equal((await appOf(t, mute).inject({ url: '/commands/snapshot', headers: AUTH })).statusCode, 500);
  assert.equal((await appOf(t, mute).inject(restore)).statusCode, 500);
});

test('a snapshot that fails gives status 500', async (t) => {
  const view = new FakeView();
  view.snapshot = async () => {
    throw new Error('disk full');
  };
  const reply = await appOf(t, view).inject({ url: '/commands/snapshot', headers: AUTH });
  assert.equal(reply.statusCode, 500);
  assert.equal(reply.json().error, 'disk full');
  assert.deepEqual(view.calls.slice(1), ['snapshotFailed']);
});

test('restore hands over the body as it comes and tells the zxid', async (t) => {
  const view = new FakeView();
  view.restore = async (body) => (Buffer.concat(await body.toArray()).toString() === 'snapshot bytes' ? 0x99 : 0);
  const clock = { now: 0 };
  const app = appOf(t, view, limits(clock));
  const post = () =>
    app.inject({
      method: 'POST',
      url: '/commands/restore',
      headers: { ...AUTH, 'content-type': 'application/octet-stream' },
      payload: Buffer.from('snapshot bytes'),
    });
  assert.equal((await post()).body, '{\n  "last_zxid" : 153,\n  "command" : "restore",\n  "error" : null\n}');
  assert.equal((await post()).statusCode, 429);
  assert.equal(view.calls.at(-1), 'restoreRateLimited');
  view.restore = async () => {
    throw new Error('not a snapshot');
  };
  clock.now = 1000;
  assert.equal((await post()).statusCode, 500);
  assert.equal(view.calls.at(-1), 'restoreFailed');
});

// ---- probes, metrics, ports ----

test('readiness follows the server, health does not', async (t) => {
  const view = new FakeView();
  const app = appOf(t, view);
  assert.deepEqual((await app.inject('/ready')).json(), { ready: true, reason: null });
  view.notReady = 'no leader';
  const reply = await app.inject('/ready');
  assert.equal(reply.statusCode, 503);
  assert.deepEqual(reply.json(), { ready: false, reason: 'no leader' });
  assert.equal((await app.inject('/health')).statusCode, 200);
});

test('metrics are at the admin port too', async (t) => {
  const reply = await appOf(t, new FakeView()).inject('/metrics');
  assert.match(String(reply.headers['content-type']), /^text\/plain; version=0\.0\.4/);
  assert.match(reply.body, /^znode_count 11$/m);
});

test('metrics are chosen by the names of their samples, and asked for by POST, too', async (t) => {
  const app = appOf(t, new FakeView());
  const ask = async (method: 'GET' | 'POST', query: string): Promise<string> => {
    const { statusCode, body } = await app.inject({
      method,
      url: `/metrics${query}`,
      payload: method === 'POST' ? 'x' : '',
    });
    assert.equal(statusCode, 200);
    return body;
  };
  const all = await ask('GET', '');
  assert.match(all, /^dbinittime\{quantile="0\.5"\} NaN$/m);
  assert.doesNotMatch(all, /Nan/);
  assert.equal(await ask('POST', ''), all);
  assert.equal(
    await ask('POST', '?name[]=znode_count&name%5B%5D=dbinittime_sum'),
    '# HELP znode_count znode_count\n# TYPE znode_count gauge\nznode_count 11\n\n# HELP dbinittime dbinittime\n# TYPE dbinittime summary\ndbinittime_sum 0\n',
  );
  assert.equal(await ask('GET', '?name[]=nothing'), '');
});

function settings(admin: Partial<AdminSettings['admin']>, prometheus?: AdminSettings['prometheus']): AdminSettings {
  const all = {
    enabled: true,
    address: '127.0.0.1',
    port: 0,
    commandUrl: '/commands',
    idleTimeout: 1000,
    snapshotEnabled: true,
    restoreEnabled: true,
    rateLimiterInterval: 300_000,
    forwardedFor: false,
    https: undefined,
  };
  return { admin: { ...all, ...admin }, prometheus };
}

test('a port that is taken is told with the keys that move it, and the other one is opened', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => warnings.push(message) };
  const started = await startAdminPorts(
    new FakeView(),
    settings({ port }, { host: '127.0.0.1', port: 0, https: undefined, exportProcess: false }),
    logger,
  );
  t.after(() => Promise.all(started.map((one) => one.close())));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /EADDRINUSE.*admin\.serverPort.*admin\.enableServer/);
  assert.equal(started.length, 1);
  const url = started[0]?.url;
  assert.match(await (await fetch(`${url}/metrics`)).text(), /^znode_count 11$/m);
  assert.equal((await fetch(`${url}/commands/ruok`)).status, 404);
});

test('a port is open before there is what serves it: who comes early is answered', async (t) => {
  const asked = settings({}, { host: '127.0.0.1', port: 0, https: undefined, exportProcess: false });
  const held = holdPorts(asked);
  const { port } = (await held.admin?.listening) ?? { port: 0 };
  const early = fetch(`http://127.0.0.1:${port}/commands/ruok`);
  const gone = connect({ port, host: '127.0.0.1' });
  await once(gone, 'connect');
  gone.resetAndDestroy();
  const started = await startAdminPorts(new FakeView(), asked, silentLogger, held);
  t.after(() => Promise.all(started.map((one) => one.close())));
  assert.equal((await early).status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${port}/commands/ruok`)).status, 200);
  assert.equal((await fetch(`${started[1]?.url}/metrics`)).status, 200);
  await started[0]?.close();
  await assert.rejects(fetch(`http://127.0.0.1:${port}/commands/ruok`));
});

/** Opens connections to a port, one after the other. */
async function open(t: TestContext, count: number, port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    sockets.push(socket);
  }
  return sockets;
}

async function adminPort(t: TestContext, view: FakeView, idleTimeout: number): Promise<number> {
  const [admin] = await startAdminPorts(view, settings({ idleTimeout }), silentLogger);
  assert.ok(admin);
  t.after(() => admin.close());
  return Number(new URL(admin.url).port);
}

test('a port takes no more than some connections, so that files are left for what matters', async (t) => {
  const view = new FakeView();
  let asked = 0;
  view.whyNotReady = () => {
    asked++;
    return new Promise(() => {});
  };
  const port = await adminPort(t, view, 30_000);
  for (let i = 1; i <= 100; i++) {
    const [socket] = await open(t, 1, port);
    socket?.write('GET /ready HTTP/1.1\r\nHost: x\r\n\r\n');
    if (i % 25 === 0) await until(() => asked === i);
  }
  const [more] = await open(t, 1, port);
  assert.ok(more);
  await once(more.resume(), 'close');
});

test('connections without a request end after admin.idleTimeout', async (t) => {
  const port = await adminPort(t, new FakeView(), 20);
  const [silent] = await open(t, 1, port);
  assert.ok(silent);
  await once(silent.resume(), 'close');
});

test('of many connections without a request the oldest make room for those who ask', async (t) => {
  const port = await adminPort(t, new FakeView(), 30_000);
  const sockets = await open(t, 120, port);
  for (const socket of sockets) socket.resume();
  await until(() => sockets.slice(0, 70).every(({ closed }) => closed));
  const last = sockets.at(-1);
  assert.ok(last);
  last.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(String(await once(last, 'data')), /healthy/);
});

test('requests that come in one write begin one by one, with other work between them', async (t) => {
  const view = new FakeView();
  const [admin] = await startAdminPorts(view, settings({}), silentLogger);
  assert.ok(admin);
  t.after(() => admin.close());
  let turn = 0;
  let ticking = setImmediate(function tick() {
    turn++;
    ticking = setImmediate(tick);
  });
  t.after(() => clearImmediate(ticking));
  const turns: number[] = [];
  view.dirSizes = () => {
    turns.push(turn);
    return { snapshots: 1, logs: 2 };
  };
  const { port, hostname: host } = new URL(admin.url);
  const send = (requests: number, last: string) => {
    const socket = connect({ port: Number(port), host });
    const one = (more: string): string => `GET /commands/dirs HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    socket.write(one('').repeat(requests - 1) + one(last));
    return socket.setEncoding('utf8');
  };
  let answers = '';
  for await (const text of send(10, 'Connection: close\r\n')) answers += text;
  assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 10);
  assert.equal(new Set(turns).size, 10);
  turns.length = 0;
  await once(send(500, '').resume(), 'close');
  assert.deepEqual(turns, [], 'who asks for more at once is not answered');
});

test('nothing is opened that is switched off', async () => {
  assert.deepEqual(await startAdminPorts(new FakeView(), settings({ enabled: false }), silentLogger), []);
});

test('closing does not wait for clients that keep their connection', { timeout: 5000 }, async () => {
  const [port] = await startAdminPorts(new FakeView(), settings({ idleTimeout: 60_000 }), silentLogger);
  assert.ok(port);
  await (await fetch(`${port.url}/commands/ruok`)).text();
  await port.close();
});

test('the configuration is shown as it was written, but for passwords', () => {
  const text =
    'dataDir=/d\nssl.keyStore.password = a\\\n  b\nssl.keyStore.passwordPath=/p\n#superDigest\nsuperDigest:x:y\n';
  const shown =
    'dataDir=/d\nssl.keyStore.password =********\nssl.keyStore.passwordPath=/p\n#superDigest\nsuperDigest:********\n';
  assert.equal(withoutSecrets(text), shown);
});
