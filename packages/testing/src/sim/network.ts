// A simulated network with the ways of TCP: bytes of a connection arrive in order, late, in pieces of any size, or not until a cut
// is healed; between connections there is no order. Hosts vanish with or without a word.

import { EventEmitter } from 'node:events';
import type { Connection, Listener, ListenOptions, Network } from '@nodekeeper/server';
import type { Life } from './life.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

/** Bytes that a connection takes over before its peer has read them. */
const WINDOW = 64 * 1024;
/** Milliseconds between the attempts of a dial. */
const SYN_RETRY = 1000;
const SYN_ATTEMPTS = 6;
/** Milliseconds until what is not confirmed is given up, about as systems have it. */
const GIVE_UP = 900_000;
const EPHEMERAL_PORTS = 32768;
/** Milliseconds for which a packet is typically on the way. */
const LATENCY = 0.4;
/** Milliseconds until a lost packet is sent again. */
const RETRANSMIT = 200;
/** What stands in bytes that were lent, afterwards. */
const LENT = 0xa5;

type Item =
  | { readonly kind: 'open' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset' };

interface Arrival {
  readonly item: Item;
  readonly due: number;
}

export class NetworkError extends Error {
  readonly code: string;

  constructor(code: string, address: string) {
    super(`${code} ${address}`);
    this.code = code;
  }
}

class Host {
  readonly name: string;
  /** False after a power failure: packets to it get no answer. */
  up = true;
  readonly listeners = new Map<number, { readonly life: Life; readonly accept: (socket: Socket) => void }>();
  readonly sockets = new Set<Socket>();

  constructor(name: string) {
    this.name = name;
  }
}

export class SimNetwork {
  readonly scheduler: Scheduler;
  readonly random: Random;
  private readonly hosts = new Map<string, Host>();
  /** `from>to` of the directions in which nothing arrives. */
  private readonly cuts = new Set<string>();
  private readonly slow = new Map<string, number>();
  private readonly far = new Map<string, number>();
  /** The probability that a packet is lost once and comes late. */
  loss = 0;
  private nextPort = EPHEMERAL_PORTS;
  /** Told of everything that arrives. */
  onArrival: (from: string, to: string, bytes: Buffer) => void = () => {};

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  host(name: string): Host {
    let host = this.hosts.get(name);
    if (host === undefined) {
      host = new Host(name);
      this.hosts.set(name, host);
    }
    return host;
  }

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from}>${to}`);
  }

  /** Nothing gets from one host to the other any more. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`);
  }

  heal(from: string, to: string): void {
    this.cuts.delete(`${from}>${to}`);
    for (const socket of this.host(to).sockets) if (socket.peerHost.name === from) socket.pump();
  }

  healAll(): void {
    for (const cut of [...this.cuts]) this.heal(...(cut.split('>') as [string, string]));
    this.slow.clear();
    this.loss = 0;
  }

  /** Makes everything between two hosts so many milliseconds later, in one direction. */
  delay(from: string, to: string, ms: number): void {
    this.slow.set(`${from}>${to}`, ms);
  }

  /** Makes everything to and from a host so many milliseconds later. */
  place(host: string, farness: number): void {
    this.far.set(host, farness);
  }

  latency(from: string, to: string): number {
    const { random, far } = this;
    const distance = (far.get(from) ?? 0) + (far.get(to) ?? 0);
    const lost = random.chance(this.loss) ? RETRANSMIT : 0;
    return random.skewed(LATENCY) + distance + lost + (this.slow.get(`${from}>${to}`) ?? 0);
  }

  /** Breaks every connection between two hosts, both ways, as a firewall that forgets them does. */
  reset(a: string, b: string): void {
    for (const socket of [...this.host(a).sockets]) {
      if (socket.peerHost.name !== b) continue;
      socket.receive({ kind: 'reset' });
      socket.peer?.receive({ kind: 'reset' });
    }
  }

  /** What is between two hosts forgets their connections: neither is told, and nothing arrives on them any more. */
  forget(a: string, b: string): void {
    for (const socket of this.host(a).sockets) {
      if (socket.peerHost.name !== b) continue;
      socket.forgotten = true;
      if (socket.peer !== undefined) socket.peer.forgotten = true;
    }
  }

  /** The host's power fails: its peers are not told. */
  powerFails(name: string): void {
    const host = this.host(name);
    host.up = false;
    host.listeners.clear();
    for (const socket of [...host.sockets]) socket.vanish();
  }

  /** The host runs again: who still believes in an old connection learns better. */
  powerReturns(name: string): void {
    const host = this.host(name);
    host.up = true;
    for (const other of this.hosts.values()) for (const socket of other.sockets) socket.peerReturned(host);
  }

  /** What a process on a host may use; it ends with it. */
  attach(name: string, life: Life): Network {
    const host = this.host(name);
    return {
      listen: (options, onConnection) => this.listen(host, life, options, onConnection),
      connect: (to, port) => this.connect(host, life, to, port),
    };
  }

  private async listen(
    host: Host,
    life: Life,
    { port: wanted }: ListenOptions,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    life.check();
    const port = wanted === 0 ? this.nextPort++ : wanted;
    if (host.listeners.has(port)) throw new NetworkError('EADDRINUSE', `${host.name}:${port}`);
    host.listeners.set(port, { life, accept: onConnection });
    const close = async (): Promise<void> => {
      if (host.listeners.get(port)?.life === life) host.listeners.delete(port);
    };
    life.atEnd(() => void close());
    return { port, close };
  }

  private connect(host: Host, life: Life, to: string, port: number): Connection {
    life.check();
    const ends = { host, port: this.nextPort++, peerHost: this.host(to), peerPort: port };
    const socket = new Socket(this, life, ends, false);
    this.dial(socket, 1);
    return socket;
  }

  private dial(socket: Socket, attempt: number): void {
    const { scheduler } = this;
    const from = socket.host;
    const to = socket.peerHost;
    const there = this.latency(from.name, to.name);
    const back = this.latency(to.name, from.name);
    scheduler.after(there, socket.life, () => {
      if (socket.destroyed) return;
      if (!to.up || this.isCut(from.name, to.name) || this.isCut(to.name, from.name)) {
        if (attempt === SYN_ATTEMPTS) socket.fail('ETIMEDOUT');
        else scheduler.after(SYN_RETRY * 2 ** (attempt - 1), socket.life, () => this.dial(socket, attempt + 1));
        return;
      }
      const listener = to.listeners.get(socket.remotePort);
      if (listener === undefined) {
        scheduler.after(back, socket.life, () => socket.fail('ECONNREFUSED'));
        return;
      }
      const ends = { host: to, port: socket.remotePort, peerHost: from, peerPort: socket.localPort };
      const accepted = new Socket(this, listener.life, ends, true);
      accepted.peer = socket;
      socket.peer = accepted;
      accepted.onOpen = () => {
        if (to.listeners.get(socket.remotePort) === listener) listener.accept(accepted);
        else accepted.destroy();
      };
      accepted.arrive({ kind: 'open' }, 0);
      socket.arrive({ kind: 'open' }, back);
    });
  }
}

