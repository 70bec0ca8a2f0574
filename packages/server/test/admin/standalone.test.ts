// Words and commands of a real server.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Acl, JuteWriter, OpCode, writeAclList } from '@nodekeeper/protocol';
import { startAdminPorts } from '../../dist/admin/admin-server.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { loadConfig, type RunningServer, startServer } from '../../dist/index.js';
import { silentLogger } from '../../dist/log.js';
import { digestId } from '../../dist/net/auth.js';
import { dataDir, RawClient, serve } from '../server/raw-client.js';
import { until } from '../server/until.js';

async function start(t: TestContext, ...flags: string[]): Promise<RunningServer> {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  const config = loadConfig({
    environment: {},
    flags: [`dataDir=${dir}`, 'clientPort=0', 'clientPortAddress=127.0.0.1', 'preAllocSize=64', ...flags],
  });
  const running = await startServer(config);
  t.after(async () => {
    await running.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return running;
}

/** Sends bytes and returns what comes until the server closes. The client does not close its side before. */
function ask(port: number, bytes: Buffer | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => {
      socket.destroy();
      resolve(text);
    });
    socket.on('error', reject);
  });
}

const NO_ADMIN = 'admin.enableServer=false';

test('words are answered on the client port, and the connection is closed', async (t) => {
  const { clientPort } = await start(t, NO_ADMIN, '4lw.commands.whitelist=*');
  assert.equal(await ask(clientPort, 'ruok'), 'imok');
  assert.equal(await ask(clientPort, 'ruok\n'), 'imok');
  assert.match(
    await ask(clientPort, 'srvr'),
    /^Zookeeper version: 3\.\d+\.\d+-nodekeeper-\S+, built on .*\nLatency min\/avg\/max: 0\/0\.0\/0\nReceived: 3\nSent: 2\nConnections: 1\nOutstanding: 0\nZxid: 0x0\nMode: standalone\nNode count: 5\n$/,
  );
  assert.match(
    await ask(clientPort, 'stat'),
    /Clients:\n \/127\.0\.0\.1:\d+\[0\]\(queued=0,recved=1,sent=0\)\n\nLatency/,
  );
  assert.match(await ask(clientPort, 'cons'), /^ \/127\.0\.0\.1:\d+\[0\]\(queued=0,recved=1,sent=0\)\n\n$/);
  assert.match(await ask(clientPort, 'conf'), new RegExp(`^clientPort=${clientPort}\nsecureClientPort=-1\ndataDir=`));
  assert.equal(await ask(clientPort, 'wchs'), '0 connections watching 0 paths\nTotal watches:0\n');
  assert.equal(await ask(clientPort, 'wchp'), '\n');
  assert.match(await ask(clientPort, 'mntr'), /^zk_version\t/);
  assert.match(
    await ask(clientPort, 'dump'),
    /^SessionTracker dump:\nSession Sets \(0\)\/\(0\):\nephemeral nodes dump:\n/,
  );
});

test('the uptime does not go by a clock that is set', async (t) => {
  const { server } = await start(t, NO_ADMIN);
  const yesterday = Date.now() - 86_400_000;
  t.mock.method(Date, 'now', () => yesterday);
  const { uptime } = viewOf(server).counts();
  assert.ok(uptime >= 0 && uptime < 60_000, String(uptime));
});

test('words without an answer are closed, and do not count as sent', async (t) => {
  const { clientPort, server } = await start(t, NO_ADMIN, '4lw.commands.whitelist=*');
  assert.equal(await ask(clientPort, 'stmkxxx'), '');
  const telnetClose = Buffer.from([0xff, 0xf4, 0xff, 0xfd]);
  assert.equal(await ask(clientPort, telnetClose), '');
  assert.equal(viewOf(server).counts().packetsSent, 0);
  assert.equal(await ask(clientPort, Buffer.concat([Buffer.from('stmk'), Buffer.alloc(7), Buffer.from([9])])), '9');
  assert.equal(await ask(clientPort, 'gtmk'), '9');
});

