// The client port: accepts connections within limits, answers handshakes, reaps connections that never ask for a session.

import { getHeapStatistics } from 'node:v8';
import { DecodeError, JuteReader } from '@nodekeeper/protocol';
import { javaAddress } from '../quorum/java-address.js';
import type { SessionOwner } from '../request/client.js';
import type { AuthRules, Identity } from '../request/identity.js';
import type { RequestProcessor } from '../request/processor.js';
import type { Runtime, Timer } from '../runtime.js';
import { passwordMatches, sessionPassword } from '../session/session-id.js';
import type { Session, SessionTable } from '../session/session-table.js';
import type { DataTree } from '../tree/data-tree.js';
import type { ExtendedTypes } from '../tree/owner.js';
import type { AuthSettings } from './auth.js';
import { ClientConnection } from './client-connection.js';
import type { ConnectionThrottle } from './connection-throttle.js';
import { type Connection, LEFT_TO_FILES, type Listener, type Network } from './network.js';
import { RequestThrottler, type RequestThrottleSettings } from './request-throttler.js';
import { type SaslLogin, type SaslSettings, saslLogins } from './sasl/login.js';
import { TlsEntry, type TlsSettings, type TlsTaker } from './tls/tls-entry.js';
import { Turns } from './turns.js';

export interface ClientPortLimits {
  /** jute.maxbuffer: the largest frame, in bytes without its prefix. */
  readonly maxBuffer: number;
  /** Connections per address; 0 for no limit. */
  readonly maxClientCnxns: number;
  readonly maxCnxns: number;
  readonly minSessionTimeout: number;
  readonly maxSessionTimeout: number;
  readonly globalOutstandingLimit: number;
  readonly sessionlessTimeout: number;
  readonly backlog: number | undefined;
  readonly keepAlive: boolean;
  /** Requests longer than this, in bytes, count as large; infinite for none. */
  readonly largeRequestThreshold: number;
  /** Bytes of large requests in work beyond which the connection of a further one is closed. */
  readonly largeRequestMaxBytes: number;
  /** Whether connections with TLS are closed, before the handshake, while nothing is served. */
  readonly dropsHandshakesEarly: boolean;
}

export interface ClientPortHooks {
  isCommand(word: number): boolean;
  /** Runs a four-letter word; `rest` is what followed it. */
  runCommand(connection: ClientConnection, word: number, rest: Buffer): void;
  onAbort(connection: ClientConnection, reason: string): void;
  onSaslFailed(connection: ClientConnection, reason: string): void;
  onRejected(address: string, reason: string): void;
  /** Certificates were read again, or could not be. */
  onCertificates(path: string, error: Error | undefined): void;
  /** So many bytes were sent in one write. */
  onResponse(bytes: number): void;
  /** The request throttler let a request go on after so many milliseconds. */
  onAdmitted(waited: number): void;
  nextSessionId(): bigint;
  endTurn(): void;
  /** An error of ours in a turn: the server cannot go on. */
  onFault(error: Error): void;
}

/** What went over the port; plain numbers that the hot path counts up. */
export class PortStats {
  packetsReceived = 0;
  packetsSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** Of notifications, without the lengths in front. */
  watchBytes = 0;
  authFailed = 0;
  connectionRequests = 0;
  rejected = 0;
  revalidations = 0;
  sessionlessExpired = 0;
  /** Connections that clients let go without closing their sessions. */
  dropped = 0;
  /** Names of ensembles that clients told: this one's, another's, and those that were not compared. */
  ensembleNamesRight = 0;
  ensembleNamesWrong = 0;
  ensembleNamesSkipped = 0;
  handshakesFailed = 0;
  handshakesRefused = 0;
  /** Connections that were closed before the handshake as nothing was served. */
  droppedEarly = 0;
  largeRequestsRejected = 0;

