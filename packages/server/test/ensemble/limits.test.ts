// The options that say how long and how often servers wait for each other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ErrorCode, type JuteWriter, OpCode, Perms, writeAclList } from '@nodekeeper/protocol';
import { loadConfig } from '../../dist/config/index.js';
import { encodeNotification, PeerState } from '../../dist/election/notification.js';
import { ElectionPort, type ElectionPortHost } from '../../dist/net/election-port.js';
import { nodeNetwork } from '../../dist/net/network.js';
import { nodeRuntime } from '../../dist/runtime.js';
import { atEnd, RawClient } from '../server/raw-client.js';
import { Ensemble } from './ensemble.js';

const MEMBERS = ['server.1=127.0.0.1:1:2', 'server.2=127.0.0.1:3:4', 'initLimit=10', 'syncLimit=5', 'clientPort=1'];
const BASE = [...MEMBERS, 'tickTime=100'];

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('limits in ticks stand in for those that are not given', () => {
  const limits = (...flags: string[]) => loadConfig({ flags: [...BASE, ...flags] }).ensemble;
  assert.equal(limits()?.leaderConnectTimeout, 1000);
  assert.equal(limits('connectToLearnerMasterLimit=3')?.leaderConnectTimeout, 300);
  assert.equal(limits()?.greetingTimeout, 1000);
  assert.equal(limits('quorumCnxnTimeoutMs=70')?.greetingTimeout, 70);
  assert.equal(limits('observer.election.DelayMs=-1')?.electionDelay, 0);
});

test('a connection that does not say whose it is goes after quorumCnxnTimeoutMs', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant'], { quorumCnxnTimeoutMs: 20, syncLimit: 10_000 });
  await ensemble.start(1);
  const socket = connect({ port: ensemble.electionPortOf(1), host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'close');
  assert.ok(ensemble.said(1, /it does not say whose it is/));
});

/** An election port on a network that refuses the first so many times. */
function failing(times: number, code: string, attempts: number): { port: ElectionPort; tried: () => number } {
  let tried = 0;
  const host = {
    id: 1,
    network: {
      ...nodeNetwork,
      listen: async (...args: Parameters<typeof nodeNetwork.listen>) => {
        if (tried++ < times) throw Object.assign(new Error(code), { code });
        return nodeNetwork.listen(...args);
      },
    },
    runtime: { ...nodeRuntime, after: (_ms: number, run: () => void) => nodeRuntime.after(0, run) },
    addresses: [{ host: '127.0.0.1', port: 0 }],
    bindAttempts: attempts,
    warn: () => {},
  } as unknown as ElectionPortHost;
  return { port: new ElectionPort(host), tried: () => tried };
}

test('the election port is tried as often as electionPortBindRetry says', async (t) => {
  const enough = failing(2, 'ENOTFOUND', 3);
  assert.ok((await enough.port.listen()) > 0);
  atEnd(t, () => enough.port.close());
  const tooFew = failing(2, 'ENOTFOUND', 2);
  await assert.rejects(tooFew.port.listen(), /ENOTFOUND/);
  assert.equal(tooFew.tried(), 2);
  const endless = failing(7, 'ENOTFOUND', 0);
  assert.ok((await endless.port.listen()) > 0);
  atEnd(t, () => endless.port.close());
  const taken = failing(1, 'EADDRINUSE', 3);
  await assert.rejects(taken.port.listen(), /EADDRINUSE/);
  assert.equal(taken.tried(), 1);
});

/** An election port with these addresses, of which those of 192.0.2 cannot be listened at; and what it says. */
function several(
  hosts: readonly string[],
  attempts: number,
): { port: ElectionPort; said: string[]; open: Set<string> } {
  const said: string[] = [];
  const open = new Set<string>();
  const host = {
    id: 1,
    network: {
      ...nodeNetwork,
      listen: async ({ host = '' }) => {
        if (host.startsWith('192.0.2.'))
          throw Object.assign(new Error(`EADDRNOTAVAIL ${host}`), { code: 'EADDRNOTAVAIL' });
        open.add(host);
        return { port: 1, close: async () => open.delete(host) };
      },
    },
    runtime: { ...nodeRuntime, after: (_ms: number, run: () => void) => nodeRuntime.after(0, run) },
    addresses: hosts.map((host) => ({ host, port: 1 })),
    bindAttempts: attempts,
    warn: (message: string) => said.push(message),
  } as unknown as ElectionPortHost;
  return { port: new ElectionPort(host), said, open };
}

