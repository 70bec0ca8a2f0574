// Election connections that stand and carry nothing: forgotten by what is between the servers, or waiting for TCP to try again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { ElectionPort } from '../../dist/net/election-port.js';
import { type Network, nodeNetwork } from '../../dist/net/network.js';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import { atEnd } from '../server/raw-client.js';
import { electionPortOf5 } from './election-port-of-5.js';
import { Ensemble } from './ensemble.js';
import { greet } from './greet.js';

/** Looks every 10 ms for who does not answer, not every second. */
const QUICK: Runtime = { ...nodeRuntime, every: (ms, action) => nodeRuntime.every(ms === 1000 ? 10 : ms, action) };

/** A network that can forget its connections: what is written to them never arrives, and nobody is told. */
class ForgetfulNetwork implements Network {
  private readonly sockets = new Set<Socket>();

  async listen(...[options, onConnection, onError]: Parameters<Network['listen']>): ReturnType<Network['listen']> {
    return nodeNetwork.listen(options, (wire) => onConnection(this.keep(wire as Socket)), onError);
  }

  connect(...where: Parameters<Network['connect']>): ReturnType<Network['connect']> {
    return this.keep(nodeNetwork.connect(...where) as Socket);
  }

  forget(): void {
    for (const socket of this.sockets) socket.write = () => true;
  }

  private keep(socket: Socket): Socket {
    this.sockets.add(socket);
    return socket;
  }
}

test('servers whose connections are forgotten by what is between them elect a leader all the same', async (t) => {
  const network = new ForgetfulNetwork();
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant']);
  ensemble.runtime = QUICK;
  await Promise.all([1, 2, 3].map((id) => ensemble.start(id, {}, { network })));
  const leader = await ensemble.settled();
  network.forget();
  await ensemble.stop(leader);
  assert.notEqual(await ensemble.settled(), leader);
});

interface PortOf5 {
  readonly port: ElectionPort;
  /** Where it listens. */
  readonly at: number;
  /** How often it has dialled. */
  dials(): number;
  /** Resolves when a message has come. */
  heard(): Promise<void>;
}

async function portOf5(t: TestContext, portOf: (id: number) => number): Promise<PortOf5> {
  let dials = 0;
  let onHeard = (): void => {};
  const connect: Network['connect'] = (...where) => {
    dials++;
    return nodeNetwork.connect(...where);
  };
  const { election, port } = await electionPortOf5(t, {
    network: { ...nodeNetwork, connect },
    addressesOf: (id) => [{ host: '127.0.0.1', port: portOf(id) }],
    onMessage: () => onHeard(),
  });
  const heard = (): Promise<void> =>
    new Promise((resolve) => {
      onHeard = resolve;
    });
  return { port: election, at: port, dials: () => dials, heard };
}

interface Dialled {
  readonly at: number;
  next(): Promise<Socket>;
}

/** In the place of a server: takes connections. */
async function dialled(t: TestContext): Promise<Dialled> {
  const taken: Socket[] = [];
  let given = 0;
  const server = createServer((socket) => taken.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  atEnd(t, () => {
    for (const socket of taken) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return {
    at: (server.address() as AddressInfo).port,
    async next() {
      if (taken.length === given) await once(server, 'connection');
      return taken[given++] as Socket;
    },
  };
}

const MESSAGE = Buffer.from([0, 0, 0, 1, 0]);

test('a server that was sent something and does not answer gets a connection anew, one that answers keeps its own', async (t) => {
  const one = await dialled(t);
  const { port, dials, heard } = await portOf5(t, () => one.at);
  port.send(1, Buffer.from('x'));
  const first = await one.next();
  await once(first, 'data');
  for (let i = 0; i < 3; i++) port.reach();
  const second = await one.next();
  const closed = once(first.resume(), 'close');
  await once(second, 'data');
  await closed;
  const answered = heard();
  second.write(MESSAGE);
  await answered;
  for (let i = 0; i < 5; i++) port.reach();
  assert.equal(dials(), 2);
});

test('a connection that has come in the place of another has its own time to be answered on', async (t) => {
  const one = await dialled(t);
  const { port, dials } = await portOf5(t, () => one.at);
  port.send(1, Buffer.from('x'));
  const first = await one.next();
  await once(first, 'data');
  for (let i = 0; i < 2; i++) port.reach();
  first.destroy();
  await once(await one.next(), 'data');
  for (let i = 0; i < 2; i++) port.reach();
  assert.equal(dials(), 2);
});

test('a higher server that does not answer is asked to dial anew', async (t) => {
  const seven = await dialled(t);
  const { port, at } = await portOf5(t, () => seven.at);
  const wire = await greet(t, at, 7n);
  port.send(7, Buffer.from('x'));
  await once(wire, 'data');
  while (!port.isConnected(7)) await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 3; i++) port.reach();
  const knock = await seven.next();
  const [greeting] = (await once(knock, 'data')) as [Buffer];
  assert.equal(greeting.readBigInt64BE(8), 5n);
});

test('who cannot be reached is dialled again whenever others are looked for', async (t) => {
  let at = 1;
  const { port } = await portOf5(t, () => at);
  port.send(1, Buffer.from('x'));
  while (!port.isDown(1)) await new Promise((resolve) => setImmediate(resolve));
  const one = await dialled(t);
  at = one.at;
  port.reach();
  await once(await one.next(), 'data');
});