  /** Begins all anew but what is told of identities. */
  reset(): void {
    const { authFailed } = this;
    Object.assign(this, new PortStats(), { authFailed });
  }

  /** Begins anew what srvr shows. */
  beginCounts(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.authFailed = 0;
  }
}

/** What clients are served from. */
export interface Serving {
  readonly tree: DataTree;
  readonly sessions: SessionTable<SessionOwner>;
  readonly processor: RequestProcessor;
  /** Only reads, and only to clients that said they take that. */
  readonly readOnly?: boolean;
}

/** What a port takes: bytes as they are, TLS, or either, told apart by the first byte. */
export type Entry = 'plain' | 'tls' | 'either';

/** Bytes that keep a quorum busy that answers within tens of milliseconds, too. */
const MOST_IN_WORK = 1024 * 1024;
/** Descriptors that clients leave to other servers and to files. */
const LEFT_TO_SERVERS = 2 * LEFT_TO_FILES;
/** How long connections are kept while no leader is known. Milliseconds. */
const PARK_MS = 1000;
const NO_PASSWORD = Buffer.alloc(16);

export class ClientPort implements TlsTaker {
  readonly auth: AuthRules;
  readonly authSettings: AuthSettings;
  readonly sasl: SaslSettings | undefined;
  /** Begins a client's login; undefined where nobody can log in. */
  readonly newLogin: (() => SaslLogin) | undefined;
  readonly extendedTypes: ExtendedTypes;
  /** Monotonic milliseconds and wall clock at the start of this turn. */
  now = 0;
  wallTime = 0;
  private current: Serving | null = null;
  private readonly network: Network;
  readonly runtime: Runtime;
  readonly limits: ClientPortLimits;
  readonly turns: Turns;
  readonly stats = new PortStats();
  readonly connections = new Set<ClientConnection>();
  /**
   * Bytes of requests in work, behind which what comes next has to wait: beyond them connections that have their share of them are
   * not read.
   */
  bytesInWork = MOST_IN_WORK;
  /**
   * Bytes of what cannot wait to be written, as notifications and what a later write of the same client pushes out: who is written
   * more while so much is unread, by all clients together, is let go.
   */
  mostUnread = 512 * 1024 * 1024;
  /**
   * Bytes of what all clients watch, beyond which the one that watches most is let go: without a bound one client could end the
   * server, as paths that are watched stand where V8 has no more than so much room.
   */
  mostWatched = getHeapStatistics().heap_size_limit / 2;
  /** Connections that wait until fewer requests are outstanding. */
  readonly overLimit = new Set<ClientConnection>();
  /** Connections whose clients do not take their replies as fast as they come. */
  readonly slow = new Set<ClientConnection>();
  private readonly hooks: ClientPortHooks;
  private readonly requiredSchemes: readonly string[];
  private readonly throttle: ConnectionThrottle;
  /** Null if the number of requests in work has no limit. */
  readonly throttler: RequestThrottler | null;
  private lastIdentity: readonly Identity[] = [];
  /** The watches that are being swept. */
  private swept: DataTree['watches'] | undefined;
  private readonly perAddress = new Map<string, number>();
  /** The tree that parked connections have their watches in. */
  private parkedTree: DataTree | undefined;
  private parkTimer: Timer | undefined;
  private holdTimer: Timer | undefined;
  private readonly listeners = new Map<Entry, Listener>();
  private readonly tls: TlsEntry | undefined;

