// Carries election messages: one connection per pair of servers, dialled by the one with the higher id, one outgoing message per
// peer. Source: QuorumCnxManager of Apache ZooKeeper; docs/protocol.md, "Election connections".
// Initial message, dialler to acceptor: long version (-65536), long own id, int length, own address `host:port` as text.
// After it, both ways: int length, message.

import { bracketed, isWildcard } from '../quorum/java-address.js';
import type { Runtime, Timer } from '../runtime.js';
import {
  type Connection,
  type Listener,
  type ListenPlace,
  listenAt,
  type Network,
  openWhile,
  samePlace,
} from './network.js';
import type { QuorumAuth } from './sasl/quorum-auth.js';

const VERSION_ONE_ADDRESS = -65536n;
const VERSION_ADDRESSES = -65535n;
const LONGEST_ADDRESS = 2048;
const LARGEST_MESSAGE = 512 * 1024;
const HEAD = 20;
/**
 * Waits between probes of a server whose connection was lost, or dials of one that ends each without a word, the first and the last.
 * Milliseconds.
 */
const FIRST_PROBE_MS = 10;
const LAST_PROBE_MS = 640;
const BIND_AGAIN_MS = 1000;
/** So often a server that was sent something may be found not to have answered, before it is dialled anew. */
const MOST_SILENCES = 2;
const LAST_PORT = 65_535;
const NOTHING = Buffer.alloc(0);
/** Connections of servers that are no members: joiners, and whoever else speaks like a server. */
const MOST_STRANGERS = 100;
/** Connections that have not said whose they are: more than servers that come at the same moment. */
const MOST_SILENT = 1000;
/** A server without an id of its own. */
const NO_ID = 2n ** 63n - 1n;

export interface ElectionAddress {
  readonly host: string;
  readonly port: number;
}

export interface ElectionPortHost {
  readonly id: number;
  readonly network: Network;
  readonly runtime: Runtime;
  /** How servers prove to each other who they are, behind the initial message; undefined if they need not. */
  readonly auth: QuorumAuth | undefined;
  /** Own addresses, as others may dial them. */
  readonly addresses: readonly ElectionAddress[];
  /** Whether the others are told all of them (multiAddress.enabled), which servers before 3.6 do not understand. */
  readonly tellAll: boolean;
  /** Whether to listen on all addresses. */
  readonly listenOnAll: boolean;
  /** Milliseconds until a dial is given up; where there are other addresses to try, `addressTimeout`. */
  readonly connectTimeout: number;
  readonly addressTimeout: number;
  /** So often is tried to listen where that fails, a second apart; 0 for without end. An address that is taken is not tried again. */
  readonly bindAttempts: number;
  /** Milliseconds within which a connection must say whose it is. */
  readonly greetingTimeout: number;
  readonly keepAlive: boolean;
  /** Where the configuration says that a server listens, in the order to try. */
  addressesOf(id: number): readonly ElectionAddress[];
  onMessage(from: number, message: Buffer): void;
  /** Nobody listens where the server should. */
  onDown(id: number): void;
  guard(action: () => void): void;
  warn(message: string): void;
}

interface Peer {
  readonly id: number;
  wire: Connection | null;
  /** The message that has not been sent. */
  slot: Buffer | null;
  /** The message sent last: a fresh connection gets it again. */
  last: Buffer | null;
  /** Ends the dialling that is under way. */
  endDial: (() => void) | undefined;
  attempts: number;
  /** Addresses in a row at which nobody listened. */
  refusals: number;
  /** Why it cannot be reached; undefined while it can, or nothing is known. */
  problem: string | undefined;
  down: boolean;
  /** Where it said that it listens. */
  told: ElectionAddress | undefined;
  /** How often it was found not to have answered what was sent on the connection; undefined if it has. */
  silences: number | undefined;
  /** Milliseconds to wait before it is dialled again: it ended the last connection soon, and said nothing. */
  wait: number;
}

export class ElectionPort {
  private readonly host: ElectionPortHost;
  private readonly peers = new Map<number, Peer>();
  private readonly greeting = new Set<Connection>();
  private addresses: readonly ElectionAddress[];
  private readonly listening: { readonly place: ListenPlace; readonly listener: Listener }[] = [];
  /** Moves, one after the other. */
  private moving: Promise<void> = Promise.resolve();
  private nameless = 0;
  /** Servers that are no members, of which that was said. */
  private readonly toldOf = new Set<number>();
  private closed = false;

  constructor(host: ElectionPortHost) {
    this.host = host;
    this.addresses = host.addresses;
  }

