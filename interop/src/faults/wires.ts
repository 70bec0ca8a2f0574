// The network between the servers of an ensemble: a relay for each ordered pair and each of the two ports, which can break
// connections, refuse them, or swallow what goes one way while the other way stays open.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Ensemble } from '../ensemble/ensemble.js';
import { HOST, nextPort } from '../ensemble/ports.js';

/** Whoever dials a relay is connected at once: so long it waits for a server that does not listen yet, as if that took the call late. */
const REACHED_MS = 6000;
const RETRY_MS = 20;

function reach(target: number, near: Socket, until: number, then: (far: Socket) => void): void {
  if (performance.now() > until) near.destroy();
  if (near.destroyed) return;
  const far = connect({ port: target, host: HOST, noDelay: true });
  let reached = false;
  far.on('error', () => {
    if (!reached) setTimeout(() => reach(target, near, until, then), RETRY_MS);
  });
  far.once('connect', () => {
    reached = true;
    then(far);
  });
}

class Relay {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** Nothing passes from the server that dials to the one that is dialled. */
  out = false;
  /** Nothing passes back. */
  back = false;

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (near) => {
      near.pause();
      near.setNoDelay(true);
      near.on('error', () => undefined);
      reach(target, near, performance.now() + REACHED_MS, (far) => this.#join(near, far));
    });
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    this.#pass(near, far, () => this.out);
    this.#pass(far, near, () => this.back);
    for (const socket of pair) socket.on('close', () => this.#drop(pair));
    near.resume();
  }

  static async start(target: number): Promise<Relay> {
    const server = createServer();
    const port = await nextPort();
    server.listen(port, HOST);
    await once(server, 'listening');
    return new Relay(server, port, target);
  }

  #pass(from: Socket, to: Socket, closed: () => boolean): void {
    from.on('data', (chunk: Buffer) => {
      if (closed()) return;
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
  }

  #drop(pair: readonly [Socket, Socket]): void {
    this.#pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  }

  /** Ends the connections that stand. */
  cut(): void {
    for (const pair of this.#pairs) this.#drop(pair);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }
}

export class Wires {
  /** By the server that dials and the one that is dialled, `1>2`. */
  readonly #relays = new Map<string, readonly Relay[]>();
  readonly #ids: readonly number[];

  private constructor(ids: readonly number[]) {
    this.#ids = ids;
  }

  /** Writes relays in the place of the other servers' ports into the configuration of every member; none runs yet. */
  static async between(ensemble: Ensemble): Promise<Wires> {
    const { members } = ensemble;
    const wires = new Wires(members.map((m) => m.id));
    for (const from of members) {
      for (const to of members) {
        if (from === to) continue;
        const relays = [await Relay.start(to.ports.quorum), await Relay.start(to.ports.election)];
        wires.#relays.set(`${from.id}>${to.id}`, relays);
        const [quorum, election] = relays.map((r) => r.port);
        const role = /:observer$/.exec(from.cfg[`server.${to.id}`])?.[0] ?? '';
        from.cfg[`server.${to.id}`] = `${HOST}:${quorum}:${election}${role}`;
      }
    }
    return wires;
  }

  #between(from: number, to: number): readonly Relay[] {
    return this.#relays.get(`${from}>${to}`) ?? [];
  }

  /** From now on nothing that `from` says reaches `to`; connections stand, and what was on its way is lost with them. */
  silence(from: number, to: number): void {
    for (const relay of this.#between(from, to)) relay.out = true;
    for (const relay of this.#between(to, from)) relay.back = true;
  }

  /** Parts one group from all others, both ways. */
  part(group: readonly number[]): void {
    for (const from of this.#ids) {
      for (const to of this.#ids) if (group.includes(from) !== group.includes(to)) this.silence(from, to);
    }
  }

  /** Breaks the connections between two servers; new ones are taken. */
  cut(one: number, other: number): void {
    for (const relay of [...this.#between(one, other), ...this.#between(other, one)]) relay.cut();
  }

  /** Everything passes again; connections that lost something break, as they would by TCP's own means. */
  heal(): void {
    for (const relays of this.#relays.values()) {
      for (const relay of relays) {
        if (relay.out || relay.back) relay.cut();
        relay.out = false;
        relay.back = false;
      }
    }
  }

  async stop(): Promise<void> {
    for (const relays of this.#relays.values()) for (const relay of relays) await relay.stop();
  }
}