  constructor(
    parts: {
      readonly network: Network;
      readonly runtime: Runtime;
      readonly auth: AuthRules;
      readonly authSettings: AuthSettings;
      readonly extendedTypes: ExtendedTypes;
      /** Schemes of which a connection must have an identity (enforce.auth.schemes); empty for no such rule. */
      readonly requiredSchemes: readonly string[];
      readonly throttle: ConnectionThrottle;
      readonly requestThrottle: RequestThrottleSettings;
      /** Needed for ports that take TLS. */
      readonly tls: TlsSettings | undefined;
      /** Undefined for no login: then clients are told that there is nothing to prove. */
      readonly sasl: SaslSettings | undefined;
    },
    limits: ClientPortLimits,
    hooks: ClientPortHooks,
  ) {
    this.network = parts.network;
    this.runtime = parts.runtime;
    this.auth = parts.auth;
    this.authSettings = parts.authSettings;
    this.extendedTypes = parts.extendedTypes;
    this.requiredSchemes = parts.requiredSchemes;
    this.throttle = parts.throttle;
    this.sasl = parts.sasl;
    this.newLogin = parts.sasl === undefined ? undefined : saslLogins(parts.sasl, () => parts.runtime.wallTime());
    this.throttler =
      parts.requestThrottle.maxRequests <= 0
        ? null
        : new RequestThrottler(parts.requestThrottle, parts.runtime, {
            processor: () => this.current?.processor ?? null,
            turn: (action) => this.turn(action),
            onAdmitted: (waited) => hooks.onAdmitted(waited),
          });
    this.limits = limits;
    this.hooks = hooks;
    this.turns = new Turns(
      () => this.beginTurn(),
      () => this.endTurn(),
      (error) => hooks.onFault(error),
      parts.runtime,
    );
    this.tls =
      parts.tls === undefined
        ? undefined
        : new TlsEntry(parts.tls, limits.sessionlessTimeout, parts.runtime, {
            onRefused: (address, reason) => this.handshakeRefused(address, reason),
            onFailed: (address, reason) => this.handshakeFailed(address, reason),
            onReloaded: (path) => hooks.onCertificates(path, undefined),
            onReloadFailed: (path, error) => hooks.onCertificates(path, error),
          });
  }

  /** What clients are served from; null while this server has no part in an ensemble: then every connection is closed. */
  get serving(): Serving | null {
    return this.current;
  }

  /** Begins to serve, or with null stops, closing every connection. */
  serve(serving: Serving | null): void {
    if (this.current !== null || serving === null) this.closeConnections('this server stops serving for now');
    this.throttler?.clear();
    this.endHold();
    this.current = serving;
    if (serving !== null) this.takeUpParked(serving);
  }

  /**
   * Stops serving, but keeps connections that wait for nothing: a leader is mostly found within their patience, and their clients
   * need not notice. Those that are still here after {@link PARK_MS} are closed, so that they can look elsewhere.
   */
  park(): void {
    if (this.current === null || this.readOnly) {
      this.serve(null);
      return;
    }
    for (const connection of [...this.connections])
      if (!connection.park()) connection.close('this server stops serving for now');
    this.throttler?.clear();
    this.endHold();
    this.parkedTree = this.current.tree;
    this.current = null;
    this.parkTimer = this.runtime.after(PARK_MS, () =>
      this.turn(() => this.closeParked('no leader was found in time')),
    );
  }

  /** Takes in no more requests, so that what is under way gets finished, until it serves anew or so many milliseconds are over. */
  hold(ms: number): void {
    this.holdTimer?.cancel();
    this.holdTimer = this.runtime.after(ms, () =>
      this.turn(() => {
        this.endHold();
        for (const connection of [...this.connections]) connection.limitLifted();
      }),
    );
  }

  get holding(): boolean {
    return this.holdTimer !== undefined;
  }

  /** While requests are held, pings are not read either: whoever is connected counts as heard. */
  hearHeld(): void {
    if (this.holding) this.hear(this.connectedSessions);
  }

  private endHold(): void {
    this.holdTimer?.cancel();
    this.holdTimer = undefined;
  }

  /** A session did something that did not come through here: a connection of it that was kept is not its client's any more. */
  actedElsewhere(session: bigint): void {
    if (this.parkedTree === undefined) return;
    for (const connection of [...this.connections])
      if (connection.parked && connection.session?.id === session) connection.close('its session went on elsewhere');
  }

