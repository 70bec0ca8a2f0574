// What comes to the election port from whoever: members that cannot be, and connections of servers that do not exist.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { decodeNotification, encodeNotification, PeerState, type Vote } from '../../dist/election/notification.js';
import type { ElectionPort } from '../../dist/net/election-port.js';
import { nodeNetwork } from '../../dist/net/network.js';
import { atEnd } from '../server/raw-client.js';
import { electionPortOf5 } from './election-port-of-5.js';
import { Ensemble } from './ensemble.js';
import { greet } from './greet.js';

/** A message that is no vote, with members. */
function vote(socket: Socket, config: string): void {
  const message = encodeNotification(PeerState.observing, { leader: 3, zxid: 0, round: 1, peerEpoch: 0 }, config);
  const head = Buffer.alloc(4);
  head.writeInt32BE(message.length);
  socket.write(Buffer.concat([head, message]));
}

test('members that nobody can be led by are not taken over from a vote', async (t) => {
  const settings = { reconfigEnabled: true, standaloneEnabled: false, skipACL: 'yes' };
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], settings, [1]);
  const { membership } = ensemble.server(1);
  const socket = await greet(t, ensemble.electionPortOf(1), 3n);
  const one = `server.1=${ensemble.fullLine(1)}`;
  for (const config of [
    `${one}\nversion=zz`,
    `${one}\nversion=`,
    `${one}\nversion=-5`,
    `${one}\nversion=ffffffffffffffff`,
    'version=100000001',
    `${one.replace('participant', 'observer')}\nversion=100000001`,
    `${one}\ngroup.1=x:y\nversion=100000001`,
    `${one}\ngroup.1=1\nweight.1=zz\nversion=100000001`,
    `${one}\ngroup.1=7:8\nversion=100000001`,
    'server.1=127.0.0.1:99999:1:participant\nversion=100000001',
  ])
    vote(socket, config);
  vote(socket, `${one}\nserver.2=${ensemble.fullLine(2)}\nversion=100000005`);
  while (membership.committed.version === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(membership.committed.version, 0x100000005);
  const files = readdirSync(ensemble.dataDirOf(1)).filter((name) => name.includes('.dynamic.'));
  assert.deepEqual(files, ['zoo.cfg.dynamic.100000005']);
  assert.ok(existsSync(ensemble.configPath(1)));
});

test('members that cannot be taken over, told again and again, do not fill the log', async (t) => {
  const settings = { reconfigEnabled: true, standaloneEnabled: false, skipACL: 'yes' };
  const ensemble = await Ensemble.withFiles(t, 3, [1, 2, 3], settings, [1]);
  const socket = await greet(t, ensemble.electionPortOf(1), 3n);
  const one = `server.1=${ensemble.fullLine(1)}`;
  for (let i = 0; i < 300; i++) {
    vote(socket, `${i}${'x'.repeat(10_000)}`);
    vote(socket, `group.1=${i}\nversion=${(i + 1).toString(16)}00000000`);
  }
  vote(socket, `${one}\nserver.2=${ensemble.fullLine(2)}\nversion=200000000`);
  while (ensemble.server(1).membership.committed.version === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  const lines = ensemble.lines.get(1) ?? [];
  assert.ok(ensemble.said(1, /members were told of that cannot be read/) && ensemble.said(1, /elect nobody/));
  assert.ok(lines.length < 120, `${lines.length} lines`);
  assert.ok(lines.every(({ message }) => message.length < 1000));
});

/** Where the numbers of a vote stand behind the message's length. */
const AT = { leader: 8, zxid: 16, round: 24, peerEpoch: 32 } as const;

test('a vote with numbers beyond those that servers count to is none, and the next one is heard', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  const failures: Error[] = [];
  await ensemble.start(1, {}, { onFatal: (error) => failures.push(error) });
  const socket = await greet(t, Number(ensemble.memberLines['server.1']?.split(':')[2]), 3n);
  const votes: Vote[] = [];
  let got = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    got = Buffer.concat([got, chunk]);
    while (got.length >= 4 && got.length >= 4 + got.readInt32BE(0)) {
      const end = 4 + got.readInt32BE(0);
      const told = decodeNotification(1, got.subarray(4, end));
      if (told !== undefined) votes.push(told);
      got = got.subarray(end);
    }
  });
  const tell = (numbers: Partial<Record<keyof typeof AT, bigint>>): void => {
    const message = encodeNotification(PeerState.looking, { leader: 3, zxid: 0, round: 1, peerEpoch: 0 }, '');
    const frame = Buffer.concat([Buffer.alloc(4), message]);
    frame.writeInt32BE(message.length);
    for (const [name, value] of Object.entries(numbers)) frame.writeBigInt64BE(value, AT[name as keyof typeof AT]);
    socket.write(frame);
  };
  for (const most of [2n ** 63n - 1n, 2n ** 62n, 2n ** 53n]) {
    tell({ round: most });
    tell({ round: 2n, zxid: most });
    tell({ round: 2n, peerEpoch: most });
  }
  tell({ round: 7n });
  while (votes.at(-1)?.round !== 7 && failures.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.deepEqual(
    votes.filter(({ leader, zxid, round, peerEpoch }) => ![leader, zxid, round, peerEpoch].every(Number.isSafeInteger)),
    [],
  );
  assert.deepEqual(failures, []);
  assert.equal(votes.at(-1)?.leader, 3);
});