interface Ends {
  readonly host: Host;
  readonly port: number;
  readonly peerHost: Host;
  readonly peerPort: number;
}

class Socket extends EventEmitter implements Connection {
  private readonly network: SimNetwork;
  readonly host: Host;
  readonly peerHost: Host;
  readonly life: Life;
  readonly localPort: number;
  readonly remotePort: number;
  peer: Socket | undefined;
  onOpen: () => void = () => this.emit('connect');
  destroyed = false;
  private open = false;
  /** Nothing arrives any more, and nobody knows. */
  forgotten = false;
  private givingUp = false;
  /** Its host lost power: nothing goes out or comes in. */
  private gone = false;
  // what arrives
  private readonly inbox: Arrival[] = [];
  private wakeAt = Number.POSITIVE_INFINITY;
  private reading = false;
  private paused = false;
  private ended = false;
  // what leaves
  private unsent: Buffer[] = [];
  private unsentLength = 0;
  private inFlight = 0;
  private drainWanted = false;
  private finishing = false;
  private finished = false;
  private closing = false;
  private onFinished: () => void = () => {};
  /** Whether this side may still write when the other has ended. */
  private readonly halfOpen: boolean;
  private readonly forget: () => void;

  constructor(network: SimNetwork, life: Life, ends: Ends, halfOpen: boolean) {
    super();
    this.network = network;
    this.life = life;
    this.host = ends.host;
    this.localPort = ends.port;
    this.peerHost = ends.peerHost;
    this.remotePort = ends.peerPort;
    this.halfOpen = halfOpen;
    this.host.sockets.add(this);
    this.on('newListener', (event) => {
      if (event === 'data') this.soon(() => this.startReading());
    });
    this.forget = life.atEnd(() => this.processEnded());
  }