  /** Closes the connections that {@link park} kept. */
  closeParked(reason: string): void {
    this.parkTimer?.cancel();
    for (const connection of [...this.connections]) if (connection.parked) connection.close(reason);
    this.parkedTree = undefined;
  }

  /** Lets the parked connections go on if their sessions do. Watches are the tree's: with another tree they would be lost. */
  private takeUpParked({ tree, processor, readOnly }: Serving): void {
    if (this.parkedTree === undefined) return;
    if (tree !== this.parkedTree || readOnly === true) {
      this.closeParked('the data were replaced');
      return;
    }
    this.parkTimer?.cancel();
    this.parkedTree = undefined;
    this.beginTurn();
    for (const connection of [...this.connections])
      if (connection.parked && connection.session !== undefined) processor.takeUp(connection, connection.session);
  }

  /** Whether only reads are served now. */
  get readOnly(): boolean {
    return this.current?.readOnly === true;
  }

  /** Runs what happened to a connection, as a turn. */
  turn(action: () => void): void {
    this.turns.take(action);
  }

  private get active(): Serving {
    if (this.current === null) throw new Error('the server is not serving');
    return this.current;
  }

  /** What clients see; between two leaders, what those that are kept have their watches in. */
  get tree(): DataTree {
    return this.current?.tree ?? this.parkedTree ?? this.active.tree;
  }

  get sessions(): SessionTable<SessionOwner> {
    return this.active.sessions;
  }

  get processor(): RequestProcessor {
    return this.active.processor;
  }

  /** Starts listening. Rejects with the system's error, `EADDRINUSE` among them. Resolves with the port. */
  async listen(port: number, address: string | undefined, entry: Entry = 'plain'): Promise<number> {
    if (entry !== 'plain' && this.tls === undefined) throw new Error('a port with TLS needs its settings');
    const { backlog, keepAlive } = this.limits;
    const listener = await this.network.listen(
      { port, host: address, backlog, keepAlive, forTls: entry !== 'plain', leaves: LEFT_TO_SERVERS },
      (socket) => (entry === 'plain' ? this.accept(socket) : this.acceptSlot(socket, entry)),
      (error) => this.hooks.onRejected('', error.message),
    );
    this.listeners.set(entry, listener);
    return listener.port;
  }

  /**
   * Listens elsewhere from now on; connections stay. The port of before is closed first, as the new place may overlap with it: it
   * is gone even if that cannot be opened, of which the system's error tells.
   */
  move(port: number, address: string | undefined, entry: Entry): Promise<number> {
    void this.listeners.get(entry)?.close(); // resolves when its last connection has ended; the port is free at once
    this.listeners.delete(entry);
    return this.listen(port, address, entry);
  }

  /** Stops accepting and closes every connection. */
  async close(): Promise<void> {
    this.parkTimer?.cancel();
    const closing = [...this.listeners.values()].map((listener) => listener.close());
    this.tls?.close();
    this.closeConnections('server is stopping');
    this.throttler?.stop(this.now);
    await Promise.all(closing);
  }

  private closeConnections(reason: string): void {
    for (const connection of [...this.connections]) connection.close(reason);
  }

  beginTurn(): void {
    this.now = this.runtime.now();
    this.wallTime = this.runtime.wallTime();
    if (this.current === null) return;
    this.current.processor.now = this.now;
    this.current.processor.wallTime = this.wallTime;
  }

  private endTurn(): void {
    const watches = (this.current?.tree ?? this.parkedTree)?.watches;
    if (watches !== undefined && watches.bytes > this.mostWatched) this.boundWatches(watches);
    this.hooks.endTurn();
  }

  private boundWatches(watches: DataTree['watches']): void {
    let most: ClientConnection | undefined;
    for (const connection of this.connections)
      if (most === undefined || watches.bytesOf(connection) > watches.bytesOf(most)) most = connection;
    most?.abort(
      `clients watch more than there is memory for: paths of ${watches.bytes} bytes, ${watches.bytesOf(most)} of them here`,
    );
  }