/** Server 5's port, with servers 1 and 7 as members that are not there, unless something listens in the place of server 1. */
async function portOf5(
  t: TestContext,
  portOf1 = 1,
  network = nodeNetwork,
): Promise<{ election: ElectionPort; port: number }> {
  const { election, port } = await electionPortOf5(t, {
    network,
    addressesOf: (id) => (id === 1 || id === 7 ? [{ host: '127.0.0.1', port: id === 1 ? portOf1 : 1 }] : []),
  });
  election.send(1, Buffer.from('x'));
  election.send(7, Buffer.from('x'));
  return { election, port };
}

const NO_ID = 2n ** 63n - 1n;

async function until(condition: () => boolean): Promise<boolean> {
  for (let i = 0; i < 100_000 && !condition(); i++) await new Promise((resolve) => setImmediate(resolve));
  return condition();
}

test('servers that are no members are forgotten with their connections, members are not', async (t) => {
  const { election, port } = await portOf5(t);
  for (let i = 0; i < 30; i++) {
    const high = await greet(t, port, BigInt(1000 + i));
    const nameless = await greet(t, port, NO_ID);
    const low = await greet(t, port, 2n);
    await once(low, 'close');
    assert.ok(await until(() => election.isConnected(1000 + i)));
    for (const socket of [high, nameless]) socket.destroy();
  }
  assert.ok(await until(() => election.size === 2), `${election.size} are known`);
  assert.equal(election.problems().size, 2);
});

test('who closes each connection before anything comes is told of as a problem', async (t) => {
  const closing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(closing, 'listening');
  atEnd(t, () => closing.close());
  const { election } = await portOf5(t, (closing.address() as AddressInfo).port);
  assert.ok(await until(() => /see its log/.test(election.problems().get(1) ?? '')), `${[...election.problems()]}`);
});

test('strangers take no more than some connections, and keep no member away', async (t) => {
  const { election, port } = await portOf5(t);
  const sockets = await Promise.all(
    Array.from({ length: 200 }, (_, i) => greet(t, port, i < 150 ? BigInt(1000 + i) : NO_ID)),
  );
  for (const socket of sockets) socket.resume();
  assert.ok(await until(() => sockets.filter((socket) => !socket.closed).length === 100));
  await greet(t, port, 7n);
  assert.ok(await until(() => election.isConnected(7)));
});

test('a server that ends each connection without a word, as one that it does not trust, is dialled with growing pauses', async (t) => {
  const dials: number[] = [];
  const refusing = createServer((socket) => {
    dials.push(performance.now());
    const isLong = dials.length === 9;
    socket.on('error', () => {}).once('data', () => setTimeout(() => socket.destroy(), isLong ? 700 : 0));
  }).listen(0, '127.0.0.1');
  atEnd(t, () => refusing.close());
  await once(refusing, 'listening');
  await portOf5(t, (refusing.address() as { port: number }).port);
  while (dials.length < 13) await new Promise((resolve) => setTimeout(resolve, 10));
  const [first = 0, , , , , , , , ninth = 0, tenth = 0, , , thirteenth = 0] = dials;
  assert.ok(ninth - first > 1000, `8 times again in ${ninth - first} ms`);
  // Behind the connection that lasted pauses begin anew: three of the longest would be 1920 ms.
  assert.ok(thirteenth - tenth < 1500, `3 times again in ${thirteenth - tenth} ms`);
});

test('an address that cannot be is not dialled, and harms nobody', async (t) => {
  const { election, port } = await portOf5(t);
  for (const address of ['127.0.0.1:99999', 'a\0b:1', `${'x'.repeat(2000)}:1`, '127.0.0.1', ':', '[::1', '[]:7', '|||'])
    await once((await greet(t, port, 2n, address)).resume(), 'close');
  assert.ok(await until(() => election.size === 2), `${election.size} are known`);
});

test('of connections that say nothing some are kept, and servers get in all the same', async (t) => {
  const { election, port } = await portOf5(t);
  const silent: Socket[] = [];
  atEnd(t, () => {
    for (const socket of silent) socket.destroy();
  });
  for (let i = 0; i < 1050; i++) {
    const socket = connect({ port, host: '127.0.0.1' });
    silent.push(socket.on('error', () => {}).resume());
    await once(socket, 'connect');
  }
  assert.ok(await until(() => silent.filter((socket) => !socket.closed).length === 1000));
  assert.ok(silent.slice(0, 50).every((socket) => socket.closed));
  await greet(t, port, 7n);
  assert.ok(await until(() => election.isConnected(7)));
});

test('a port that is closed gives up whom it dials: nothing keeps the process alive', async (t) => {
  const dialled: Socket[] = [];
  const connectNowhere = (): Socket => {
    const socket = new Socket(); // that never connects
    dialled.push(socket);
    return socket;
  };
  const { election } = await portOf5(t, 1, { ...nodeNetwork, connect: connectNowhere as typeof nodeNetwork.connect });
  assert.equal(dialled.length, 2);
  const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
  const before = timers();
  await election.close();
  assert.ok(dialled.every(({ destroyed }) => destroyed));
  assert.equal(timers(), before - 2);
});