test('a server answers srvr alone unless told otherwise', async (t) => {
  const { clientPort } = await start(t, NO_ADMIN);
  assert.match(await ask(clientPort, 'srvr'), /^Zookeeper version/);
  assert.equal(await ask(clientPort, 'ruok'), 'ruok is not executed because it is not in the whitelist.\n');
});

test('a connection that asked a word is gone once it is answered, even if its client keeps it open', async (t) => {
  const { clientPort, server } = await start(t, NO_ADMIN, '4lw.commands.whitelist=*');
  for (const word of ['ruok', 'cons']) {
    const socket = await new Promise<Socket>((resolve) => {
      const s = connect({ port: clientPort, host: '127.0.0.1', allowHalfOpen: true }, () => s.write(word));
      s.resume();
      s.on('end', () => resolve(s));
    });
    // The server's side may close a turn after its last byte was sent.
    await until(() => server.port.connections.size === 0);
    socket.destroy();
  }
});

test('the admin server shows the same mask and counts as the words', async (t) => {
  const { clientPort, server } = await start(t, NO_ADMIN, '4lw.commands.whitelist=*');
  const admin = { ...server.config.admin, enabled: true, address: '127.0.0.1', port: 0 };
  const [port] = await startAdminPorts(viewOf(server), { admin, prometheus: undefined }, silentLogger);
  assert.ok(port);
  t.after(() => port.close());
  const get = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`${port.url}${path}`)).json()) as Record<string, unknown>;
  await get('/commands/stmk?traceMask=42');
  assert.equal(await ask(clientPort, 'gtmk'), '42');
  assert.equal((await get('/commands/monitor')).packets_received, 1);
  assert.equal((await get('/commands/configuration')).client_port, clientPort);
  let ready = await get('/ready');
  while (!ready.ready) ready = await get('/ready'); // within a second, if the machine gives it one
  assert.deepEqual(ready, { ready: true, reason: null });
  assert.match(await (await fetch(`${port.url}/metrics`)).text(), /^znode_count 5$/m);
});

/** Opens a session and sends one request; resolves with the connection once that is answered without an error. */
async function session(t: TestContext, port: number, write: (w: JuteWriter) => void): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  const frames = readFrames(socket);
  const send = (fill: (w: JuteWriter) => void): void => {
    const w = new JuteWriter(256);
    w.int(0);
    fill(w);
    const bytes = Buffer.from(w.bytes());
    bytes.writeInt32BE(bytes.length - 4, 0);
    socket.write(bytes);
  };
  send((w) => w.int(0).long(0n).int(10_000).long(0n).buffer(Buffer.alloc(16)).bool(false));
  await frames.next();
  send(write);
  const reply = await frames.next();
  assert.equal(reply.value?.readInt32BE(12), 0, 'the error code in the reply');
  return socket;
}

async function* readFrames(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let buf = Buffer.alloc(0);
  for await (const chunk of socket) {
    buf = Buffer.concat([buf, chunk as Buffer]);
    while (buf.length >= 4 && buf.length >= 4 + buf.readInt32BE(0)) {
      const end = 4 + buf.readInt32BE(0);
      yield buf.subarray(4, end);
      buf = buf.subarray(end);
    }
  }
  return undefined;
}

function setRootAcl(list: readonly Acl[]): (w: JuteWriter) => void {
  return (w) => {
    w.int(1).int(OpCode.setACL).string('/');
    writeAclList(w, list);
    w.int(-1);
  };
}