  /** The probability with which a connect is refused at present. */
  get dropProbability(): number {
    return this.throttle.dropProbability;
  }

  onResponse(bytes: number): void {
    this.stats.bytesSent += bytes;
    this.hooks.onResponse(bytes);
  }

  isCommand(word: number): boolean {
    return this.hooks.isCommand(word);
  }

  runCommand(connection: ClientConnection, word: number, rest: Buffer): void {
    connection.packetsReceived++;
    this.stats.packetsReceived++;
    this.hooks.runCommand(connection, word, rest);
  }

  /** What a connection is by its address alone; connections of one address share it. */
  addressIdentity(address: string): readonly Identity[] {
    if (this.lastIdentity[0]?.id !== address) this.lastIdentity = [{ scheme: 'ip', id: address }];
    return this.lastIdentity;
  }

  onAbort(connection: ClientConnection, reason: string): void {
    this.hooks.onAbort(connection, reason);
  }

  onSaslFailed(connection: ClientConnection, reason: string): void {
    this.hooks.onSaslFailed(connection, reason);
  }

  lacksRequiredAuth(identities: readonly Identity[]): boolean {
    if (this.requiredSchemes.length === 0) return false;
    return !identities.some((identity) => this.requiredSchemes.includes(identity.scheme));
  }

  get requiresSasl(): boolean {
    return this.requiredSchemes.includes('sasl');
  }

  /** Whether so many requests are in work, or wait, that connections with one of them are not read. */
  private get overOutstandingLimit(): boolean {
    const { globalOutstandingLimit } = this.limits;
    if (this.processor.outstanding >= globalOutstandingLimit) return true;
    return this.throttler !== null && this.throttler.length >= globalOutstandingLimit;
  }

  /** Whether a connection with requests in work is to wait until some are answered. */
  isOverLimit({ fifo }: ClientConnection): boolean {
    if (this.overOutstandingLimit) return true;
    return this.overBytesInWork && fifo.bytes * this.processor.busyClients >= this.bytesInWork;
  }

  private get overBytesInWork(): boolean {
    return this.processor.outstandingBytes >= this.bytesInWork;
  }

  /** Whether a large request of that many bytes may be taken in beside those in work. */
  admitsLarge(bytes: number): boolean {
    const inWork = this.processor.largeBytes + (this.throttler?.bytes ?? 0);
    if (inWork + bytes <= this.limits.largeRequestMaxBytes) return true;
    this.stats.largeRequestsRejected++;
    return false;
  }

  /** Bytes that {@link slow} clients have not taken. */
  unsentOfSlow(): number {
    let sum = 0;
    for (const connection of this.slow) sum += connection.unsent;
    return sum;
  }

  /** Lets requests and connections go on that were stopped by limits. To be called when replies were sent. */
  liftLimit(): void {
    if (this.current === null) return;
    this.throttler?.drain(this.now);
    if (this.overLimit.size === 0 || this.overOutstandingLimit || this.overBytesInWork) return;
    const waiting = [...this.overLimit];
    this.overLimit.clear();
    for (const connection of waiting) connection.limitLifted();
  }

  /** Ids of the sessions that are connected here. */
  get connectedSessions(): bigint[] {
    return [...this.connections].flatMap(({ session }) => (session === undefined ? [] : [session.id]));
  }

  /** Counts these clients as heard now, as if each had sent a ping. */
  hear(ids: Iterable<bigint>): void {
    if (this.current === null) return;
    for (const id of ids) {
      const session = this.sessions.get(id);
      if (session !== undefined) this.sessions.touch(session, this.now);
    }
  }