  get localAddress(): string {
    return this.host.name;
  }

  get remoteAddress(): string {
    return this.peerHost.name;
  }

  get writableLength(): number {
    return this.unsentLength;
  }

  private startReading(): void {
    if (this.reading) return;
    this.reading = true;
    this.pump();
  }

  private soon(action: () => void): void {
    this.network.scheduler.after(0, this.life, action);
  }

  // ---- out ----

  write(bytes: Buffer): boolean {
    if (this.destroyed || this.finishing || !this.life.alive) return false;
    if (bytes.length > 0) {
      this.life.effect();
      // As a kernel does: what there is room for is taken over, the rest stays the caller's memory.
      this.unsent.push(bytes);
      this.unsentLength += bytes.length;
      this.send();
    }
    if (this.unsentLength > 0) this.drainWanted = true;
    return this.unsentLength === 0;
  }

  private send(): void {
    const { peer } = this;
    if (!this.open || peer === undefined) return;
    while (this.unsent.length > 0 && this.inFlight < WINDOW) {
      const first = this.unsent[0] as Buffer;
      const room = Math.min(first.length, WINDOW - this.inFlight);
      this.transmit(peer, Buffer.from(first.subarray(0, room)));
      if (room === first.length) this.unsent.shift();
      else this.unsent[0] = first.subarray(room);
      this.unsentLength -= room;
    }
    if (this.unsentLength > 0) return;
    if (this.drainWanted) {
      this.drainWanted = false;
      this.soon(() => {
        if (!this.destroyed) this.emit('drain');
      });
    }
    if (this.finishing && !this.finished) {
      this.finished = true;
      peer.arrive({ kind: 'end' }, this.latency());
      this.onFinished();
      if (this.closing || this.ended) this.destroy();
    }
  }

  private latency(): number {
    return this.network.latency(this.host.name, this.peerHost.name);
  }

  /** Sends bytes on their way, now and then in pieces. */
  private transmit(peer: Socket, bytes: Buffer): void {
    this.inFlight += bytes.length;
    const { random } = this.network;
    let at = 0;
    while (at < bytes.length) {
      const end = random.chance(0.1) ? at + 1 + random.int(bytes.length - at) : bytes.length;
      peer.arrive({ kind: 'bytes', bytes: bytes.subarray(at, end) }, this.latency());
      at = end;
    }
  }

  /** A host runs again that knows nothing of this connection: what was sent to it is answered by a reset. */
  peerReturned(host: Host): void {
    if (this.peerHost !== host || this.peer?.gone !== true) return;
    if (this.inFlight > 0 || this.unsentLength > 0) this.arrive({ kind: 'reset' }, RETRANSMIT);
  }

  // ---- in ----

  arrive(item: Item, latency: number): void {
    if (this.forgotten) {
      if (item.kind === 'bytes') this.peer?.giveUpLater();
      return;
    }
    if (this.gone || this.destroyed) {
      this.discard(item);
      return;
    }
    const last = this.inbox[this.inbox.length - 1];
    const due = Math.max(this.network.scheduler.now + latency, last?.due ?? 0);
    this.inbox.push({ item, due });
    this.pump();
  }

  /** What was sent is never confirmed: after many attempts the connection is given up. */
  private giveUpLater(): void {
    if (this.givingUp) return;
    this.givingUp = true;
    this.network.scheduler.after(GIVE_UP, this.life, () => this.fail('ETIMEDOUT'));
  }

  /** A closed connection answers bytes by a reset; a host that is down not at all. */
  private discard(item: Item): void {
    if (item.kind !== 'bytes' || !this.host.up) return;
    this.peer?.arrive({ kind: 'reset' }, 2 * this.latency());
  }