test('credentials are judged by the ACL of the root: every permission is needed', async (t) => {
  const { clientPort, server } = await start(t, NO_ADMIN);
  const view = viewOf(server);
  assert.equal(view.authorize('digest bob:secret', '10.0.0.1', []), 'allowed'); // the root is open to the world
  assert.equal(view.authorize('ip', '10.0.0.1', []), 'allowed');
  assert.equal(view.authorize('digest', '10.0.0.1', []), 'not authenticated');
  assert.equal(view.authorize('nosuch bob:secret', '10.0.0.1', []), 'not authenticated');
  assert.equal(view.authorize('digest bob:secret more', '10.0.0.1', []), 'not authenticated');
  const acl = (token: string, perms: number): Acl => ({ perms, scheme: 'digest', id: digestId(token) });
  await session(t, clientPort, setRootAcl([acl('bob:secret', 31), acl('eve:secret', 15)]));
  assert.equal(view.authorize('digest bob:secret', '10.0.0.1', []), 'allowed');
  assert.equal(view.authorize('digest bob:wrong', '10.0.0.1', []), 'not authorized');
  assert.equal(view.authorize('digest eve:secret', '10.0.0.1', []), 'not authorized');
  assert.equal(view.authorize('ip', '10.0.0.1', []), 'not authorized');
});

test('a session is shown with what it did last, and as new after crst', async (t) => {
  const { clientPort, server } = await start(t, NO_ADMIN, '4lw.commands.whitelist=*');
  const socket = await session(t, clientPort, (w) => w.int(7).int(OpCode.exists).string('/').bool(true));
  const id = `0x${[...server.port.sessions.values()][0]?.id.toString(16)}`;
  const own = (text: string): string => text.split('\n').find((line) => line.includes(`:${socket.localPort}[`)) ?? '';
  assert.match(
    own(await ask(clientPort, 'cons')),
    new RegExp(
      `\\(queued=0,recved=2,sent=2,sid=${id},lop=EXIS,est=\\d{13},to=10000,lcxid=0x7,lzxid=0x1,lresp=\\d+,llat=\\d+,minlat=\\d+,avglat=\\d+,maxlat=\\d+\\)$`,
    ),
  );
  assert.equal(await ask(clientPort, 'wchc'), `${id}\n\t/\n\n`);
  assert.equal(await ask(clientPort, 'wchp'), `/\n\t${id}\n\n`);
  assert.match(await ask(clientPort, 'dump'), new RegExp(`Session Sets \\(1\\)/\\(1\\):\n1 expire at .*:\n\t${id}\n`));
  await ask(clientPort, 'crst');
  assert.match(
    own(await ask(clientPort, 'cons')),
    /\(queued=0,recved=0,sent=0,sid=\w+,lop=NA,est=\d{13},to=10000,lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0\)$/,
  );
});

test('a login leaves what a session did last', async (t) => {
  const { server, clientPort } = await serve(t);
  const client = await RawClient.open(t, clientPort);
  await client.getData('/');
  await client.request(OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from('bob:secret')));
  const [connection] = viewOf(server).connections();
  assert.deepEqual([connection?.session?.lastOperation, connection?.session?.lastCxid], ['GETD', 1]);
});

test('directories are told as absolute paths', async (t) => {
  const dir = dataDir(t);
  const { server } = await serve(t, { dataDir: relative(process.cwd(), dir) });
  const { snapshotDir, logDir } = viewOf(server).conf;
  assert.deepEqual([snapshotDir, logDir], [join(dir, 'version-2'), join(dir, 'version-2')]);
});

test('a list of ephemerals is made as it is read, of those that are there by then', async (t) => {
  const { clientPort, server } = await start(t, NO_ADMIN);
  const client = await RawClient.open(t, clientPort);
  for (let i = 0; i < 3; i++) await client.create(`/e${i}`, '', 1);
  const paths = viewOf(server).ephemeralPaths(client.id)[Symbol.iterator]();
  assert.equal(paths.next().value, '/e0');
  await client.request(OpCode.delete, (w) => w.string('/e1').int(-1));
  assert.deepEqual([paths.next().value, paths.next().done], ['/e2', true]);
});