test('of several own addresses, those that cannot be listened at are told, and the others serve', async () => {
  for (const hosts of [
    ['192.0.2.1', '127.0.0.1', '127.0.0.2'],
    ['127.0.0.1', '127.0.0.2', '192.0.2.1'],
  ]) {
    const { port, said, open } = several(hosts, 2);
    assert.equal(await port.listen(), 1);
    await until(() => said.length === 2, 'that it is given up');
    assert.match(said[0] ?? '', /attempt 1 of 2: EADDRNOTAVAIL 192\.0\.2\.1/);
    assert.match(said[1] ?? '', /not tried again: EADDRNOTAVAIL 192\.0\.2\.1/);
    assert.deepEqual([...open].sort(), ['127.0.0.1', '127.0.0.2']);
    await port.close();
    assert.equal(open.size, 0);
  }
  await assert.rejects(several(['192.0.2.1', '192.0.2.2'], 2).port.listen(), /EADDRNOTAVAIL 192\.0\.2\.1/);
});

test('addresses that are told of while others are tried still are listened at', async () => {
  const { port, open } = several(['127.0.0.1', '192.0.2.1'], 0);
  await port.listen();
  port.move([{ host: '127.0.0.2', port: 1 }]);
  await until(() => open.has('127.0.0.2') && !open.has('127.0.0.1'), 'that it has moved');
  await port.close();
  assert.equal(open.size, 0);
});

test('a peerType that the list contradicts is told', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant'], { peerType: 'observer' });
  await ensemble.start(1);
  assert.ok(ensemble.said(1, /peerType=observer, but server\.1 is a participant/));
});

test('a leader that nobody follows gives up once one that elected it looks again', async (t) => {
  const settings = { 'leader.maxTimeToWaitForEpoch': 0, initLimit: 10_000, 'fastleader.maxNotificationInterval': 200 };
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], settings);
  await ensemble.start(1);
  const server = ensemble.server(1);
  // Server 3 votes for server 1, and then is LOOKING again instead of following.
  const port = ensemble.electionPortOf(1);
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  atEnd(t, () => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  const address = Buffer.from('127.0.0.1:1');
  const greeting = Buffer.alloc(20);
  greeting.writeBigInt64BE(-65536n);
  greeting.writeBigInt64BE(3n, 8);
  greeting.writeInt32BE(address.length, 16);
  socket.write(Buffer.concat([greeting, address]));
  const vote = (): void => {
    const message = encodeNotification(PeerState.looking, { leader: 1, zxid: 0, round: 1, peerEpoch: 0 }, '');
    const head = Buffer.alloc(4);
    head.writeInt32BE(message.length);
    socket.write(Buffer.concat([head, message]));
  };
  const timer = setInterval(vote, 5);
  atEnd(t, () => clearInterval(timer));
  await until(() => ensemble.said(1, /elected: this server leads/), 'elected');
  await until(() => ensemble.said(1, /no longer leader: server 3 has not followed/), 'gave up');
  assert.ok(server.ensembleStats.counts.disloyalVoters > 0);
});

test('an observer that has lost its leader waits a little before it looks for one', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'observer'], {
    standaloneEnabled: false,
    'observer.election.DelayMs': 1e9,
  });
  await ensemble.start(1);
  await ensemble.start(2);
  await ensemble.settled();
  const looked = ensemble.server(2).ensembleStats.counts.looking;
  await ensemble.stop(1);
  await until(() => ensemble.said(2, /no longer observer/), 'noticed');
  await ensemble.start(1);
  await until(() => ensemble.server(1).notReady === undefined, 'the voter serves');
  assert.equal(ensemble.server(2).ensembleStats.counts.looking, looked, 'it would come after days');
  await ensemble.stop(2);
});