  /** Closes connections that have been without a session for too long. */
  reapSessionless(): void {
    const before = this.now - this.limits.sessionlessTimeout;
    for (const connection of [...this.connections]) {
      if (connection.session !== undefined || connection.waiting > 0 || connection.openedAt > before) continue;
      this.stats.sessionlessExpired++;
      connection.abort(`no session within ${this.limits.sessionlessTimeout} ms`);
    }
  }

  /** A connection has ended. */
  left(connection: ClientConnection): void {
    this.connections.delete(connection);
    this.overLimit.delete(connection);
    if (!connection.holdsSlot) this.release(connection.remoteAddress);
    const tree = this.current?.tree ?? this.parkedTree;
    if (tree?.watches.removeWatcher(connection) === true) this.sweep(tree);
    this.current?.processor.abandon(connection);
  }

  /** Has the watches of those who left removed, a few in each turn. */
  private sweep({ watches }: DataTree): void {
    if (this.swept === watches) return;
    this.swept = watches;
    this.turns.enqueue({
      takeTurn: () => {
        const more = watches.sweep();
        if (!more && this.swept === watches) this.swept = undefined;
        return more;
      },
      flush: () => {},
    });
  }

  private accept(socket: Connection): void {
    this.beginTurn();
    if (this.full(socket)) return;
    const connection = new ClientConnection(socket, this);
    this.connections.add(connection);
    if (this.occupy(connection.remoteAddress)) connection.close('too many connections');
  }

  private full(socket: Connection): boolean {
    const { maxCnxns } = this.limits;
    const count = this.connections.size + (this.tls?.underWay ?? 0);
    if (maxCnxns === 0 || count < maxCnxns) return false;
    this.reject(socket, `maxCnxns of ${maxCnxns} reached`);
    return true;
  }

  /** Counts a connection of the address; true if that is one too many. */
  private occupy(address: string): boolean {
    const { maxClientCnxns } = this.limits;
    const count = (this.perAddress.get(address) ?? 0) + 1;
    this.perAddress.set(address, count);
    if (maxClientCnxns <= 0 || count <= maxClientCnxns) return false;
    this.stats.rejected++;
    this.hooks.onRejected(address, `maxClientCnxns of ${maxClientCnxns} reached`);
    return true;
  }

  private release(address: string): void {
    const count = (this.perAddress.get(address) ?? 1) - 1;
    if (count === 0) this.perAddress.delete(address);
    else this.perAddress.set(address, count);
  }

  /** Takes a connection that may need a handshake first: it counts from now on until its socket has closed. */
  private acceptSlot(socket: Connection, entry: 'tls' | 'either'): void {
    this.beginTurn();
    if (this.full(socket)) return;
    if (entry === 'tls' && this.limits.dropsHandshakesEarly && this.current === null) {
      this.stats.droppedEarly++;
      this.reject(socket, 'nothing is served yet, so that a handshake would be in vain');
      return;
    }
    const address = javaAddress(socket.remoteAddress ?? '');
    socket.on('close', () => this.release(address));
    socket.on('error', () => {});
    if (this.occupy(address)) socket.destroy();
    else this.tls?.take(socket, entry, this);
  }

  /** See {@link TlsTaker}. */
  onPlain(socket: Connection): void {
    this.beginTurn();
    this.connections.add(new ClientConnection(socket, this, true));
  }

  /** See {@link TlsTaker}. */
  onSecure(socket: Connection, identities: readonly Identity[]): void {
    this.beginTurn();
    const connection = new ClientConnection(socket, this, true);
    connection.secure = true;
    connection.addIdentities(identities);
    this.connections.add(connection);
  }

  private handshakeRefused(address: string, reason: string): void {
    this.stats.handshakesRefused++;
    this.stats.rejected++;
    this.hooks.onRejected(address, reason);
  }

  private handshakeFailed(address: string, reason: string): void {
    this.stats.authFailed++;
    this.stats.handshakesFailed++;
    this.hooks.onRejected(address, `no TLS: ${reason}`);
  }