  /**
   * Listens at all own addresses. Resolves with the port of the one that is open first, as the others can be reached there already;
   * rejects with the system's error if none can be opened.
   */
  async listen(): Promise<number> {
    const { addresses } = this;
    const opening = listenAt(addresses, this.host.listenOnAll).map((place) => this.open(place, addresses));
    // What is told meanwhile of other addresses is done after that.
    this.moving = Promise.allSettled(opening).then(() => {});
    try {
      return await Promise.any(opening);
    } catch (e) {
      throw (e as AggregateError).errors[0];
    }
  }

  /** A name that the DNS does not know yet (ZOOKEEPER-3320), or an address that is about to come, may be there a little later. */
  private async open(place: ListenPlace, addresses: readonly ElectionAddress[]): Promise<number> {
    const { runtime, bindAttempts, warn } = this.host;
    for (let attempt = 1; ; attempt++) {
      try {
        const listener = await this.listenTo(place);
        if (this.closed) void listener.close();
        else this.listening.push({ place, listener });
        return listener.port;
      } catch (e) {
        const { code, message } = e as Error & { code?: string };
        const isLast = code === 'EADDRINUSE' || attempt === bindAttempts;
        const which = isLast ? 'not tried again' : `attempt ${attempt} of ${bindAttempts || 'many'}`;
        // The last error of the only address is told by who asked for it.
        if (!this.closed && (!isLast || addresses.length > 1))
          warn(`the election port cannot be opened, ${which}: ${message}`);
        if (isLast || this.closed || this.addresses !== addresses) throw e;
        await new Promise<void>((resolve) => runtime.after(BIND_AGAIN_MS, resolve));
      }
    }
  }

  private listenTo({ host, port }: ListenPlace): Promise<Listener> {
    const { network, keepAlive, warn } = this.host;
    return network.listen(
      { port, host, keepAlive },
      (wire) => this.accept(wire),
      (error) => warn(`election port: ${error.message}`),
    );
  }

  /**
   * Listens at other addresses from now on; those that stay stay open. The others are closed first, as new ones may overlap with
   * them. One that cannot be opened is tried again until it can, or others are wanted.
   */
  move(addresses: readonly ElectionAddress[]): void {
    this.addresses = addresses;
    this.moving = this.moving.then(() => this.moveTo(addresses));
  }