test('with enableEagerACLCheck a follower refuses what its own tree does not permit', async (t) => {
  const ensemble = await Ensemble.ofThree(t, { enableEagerACLCheck: true });
  const id = await ensemble.follower();
  const client = await ensemble.client(id);
  const acl = (perms: number) => (w: JuteWriter) => writeAclList(w, [{ perms, scheme: 'world', id: 'anyone' }]);
  const create = (path: string, perms: number) =>
    client.request(OpCode.create, (w) => {
      w.string(path).buffer(Buffer.alloc(0));
      acl(perms)(w);
      w.int(0);
    });
  const set = (path: string) => client.request(OpCode.setData, (w) => w.string(path).buffer(null).int(-1));
  assert.equal((await create('/readable', Perms.read)).error, 0);
  await ensemble.level();
  const { lastZxid } = ensemble.server(id);
  assert.equal((await set('/readable')).error, ErrorCode.NoAuth);
  assert.equal((await create('/readable/x', Perms.all)).error, ErrorCode.NoAuth);
  const remove = (path: string) => client.request(OpCode.delete, (w) => w.string(path).int(-1));
  const badAcl = await client.request(OpCode.create, (w) => {
    w.string('/y').buffer(Buffer.alloc(0));
    writeAclList(w, [{ perms: 31, scheme: 'no such', id: 'x' }]);
    w.int(0);
  });
  assert.equal(badAcl.error, ErrorCode.InvalidAcl);
  assert.equal(ensemble.server(id).lastZxid, lastZxid, 'the leader was not asked');
  assert.equal((await set('/nowhere')).error, ErrorCode.NoNode);
  assert.equal((await remove('/readable')).error, 0, 'the parent permits it');
  await ensemble.level();
  assert.equal(ensemble.server(id).lastZxid, lastZxid + 2, 'the leader was');
});

test('with earlyDropSecureConnectionHandshakes nobody shakes hands with a server that serves nothing', async (t) => {
  const fixtures = fileURLToPath(new URL('../../test/fixtures/tls/', import.meta.url));
  const ensemble = await Ensemble.of(t, ['participant', 'participant'], {
    'netty.server.earlyDropSecureConnectionHandshakes': true,
    secureClientPort: 0,
    secureClientPortAddress: '127.0.0.1',
    'ssl.keyStore.location': join(fixtures, 'server.pem'),
    'ssl.clientAuth': 'none',
  });
  await ensemble.start(1);
  const options = { ca: readFileSync(join(fixtures, 'ca.pem')) };
  await assert.rejects(RawClient.secure(t, ensemble.server(1).boundSecurePort, options));
  assert.equal(ensemble.server(1).port.stats.droppedEarly, 1);
  await ensemble.start(2);
  await ensemble.settled();
  const client = await RawClient.secure(t, ensemble.server(1).boundSecurePort, options);
  assert.equal(await client.handshake(), true);
});

test('with messageTracker.Enabled both sides tell the last packets of a connection that ended', async (t) => {
  const settings = { 'messageTracker.Enabled': true, 'messageTracker.BufferSize': 3 };
  const ensemble = await Ensemble.ofThree(t, settings);
  const leader = await ensemble.settled();
  const id = await ensemble.follower();
  const client = await ensemble.client(leader);
  await client.request(OpCode.setData, (w) => w.string('/').buffer(null).int(-1));
  await ensemble.level();
  await ensemble.stop(id);
  const told = /the last packets of a connection that ended .*"sent":\[("[^"]+ [A-Z]+",?){3}\],"received":\["/;
  await until(() => ensemble.said(leader, told), 'the leader tells');
  assert.ok(ensemble.said(id, /the last packets of a connection that ended .*"sent":\[[^\]]*Z ACK"/));
});

test('of more sessions than a packet holds the leader hears with one ping after the other', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  const follower = await ensemble.follower();
  const role = ensemble.server(follower).currentRole as unknown as { takeTouched(): [bigint, number][] };
  const leading = ensemble.server(leader).currentRole as unknown as { touchSession(id: bigint): void };
  const heard = new Set<bigint>();
  leading.touchSession = (id) => heard.add(id);
  const count = 300_000;
  let used: [bigint, number][] = Array.from({ length: count }, (_, i) => [BigInt(i + 1), 4000]);
  role.takeTouched = () => used.splice(0);
  await until(() => heard.size === count, 'every session is told of');
  used = [[77n, 4000]];
  heard.clear();
  await until(() => heard.size === 1, 'later ones are told of');
  assert.equal(ensemble.server(follower).currentRole, role, 'it still follows');
});