  /** TLS handshakes under way. */
  get handshakes(): number {
    return this.tls?.handshakes ?? 0;
  }

  private reject(socket: Connection, reason: string): void {
    this.stats.rejected++;
    this.hooks.onRejected(socket.remoteAddress ?? '', reason);
    socket.on('error', () => {});
    socket.destroy();
  }

  nextSessionId(): bigint {
    return this.hooks.nextSessionId();
  }

  // ConnectRequest: int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, buffer passwd, [boolean readOnly]
  handshake(connection: ClientConnection, frame: Buffer): void {
    this.stats.packetsReceived++;
    connection.packetsReceived++;
    let lastZxidSeen: number;
    let wanted: number;
    let id: bigint;
    let password: Buffer | null;
    let readOnlyByte = false;
    let takesReadOnly = false;
    try {
      const r = new JuteReader(frame);
      r.int();
      lastZxidSeen = r.long53();
      wanted = r.int();
      id = r.long();
      password = r.buffer();
      if (r.remaining > 0) {
        readOnlyByte = true;
        takesReadOnly = r.bool();
      }
    } catch (e) {
      if (!(e instanceof DecodeError)) throw e;
      connection.abort('undecodable connect request');
      return;
    }
    if (this.current === null) {
      connection.close('this server has no part in an ensemble now');
      return;
    }
    if (!this.throttle.admit(id !== 0n, this.now)) {
      this.stats.rejected++;
      connection.abort('too many connects (connection_throttle_tokens)');
      return;
    }
    this.stats.connectionRequests++;
    if (this.current.readOnly === true && !takesReadOnly) {
      connection.close('this server is read-only now');
      return;
    }
    if (lastZxidSeen > this.tree.lastProcessedZxid) {
      connection.abort(
        `client has seen zxid 0x${lastZxidSeen.toString(16)}, this server only 0x${this.tree.lastProcessedZxid.toString(16)}`,
      );
      return;
    }
    const timeout = Math.min(Math.max(wanted, this.limits.minSessionTimeout), this.limits.maxSessionTimeout);
    if (id === 0n) {
      connection.awaitSession(readOnlyByte);
      if (this.throttler === null) connection.beginSession(timeout);
      else this.throttler.createSession(connection, timeout, this.now);
      return;
    }
    this.reattach(connection, id, password, timeout, readOnlyByte);
  }

  private reattach(
    connection: ClientConnection,
    id: bigint,
    password: Buffer | null,
    timeout: number,
    readOnlyByte: boolean,
  ): void {
    this.stats.revalidations++;
    // The old connection goes first, even if the password turns out wrong.
    this.sessions.get(id)?.owner?.close('the session moved to another connection');
    connection.awaitSession(readOnlyByte);
    if (passwordMatches(id, password)) this.processor.revalidate(connection, id, timeout);
    else connection.revalidated(false);
  }

  // ConnectResponse: int protocolVersion, int timeOut, long sessionId, buffer passwd, [boolean readOnly]
  writeConnectResponse(connection: ClientConnection, session: Session<SessionOwner>): void {
    const out = connection.output();
    out.int(connection.readOnlyByte ? 37 : 36);
    out.int(0);
    out.int(session.timeout);
    out.int(session.idHi);
    out.int(session.idLo);
    out.int(16);
    out.raw(sessionPassword(session.id), 0, 16);
    if (connection.readOnlyByte) out.byte(this.readOnly ? 1 : 0);
  }

  /** The answer to who wants to go on with a session that is gone. */
  writeRefusal(connection: ClientConnection): void {
    const { readOnlyByte } = connection;
    const out = connection.output();
    out.int(readOnlyByte ? 37 : 36);
    for (const word of [0, 0, 0, 0, 16]) out.int(word);
    out.raw(NO_PASSWORD, 0, 16);
    if (readOnlyByte) out.byte(this.readOnly ? 1 : 0);
  }
}