  /** Overtakes everything that is on its way. */
  receive(item: Item): void {
    if (this.destroyed) return;
    const opening = this.inbox.filter((arrival) => arrival.item.kind === 'open');
    this.inbox.splice(0, this.inbox.length, ...opening, { item, due: this.network.scheduler.now });
    this.pump();
  }

  /** Hands out what is due, or waits until something is. */
  pump(): void {
    const head = this.inbox[0];
    if (head === undefined || this.gone) return;
    if (this.network.isCut(this.peerHost.name, this.host.name)) return; // until it is healed
    const { scheduler } = this.network;
    if (this.wakeAt <= Math.max(head.due, scheduler.now)) return;
    this.wakeAt = Math.max(head.due, scheduler.now);
    const at = this.wakeAt;
    scheduler.at(at, this.life, () => {
      if (this.wakeAt === at) this.wakeAt = Number.POSITIVE_INFINITY;
      this.deliver();
    });
  }

  private deliver(): void {
    const head = this.inbox[0];
    if (head === undefined || this.destroyed) return;
    if (head.due > this.network.scheduler.now) {
      this.pump();
      return;
    }
    if (this.network.isCut(this.peerHost.name, this.host.name)) return;
    const { item } = head;
    if (item.kind === 'bytes' || item.kind === 'end') {
      if (!this.reading || this.paused) return;
    }
    this.inbox.shift();
    switch (item.kind) {
      case 'open':
        this.open = true;
        this.onOpen();
        if (!this.destroyed) this.send();
        break;
      case 'bytes': {
        const bytes = this.together(item.bytes);
        this.network.onArrival(this.peerHost.name, this.host.name, bytes);
        const { peer } = this;
        if (peer !== undefined) {
          peer.inFlight -= bytes.length;
          if (!peer.destroyed) peer.send();
        }
        this.emit('data', bytes);
        bytes.fill(LENT); // so that whoever keeps them is found
        break;
      }
      case 'end':
        this.ended = true;
        this.emit('end');
        if (!this.halfOpen) this.destroySoon();
        else if (this.finished) this.destroy();
        break;
      case 'reset':
        this.fail('ECONNRESET');
        break;
    }
    this.pump();
  }

  /** The bytes, now and then with those that come right behind them. */
  private together(bytes: Buffer): Buffer {
    const { random, scheduler } = this.network;
    const parts = [bytes];
    for (;;) {
      const next = this.inbox[0];
      if (next === undefined || next.item.kind !== 'bytes' || next.due > scheduler.now || random.chance(0.3)) break;
      parts.push(next.item.bytes);
      this.inbox.shift();
    }
    return parts.length === 1 ? bytes : Buffer.concat(parts);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.pump();
  }

  // ---- the end ----

  fail(code: string): void {
    if (this.destroyed) return;
    const error = new NetworkError(code, `${this.peerHost.name}:${this.remotePort}`);
    this.emit('error', error);
    this.leave();
  }

  end(done: () => void = () => {}): void {
    if (this.finishing || this.destroyed) return;
    this.finishing = true;
    this.onFinished = done;
    this.send();
  }

  destroySoon(): void {
    this.closing = true;
    if (this.finished) this.destroy();
    else this.end();
  }

  destroy(): void {
    if (this.destroyed) return;
    const { peer } = this;
    const unread = this.inbox.some(({ item }) => item.kind === 'bytes');
    if (peer !== undefined && !this.finished) {
      // What was taken over still goes out; what was not read makes it a reset.
      peer.arrive({ kind: unread ? 'reset' : 'end' }, this.latency());
    } else if (peer !== undefined && unread) {
      peer.arrive({ kind: 'reset' }, this.latency());
    }
    this.leave();
  }

  private leave(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.unsent = [];
    this.unsentLength = 0;
    this.inbox.length = 0;
    this.host.sockets.delete(this);
    this.forget();
    this.soon(() => this.emit('close'));
  }

  /** The kernel closes what a process leaves open. */
  private processEnded(): void {
    if (!this.gone) this.destroy();
  }

  vanish(): void {
    this.gone = true;
    this.destroyed = true;
    this.inbox.length = 0;
    this.host.sockets.delete(this);
  }
}