  private async moveTo(addresses: readonly ElectionAddress[]): Promise<void> {
    const { listenOnAll, runtime, warn } = this.host;
    const places = listenAt(addresses, listenOnAll);
    for (const [i, { place, listener }] of [...this.listening.entries()].reverse()) {
      if (places.some((wanted) => samePlace(wanted, place))) continue;
      void listener.close(); // resolves when its last connection has ended; the port is free at once
      this.listening.splice(i, 1);
    }
    for (const place of places) {
      if (this.listening.some((one) => samePlace(one.place, place))) continue;
      const isWanted = (): boolean => this.addresses === addresses && !this.closed;
      const listener = await openWhile(
        isWanted,
        () => this.listenTo(place),
        runtime,
        BIND_AGAIN_MS,
        (error) => warn(`the new election port cannot be opened: ${error.message}`),
      );
      if (listener === undefined) return;
      if (this.closed) void listener.close();
      else this.listening.push({ place, listener });
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const closing = this.listening.map(({ listener }) => listener.close());
    for (const wire of this.greeting) wire.destroy();
    for (const peer of this.peers.values()) {
      peer.wire?.destroy();
      peer.endDial?.();
    }
    await Promise.all(closing);
  }

  /** Sends a message; one that was not sent yet gives way to it. */
  send(to: number, message: Buffer): void {
    if (this.closed) return;
    const peer = this.peer(to);
    peer.slot = message;
    if (peer.wire !== null) this.sendSlot(peer);
    else this.dial(peer);
  }

  /** Whether what was to be sent has left, to some peer at least. */
  delivered(): boolean {
    for (const peer of this.peers.values()) if (peer.slot === null) return true;
    return this.peers.size === 0;
  }

  /** Servers that it knows of. */
  get size(): number {
    return this.peers.size;
  }

  /** Dials every peer that there is something to say to. */
  redial(): void {
    for (const peer of this.peers.values()) if (peer.wire === null) this.dial(peer);
  }

  /**
   * Dials whoever cannot be reached, and, called again and again, who does not answer on a connection that stands. Where the network
   * was away for a while TCP waits for about as long again before it sends once more, up to two minutes; where a firewall has
   * forgotten the connection nothing arrives on it any more, and TCP gives up after a quarter of an hour.
   */
  reach(): void {
    for (const peer of this.peers.values()) {
      if (peer.wire !== null) {
        if (peer.silences === undefined || peer.silences++ < MOST_SILENCES) continue;
        peer.silences = 0;
      }
      this.dial(peer);
    }
  }

  /** Whether nobody listens where the server should. */
  isDown(id: number): boolean {
    const peer = this.peers.get(id);
    return peer !== undefined && peer.wire === null && peer.down;
  }

  /** Why each server that cannot be reached can't. */
  problems(): ReadonlyMap<number, string> {
    const out = new Map<number, string>();
    for (const [id, peer] of this.peers) {
      if (peer.wire === null && peer.problem !== undefined) out.set(id, peer.problem);
    }
    return out;
  }

  isConnected(id: number): boolean {
    return this.peers.get(id)?.wire != null;
  }

  private peer(id: number): Peer {
    let peer = this.peers.get(id);
    if (peer === undefined) {
      peer = {
        id,
        wire: null,
        slot: null,
        last: null,
        endDial: undefined,
        attempts: 0,
        refusals: 0,
        problem: undefined,
        down: false,
        told: undefined,
        silences: undefined,
        wait: 0,
      };
      this.peers.set(id, peer);
    }
    return peer;
  }

  /** Whether no configuration names the server. */
  private isStranger(id: number): boolean {
    return this.host.addressesOf(id).length === 0;
  }

  private get strangers(): number {
    let count = 0;
    for (const id of this.peers.keys()) if (this.isStranger(id)) count++;
    return count;
  }

  /** What is known of a server that is no member goes with its connection: ids can be made up. */
  private forgetStranger(peer: Peer): void {
    if (peer.wire === null && peer.endDial === undefined && this.isStranger(peer.id)) this.peers.delete(peer.id);
  }

  // ---- dialling ----

  private dial(peer: Peer): void {
    if (peer.endDial !== undefined || this.closed) return;
    const known = this.host.addressesOf(peer.id);
    const { told } = peer;
    const addresses = told === undefined || known.some((one) => samePlace(one, told)) ? known : [...known, told];
    const address = addresses[peer.attempts % Math.max(1, addresses.length)];
    if (address === undefined) return;
    peer.attempts++;
    const where = `${bracketed(address.host)}:${address.port}`;
    let wire: Connection;
    try {
      wire = this.host.network.connect(address.host, address.port, { keepAlive: this.host.keepAlive });
    } catch (e) {
      peer.problem = `${where}: ${(e as Error).message}`;
      this.forgetStranger(peer);
      return;
    }
    const limit = addresses.length > 1 ? this.host.addressTimeout : this.host.connectTimeout;
    const timer = this.host.runtime.after(limit, () =>
      failed(`no answer from ${where} within ${limit} ms: a firewall, or the host is down`, false),
    );
    let over = false;
    const end = (): void => {
      over = true;
      timer.cancel();
      peer.endDial = undefined;
    };
    peer.endDial = () => {
      end();
      wire.destroy();
    };
    const failed = (problem: string, down: boolean): void => {
      if (over) return;
      end();
      peer.problem = problem;
      peer.refusals = down ? peer.refusals + 1 : 0;
      peer.down = peer.refusals >= addresses.length; // it may still listen at another address
      wire.destroy();
      if (peer.down) this.host.guard(() => this.host.onDown(peer.id));
      // All of its addresses are tried before it is left alone until there is something new to say.
      else if (peer.attempts % addresses.length !== 0) this.host.guard(() => this.dial(peer));
      this.forgetStranger(peer);
    };
    wire.on('error', (error) =>
      failed(
        error.code === 'ECONNREFUSED' ? `nothing listens at ${where}` : `${where}: ${error.message}`,
        error.code === 'ECONNREFUSED',
      ),
    );
    wire.on('connect', () => {
      if (over) return;
      wire.write(this.greetingMessage());
      const { auth } = this.host;
      if (auth === undefined) dialled(NOTHING);
      else
        auth.prove(wire, address.host, (problem, rest) =>
          problem === undefined ? dialled(rest) : failed(`${where}: ${problem}`, false),
        );
    });
    const dialled = (rest: Buffer): void => {
      if (over) return;
      end();
      peer.problem = undefined;
      peer.refusals = 0;
      peer.down = false;
      // The higher id owns the dialling: that peer now dials back.
      if (peer.id > this.host.id) {
        wire.destroySoon();
        this.forgetStranger(peer);
      } else this.keep(peer, wire, rest);
    };
  }

  /**
   * At once, but one that refuses each connection behind the handshake, as for its certificate, is not asked hundreds of times a
   * second.
   */
  private dialAgain(peer: Peer): void {
    const { wait } = peer;
    peer.wait = Math.min(2 * wait || FIRST_PROBE_MS, LAST_PROBE_MS);
    if (wait === 0) this.dial(peer);
    else {
      this.host.runtime.after(wait, () => {
        if (peer.wire === null) this.dial(peer);
      });
    }
  }

  /**
   * Finds out whether a server is down that will otherwise dial by itself: a connection is opened and closed, without a greeting,
   * as that would end one that the server has dialled meanwhile. A server that is just ending may still take one, which tells
   * nothing, so it is tried again after growing waits.
   */
  private probe(peer: Peer, wait: number): void {
    const [address] = this.host.addressesOf(peer.id);
    if (this.closed || peer.wire !== null || address === undefined || wait > LAST_PROBE_MS) return;
    const wire = this.host.network.connect(address.host, address.port);
    const timer = this.host.runtime.after(wait, () => {
      wire.destroy();
      this.probe(peer, 2 * wait);
    });
    wire.on('connect', () => wire.destroy());
    wire.on('error', (error) => {
      if (error.code !== 'ECONNREFUSED' || this.closed || peer.wire !== null) return;
      timer.cancel();
      peer.problem = `nothing listens at ${bracketed(address.host)}:${address.port}`;
      peer.down = true;
      this.host.guard(() => this.host.onDown(peer.id));
    });
  }

  private greetingMessage(): Buffer {
    const { id, tellAll } = this.host;
    const told = tellAll ? this.addresses : this.addresses.slice(0, 1);
    const text = Buffer.from(
      told.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join('|'),
    );
    const out = Buffer.allocUnsafe(HEAD + text.length);
    out.writeBigInt64BE(tellAll ? VERSION_ADDRESSES : VERSION_ONE_ADDRESS, 0);
    out.writeBigInt64BE(BigInt(id), 8);
    out.writeInt32BE(text.length, 16);
    text.copy(out, HEAD);
    return out;
  }

  // ---- accepting ----

  private accept(wire: Connection): void {
    const { host } = this;
    if (this.closed) {
      wire.destroy();
      return;
    }
    // A server says at once whose it is: of very many that say nothing, the one that came first goes.
    const [first] = this.greeting;
    if (first !== undefined && this.greeting.size >= MOST_SILENT) {
      this.greeting.delete(first);
      first.destroy();
    }
    this.greeting.add(wire);
    let got: Buffer = Buffer.alloc(0);
    let told = false;
    let done = false;
    const from = wire.remoteAddress ?? '';
    const timer: Timer = host.runtime.after(host.greetingTimeout, () => refuse('it does not say whose it is'));
    const refuse = (why: string): void => {
      if (done) return;
      finish();
      host.warn(`a connection from ${from} at the election port is refused: ${why}`);
      wire.destroy();
    };
    const finish = (): void => {
      done = true;
      timer.cancel();
      this.greeting.delete(wire);
    };
    const gone = (): void => {
      if (!done) finish();
      wire.destroy();
    };
    wire.on('error', gone);
    wire.on('end', gone);
    wire.on('close', gone);
    wire.on('data', (chunk) => {
      if (done || told) return;
      got = Buffer.concat([got, chunk]);
      const greeting = parseGreeting(got);
      if (greeting === undefined) return;
      if (typeof greeting === 'string') {
        refuse(greeting);
        return;
      }
      told = true;
      const rest = got.subarray(greeting.length);
      const greeted = (behind: Buffer): void => {
        if (done) return;
        finish();
        host.guard(() => this.greeted(wire, greeting, behind));
      };
      if (host.auth === undefined) greeted(rest);
      else
        host.auth.demand(wire, rest, (problem, behind) => (problem === undefined ? greeted(behind) : refuse(problem)));
    });
  }

  private greeted(wire: Connection, greeting: Greeting, rest: Buffer): void {
    const { host } = this;
    const id = greeting.id === NO_ID ? --this.nameless : Number(greeting.id);
    if (id === host.id) {
      host.warn(
        `a server at ${wire.remoteAddress ?? ''} says it is server ${id}, as this one: two servers have the same id, see their myid files`,
      );
      wire.destroy();
      return;
    }
    if (!this.closed && id >= 0 && this.isStranger(id)) this.tellOfStranger(id, wire);
    if (this.closed || (!this.peers.has(id) && this.isStranger(id) && this.strangers >= MOST_STRANGERS)) {
      wire.destroy();
      return;
    }
    const peer = this.peer(id);
    if (id > host.id || id < 0) {
      this.keep(peer, wire, rest);
      return;
    }
    // This server owns the dialling: close, and dial.
    peer.wire?.destroy();
    peer.wire = null;
    peer.told = greeting.address;
    wire.destroySoon();
    this.dial(peer);
    this.forgetStranger(peer);
  }

  /** Once for each: one that is to be taken in comes again and again. */
  private tellOfStranger(id: number, { remoteAddress }: Connection): void {
    if (this.toldOf.has(id) || this.toldOf.size >= MOST_STRANGERS) return;
    this.toldOf.add(id);
    this.host.warn(
      `server ${id} at ${remoteAddress ?? ''} is no member, its vote does not count: it waits to be taken in, or belongs to another ensemble`,
    );
  }

  // ---- the pair's connection ----

  private keep(peer: Peer, wire: Connection, first: Buffer): void {
    const before = peer.wire;
    peer.wire = wire;
    peer.silences = undefined;
    peer.problem = undefined;
    peer.down = false;
    before?.destroy();
    let unread: Buffer = first;
    let heard = false;
    const since = this.host.runtime.now();
    const gone = (): void => {
      wire.destroy();
      if (peer.wire !== wire) return;
      peer.wire = null;
      // So it is where it does not trust this server's certificate, or speaks no TLS.
      if (!heard) peer.problem = 'the connection is closed before anything comes: see its log';
      if (this.host.runtime.now() - since > LAST_PROBE_MS) peer.wait = 0;
      // What was sent last may be lost; and it should be known soon whether the server is down.
      if (this.isStranger(peer.id)) {
        this.forgetStranger(peer); // it comes again if it is there
        return;
      }
      peer.slot ??= peer.last;
      if (peer.id < this.host.id) this.dialAgain(peer);
      else this.probe(peer, FIRST_PROBE_MS);
    };
    const take = (): void => {
      while (peer.wire === wire && unread.length >= 4) {
        const length = unread.readInt32BE(0);
        if (length < 1 || length > LARGEST_MESSAGE) {
          this.host.warn(`server ${peer.id} sent an election message of ${length} bytes`);
          gone();
          return;
        }
        if (unread.length < 4 + length) return;
        const message = unread.subarray(4, 4 + length);
        unread = unread.subarray(4 + length);
        peer.wait = 0;
        heard = true;
        this.host.guard(() => this.host.onMessage(peer.id, message));
      }
    };
    wire.on('error', gone);
    wire.on('end', gone);
    wire.on('close', gone);
    wire.on('data', (chunk) => {
      if (peer.wire !== wire) return;
      peer.silences = undefined;
      unread = Buffer.concat([unread, chunk]);
      take();
    });
    peer.slot ??= peer.last;
    this.sendSlot(peer);
    take();
  }

  private sendSlot(peer: Peer): void {
    const { wire, slot } = peer;
    if (wire === null || slot === null) return;
    if (wire.writableLength > LARGEST_MESSAGE) return; // it does not read; the newest message goes when it does
    peer.slot = null;
    peer.last = slot;
    const out = Buffer.allocUnsafe(4 + slot.length);
    out.writeInt32BE(slot.length, 0);
    slot.copy(out, 4);
    wire.write(out);
    peer.silences ??= 0;
  }
}

interface Greeting {
  readonly id: bigint;
  readonly address: ElectionAddress | undefined;
  /** Bytes that it takes. */
  readonly length: number;
}

/** Undefined while more is needed; a text for what is no greeting. */
function parseGreeting(buf: Buffer): Greeting | string | undefined {
  if (buf.length < 8) return undefined;
  const version = buf.readBigInt64BE(0);
  if (version >= 0n) return { id: version, address: undefined, length: 8 }; // 3.4 and older
  if (version !== VERSION_ONE_ADDRESS && version !== VERSION_ADDRESSES) return `protocol version ${version}`;
  if (buf.length < HEAD) return undefined;
  const id = buf.readBigInt64BE(8);
  if (id < 0n) return `server id ${id}`;
  const n = buf.readInt32BE(16);
  if (n < 1 || n > LONGEST_ADDRESS) return `an address of ${n} bytes`;
  if (buf.length < HEAD + n) return undefined;
  return { id, address: parseAddress(buf.toString('utf8', HEAD, HEAD + n)), length: HEAD + n };
}

/** The first usable address; wildcards are not. */
function parseAddress(text: string): ElectionAddress | undefined {
  for (const one of text.split('|')) {
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(one);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    if (host !== undefined && !isWildcard(host) && port <= LAST_PORT) return { host, port };
  }
  return undefined;
}
