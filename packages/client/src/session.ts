// The session: finds a server, keeps the connection, finds another when it is lost, and answers every call exactly once.

import { performance } from 'node:perf_hooks';
import { clearTimeout } from 'node:timers';
import { ErrorCode, errorName, type JuteReader, OpCode, opName, Xid } from '#protocol';
import { type Call, CallQueue } from './call-queue.js';
import { isCredential } from './check-options.js';
import { type ConnectString, parseConnectString } from './connect-string.js';
import { Connection, type ConnectionHandler, SERVER_CLOSED } from './connection.js';
import { dial, type Opening, takesWrites } from './dial.js';
import { CLOSED, KeeperError } from './errors.js';
import {
  type ConnectResponse,
  NO_SESSION,
  readConnectResponse,
  type SessionTicket,
  writeConnectRequest,
} from './handshake.js';
import { type Endpoint, Hosts, systemResolver } from './hosts.js';
import { limited, timeoutRefusal, unlessAborted } from './limits.js';
import { onAbort } from './on-abort.js';
import type { CallOptions, ClientOptions, Credential } from './options.js';
import { closeSession, type Request } from './requests.js';
import { pause } from './retry.js';
import { beginLogin, type SaslExchange } from './sasl.js';
import type { SessionState, StateChange } from './states.js';
import { after, nextTick } from './timers.js';
import { eventTypeName } from './watch-events.js';
import { REARM_CHUNK_BYTES, type RearmRequest, WatchRegistry } from './watch-registry.js';

const MAX_XID = 0x7fffffff;
const PROBE_MIN = 100;
const PROBE_MAX = 60_000;
/** How often SRV records are looked at while connected, in milliseconds. Source: DnsSrvHostProvider of Apache's client. */
const SRV_REFRESH = 60_000;
/** Apache's client pings at least this often. */
const MAX_PING_INTERVAL = 10_000;
/** A connection that has lasted so long, in milliseconds, was of use: the next one is sought without a pause. */
const USEFUL_CONNECTION = 1000;
/** How long `connect` waits for a session if nothing else is said, in milliseconds. */
export const CONNECT_LIMIT = 15_000;
/** Largest request, as Apache's servers have it: jute.maxbuffer. */
const MAX_REQUEST = 0xfffff;
/** Largest answer, in bytes, unless requests may be larger: what was written is to be read again. */
const MAX_ANSWER = 64 * 1024 * 1024;
/** What an answer has beside data, a Stat above all. */
const REPLY_MARGIN = 1024;

const RESOLVED = Promise.resolve();

/** Operations that change nothing on the server, so that it does not matter whether one was executed. */
const READS = new Set<number>([
  OpCode.exists,
  OpCode.getData,
  OpCode.getACL,
  OpCode.getChildren2,
  OpCode.sync,
  OpCode.multiRead,
  OpCode.getEphemerals,
  OpCode.getAllChildrenNumber,
  OpCode.whoAmI,
  OpCode.checkWatches,
]);

export const isRead = (op: number): boolean => READS.has(op);

/** A credential, and who waits to hear that the server has accepted it. */
interface Identity {
  readonly scheme: string;
  readonly auth: Buffer;
  accepted: boolean;
  /** Whether a server was told of it. */
  sent: boolean;
  readonly waiters: Set<{ readonly resolve: () => void; readonly reject: (error: Error) => void }>;
}

export interface SessionHooks {
  onState(change: StateChange): void;
  /** What a watcher has thrown. */
  onError(error: unknown): void;
}

export class Session implements ConnectionHandler {
  state: SessionState = 'connecting';
  /** Milliseconds; what was asked for, until a server has answered. */
  timeout: number;
  readonly chroot: string;
  readonly watches: WatchRegistry;
  /** The last zxid that the server has shown us: what the next server must have got to. */
  lastZxid = 0;
  /**
   * The same of answers alone, which come after all events up to their zxid. An event says nothing about further events of
   * its transaction: what has changed since is asked from here on after a reconnect.
   */
  private answeredZxid = 0;
  private ticket: SessionTicket;
  private readonly options: ClientOptions;
  private readonly hooks: SessionHooks;
  private readonly hosts: Hosts;
  private readonly opening: Opening;
  private readonly maxOutstanding: number;
  private readonly maxRequest: number;
  private readonly srvRefresh: number;
  private readonly identities: Identity[];
  /** Those whose replies are due, in order. */
  private authReplies: Identity[] = [];
  private connection: Connection | undefined;
  /** The server that a session is sought with. */
  private attempt: { readonly endpoint: Endpoint; giveUp(): void } | undefined;
  private readonly sent = new CallQueue();
  private readonly waiting = new CallQueue();
  private readonly drainWaiters = new Set<() => void>();
  private xid = 0;
  /** True from when a caller is answered until it, and all that waits for promises, has run: notifications wait until then. */
  private answered = false;
  private seenReadWrite = false;
  /** Whether the server that was connected last takes writes: one that serves reads only certainly does none. */
  private takesWrites = false;
  /** The time-out to ask for, in milliseconds. */
  private readonly wantedTimeout: number;
  /** `performance.now()` when the last request was sent that is answered: the server has heard from us since. */
  private heardSince = 0;
  /** The request that will show it next: its xid, 0 for none, and when it was sent. */
  private probe = 0;
  private probeSent = 0;
  private lastFailure: Error | undefined;
  /** Why the client has ended by itself. */
  private endReason: Error | undefined;
  private readonly over = new AbortController();
  private running: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  /** Ends the looking at SRV records. */
  private following = new AbortController();

  constructor(target: ConnectString, options: ClientOptions, hooks: SessionHooks) {
    this.options = options;
    this.hooks = hooks;
    this.chroot = target.chroot;
    this.wantedTimeout = Math.trunc(options.sessionTimeout ?? 30_000); // times that are computed are seldom whole
    this.timeout = this.wantedTimeout;
    this.maxOutstanding = options.maxOutstanding ?? 1000;
    this.maxRequest = options.maxRequest ?? MAX_REQUEST;
    this.srvRefresh = options.srvRefresh ?? SRV_REFRESH;
    this.ticket = options.session ?? NO_SESSION;
    this.seenReadWrite = options.session !== undefined;
    const { minDelay = 50, maxDelay = 2000 } = options.reconnect ?? {};
    this.hosts = new Hosts(target, options.resolver ?? systemResolver, { minDelay, maxDelay });
    this.opening = { tls: options.tls === true ? {} : options.tls || undefined, open: options.open };
    this.identities = (options.auth ?? []).map((credential) => identity(credential, true));
    const chunk = Math.min(REARM_CHUNK_BYTES, this.maxRequest / 2);
    this.watches = new WatchRegistry(target.chroot, chunk, (error) => hooks.onError(error));
  }

  get id(): bigint {
    return this.ticket.id;
  }

  get password(): Buffer {
    return this.ticket.password;
  }

  /** The server that we are connected to, as the connection string has it. */
  get server(): string | undefined {
    return this.connection === undefined ? undefined : this.connection.remote;
  }

  /** Why the last attempt to connect failed, or the last connection was lost. */
  get problem(): Error | undefined {
    return this.lastFailure;
  }

  /** Calls that are not answered yet. */
  get backlog(): number {
    return this.sent.length + this.waiting.length;
  }

  /** See Client.sessionSafeUntil. */
  get safeUntil(): number {
    return this.heardSince + this.timeout;
  }

  get isOver(): boolean {
    return this.over.signal.aborted;
  }

  start(): void {
    this.running ??= this.run();
  }

  // ---- calls ----

  /** Sends the request as soon as there is a connection that takes it. */
  call<T>(request: Request<T>, options?: CallOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const call: Call = {
        request,
        resolve: resolve as (value: unknown) => void,
        reject,
        xid: 0,
        waitsSince: 0,
        covered: false,
        settled: false,
        release: undefined,
      };
      if (this.isOver || (this.closing !== undefined && request.op !== OpCode.closeSession)) {
        reject(this.errorFor(call, this.overCode(), this.endReason?.message, this.endReason));
        return;
      }
      const { timeout, signal } = options ?? {};
      if (timeout !== undefined || signal !== undefined) this.limit(call, timeout, signal);
      if (call.settled) return;
      if (this.waiting.length === 0 && this.takesMore()) this.transmit(call);
      else {
        call.waitsSince = performance.now();
        this.waiting.push(call);
      }
    });
  }

  private takesMore(): boolean {
    return this.connection?.takesMore === true && this.sent.length < this.maxOutstanding;
  }

  private transmit(call: Call): void {
    this.xid = this.xid === MAX_XID ? 1 : this.xid + 1;
    const { xid } = this;
    const { request } = call;
    const { watch, op } = request;
    call.covered = watch !== undefined && this.watches.isCovered(watch);
    const armWatch = watch !== undefined && !call.covered;
    try {
      this.connection?.send((w) => request.write(w.int(xid).int(op), armWatch));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const path = this.visible(request.path);
      settle(call, new KeeperError(ErrorCode.BadArguments, opName(op), path, { message, cause: error }));
      return;
    }
    call.xid = xid;
    this.sent.push(call);
    if (this.probe !== 0) return;
    this.probe = xid;
    this.probeSent = performance.now();
  }

  private limit(call: Call, timeout: number | undefined, signal: AbortSignal | undefined): void {
    const refused = timeoutRefusal(opName(call.request.op), timeout);
    if (refused !== undefined) {
      settle(call, refused);
      return;
    }
    if (signal?.aborted) {
      settle(call, signal.reason);
      return;
    }
    const abort = (): void => settle(call, signal?.reason);
    const expire = (): void =>
      settle(call, this.errorFor(call, ErrorCode.OperationTimeout, 'no answer within the time limit'));
    if (timeout !== undefined && timeout <= 0) {
      expire();
      return;
    }
    const timer = timeout === undefined ? undefined : after(timeout, expire);
    const stop = signal && onAbort(signal, abort);
    call.release = () => {
      clearTimeout(timer);
      stop?.();
    };
  }

  /** Resolves when fewer calls than maxOutstanding are unanswered, and when the client ends. */
  drained(options?: CallOptions): Promise<void> {
    if (this.backlog < this.maxOutstanding) return Promise.resolve();
    return limited('drained', options, (resolve) => {
      this.drainWaiters.add(resolve);
      return () => this.drainWaiters.delete(resolve);
    });
  }

  private tellDrained(): void {
    if (this.drainWaiters.size === 0 || this.backlog >= this.maxOutstanding) return;
    for (const resolve of [...this.drainWaiters]) resolve();
  }

  // ---- frames ----

  onFrame(r: JuteReader): boolean {
    const xid = r.int();
    if (xid === Xid.notification && this.answered) return false;
    const zxid = r.long53();
    const err = r.int();
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    if (xid === Xid.notification) {
      this.notified(r, zxid);
      return true;
    }
    if (zxid > this.answeredZxid) this.answeredZxid = zxid;
    if (xid === Xid.auth) this.authenticated(err);
    else if (xid === Xid.setWatches) this.rearmed(err);
    else if (xid === Xid.ping) this.heardSince = Math.max(this.heardSince, this.connection?.pingAnswered() ?? 0);
    else this.replied(r, xid, err);
    return true;
  }

  onTurn(): void {
    while (this.waiting.length > 0 && this.takesMore()) {
      const call = this.waiting.shift();
      if (call !== undefined && !call.settled) this.transmit(call);
    }
    this.tellDrained();
  }

  private replied(r: JuteReader, xid: number, err: number): void {
    const call = this.sent.take(xid);
    if (call === undefined) {
      this.lose(`an answer to request ${xid}, which is not under way`);
      return;
    }
    if (xid === this.probe) {
      this.heardSince = this.probeSent;
      this.probe = 0;
    }
    call.request.onAnswer?.();
    if (call.settled) return;
    const { request } = call;
    if (request.watch !== undefined) {
      this.watches.replied(request.watch, err);
      // The persistent watch that stood for it has gone meanwhile.
      if (call.covered && !this.watches.isCovered(request.watch)) this.rearmPath(request.watch.path);
    }
    this.holdEvents();
    if (err !== ErrorCode.Ok) {
      if (err !== ErrorCode.NoNode || request.nullIfMissing !== true) settle(call, this.errorFor(call, err));
      else succeed(call, null);
      return;
    }
    try {
      succeed(call, request.read(r));
    } catch (error) {
      settle(call, error instanceof KeeperError ? error : this.errorFor(call, ErrorCode.MarshallingError));
      if (!(error instanceof KeeperError)) this.lose(`an answer that cannot be read: ${error}`);
    }
  }

  /**
   * A socket that was paused hands out what has come meanwhile chunk after chunk, and no caller goes on between two of them: that a
   * chunk was handled says nothing. A tick that is asked for among what waits for promises comes when all of that has run.
   */
  private holdEvents(): void {
    if (this.answered) return;
    this.answered = true;
    void RESOLVED.then(this.onCallersWaiting);
  }

  private readonly onCallersWaiting = (): void => nextTick(this.onCallersDone);

  private readonly onCallersDone = (): void => {
    this.answered = false;
  };

  // WatcherEvent: int type, int state, ustring path
  private notified(r: JuteReader, zxid: number): void {
    const type = eventTypeName(r.int());
    r.int();
    const path = r.string();
    if (type === undefined || type === 'none' || path === null) return;
    this.watches.notify(type, path, zxid > 0 ? zxid : undefined);
  }

  /** Has the server watch a path again after it has stopped; it tells what has changed since its last answer. */
  rearmPath(path: string): void {
    const request = this.watches.rearmPath(path, this.answeredZxid);
    if (request !== undefined && this.connection !== undefined) this.sendRearm(this.connection, request);
  }

  private sendRearm(connection: Connection, { op, write }: RearmRequest): void {
    connection.send((w) => write(w.int(Xid.setWatches).int(op)));
  }

  private rearmed(err: number): void {
    // Without its watches the session would miss events and not say so.
    if (err !== ErrorCode.Ok) this.lose(`watches could not be set again: ${errorName(err)}`);
  }

  // ---- identities ----

  /** Presents an identity on this connection and on all that follow. Rejects with AuthFailed if it is refused. */
  addAuth(credential: Credential, options?: CallOptions): Promise<void> {
    if (this.isOver) return Promise.reject(this.endError('auth'));
    if (!isCredential(credential)) {
      const message = 'expected are a scheme as text, and auth as text or bytes';
      return Promise.reject(new KeeperError(ErrorCode.BadArguments, 'auth', undefined, { message }));
    }
    const added = identity(credential, false);
    return limited('auth', options, (resolve, reject) => {
      const waiter = { resolve, reject };
      added.waiters.add(waiter);
      this.identities.push(added);
      if (this.connection !== undefined) this.sendAuth(this.connection, added);
      return () => {
        added.waiters.delete(waiter);
        // Who gives up before it was sent has presented nothing.
        if (!added.sent) this.forgetIdentity(added);
      };
    });
  }

  private forgetIdentity(one: Identity): void {
    const at = this.identities.indexOf(one);
    if (at >= 0) this.identities.splice(at, 1);
  }

  // AuthPacket: int type, ustring scheme, buffer auth
  private sendAuth(connection: Connection, added: Identity): void {
    connection.send((w) => w.int(Xid.auth).int(OpCode.auth).int(0).string(added.scheme).buffer(added.auth));
    this.authReplies.push(added);
    added.sent = true;
  }

  private authenticated(err: number): void {
    const one = this.authReplies.shift();
    if (one === undefined) return;
    if (err === ErrorCode.Ok) {
      // Who presents the same again and again has one identity, for the next connection too.
      const isSame = (other: Identity): boolean => other.scheme === one.scheme && other.auth.equals(one.auth);
      if (this.identities.some((other) => other !== one && other.accepted && isSame(other))) this.forgetIdentity(one);
      one.accepted = true;
      for (const { resolve } of [...one.waiters]) resolve();
      return;
    }
    this.forgetIdentity(one);
    const error = new KeeperError(ErrorCode.AuthFailed, 'auth', undefined, { message: `scheme ${one.scheme}` });
    for (const { reject } of [...one.waiters]) reject(error);
    // Going on without an identity that the program counts on would change what it may do, unnoticed.
    if (one.accepted) this.end('authFailed', error);
    else this.lose('an identity was refused'); // the server does the same; calls from now on wait
  }

  // ---- connections ----

  private async run(): Promise<void> {
    while (!this.isOver) {
      try {
        const wait = this.hosts.pause;
        if (wait > 0) await pause(wait, this.over.signal);
        const endpoint = await unlessAborted(this.hosts.next(), this.over.signal);
        if (this.isOver) return;
        if (endpoint === undefined) throw this.hosts.problem ?? new Error('no server is known');
        await this.serve(endpoint);
      } catch (error) {
        this.lastFailure = error instanceof Error ? error : new Error(String(error));
      }
      this.giveUpWaiting();
    }
  }

  /** Connects and serves until the connection is lost. */
  private async serve(endpoint: Endpoint): Promise<void> {
    const stop = new AbortController();
    const release = onAbort(this.over.signal, () => stop.abort());
    this.attempt = { endpoint, giveUp: () => stop.abort() };
    try {
      await this.serveUntil(endpoint, stop.signal);
    } finally {
      this.attempt = undefined;
      release();
    }
  }

  private async serveUntil(endpoint: Endpoint, stop: AbortSignal): Promise<void> {
    const limit = this.options.connectTimeout ?? this.attemptLimit;
    const socket = await dial(endpoint, this.opening, limit, stop);
    const { maxFrame = Math.max(MAX_ANSWER, this.maxRequest + REPLY_MARGIN) } = this.options;
    const connection = new Connection(socket, { maxFrame, maxRequest: this.maxRequest });
    const giveUp = (): void =>
      connection.destroy(this.isOver ? 'the client was closed' : `${endpoint.host} has left the list of servers`);
    if (stop.aborted) giveUp();
    const release = onAbort(stop, giveUp);
    const timer = after(limit, () => connection.destroy(`no session within ${limit} ms`));
    const ended = new AbortController();
    try {
      const response = await this.openSession(connection, endpoint);
      if (response === undefined || this.isOver) return;
      if (!this.hosts.isKnown(endpoint)) throw new Error(`${endpoint.host} has left the list of servers`);
      this.attempt = undefined;
      clearTimeout(timer);
      this.hosts.took(endpoint);
      const began = performance.now();
      this.attach(connection, response);
      if (response.readOnly) void this.seekReadWrite(ended.signal);
      this.followSrv(this.srvRefresh);
      const reason = await connection.closed;
      // Not for one that is lost at once, time and again: then the pauses grow.
      if (connection.lastReceived - began >= USEFUL_CONNECTION) this.hosts.served();
      this.detach(connection, reason);
    } finally {
      ended.abort();
      this.following.abort();
      clearTimeout(timer);
      release();
      connection.destroy('done');
    }
  }

  /** A session outlives attempts that nobody answers: there is time for three, and for each server. So there is in `connect`. */
  private get attemptLimit(): number {
    const time = this.id === 0n ? Math.min(this.timeout, CONNECT_LIMIT) : this.timeout;
    return Math.max(1000, time / Math.max(3, this.hosts.size));
  }

  /** Undefined if the session has expired. */
  private async openSession(connection: Connection, endpoint: Endpoint): Promise<ConnectResponse | undefined> {
    const ticket = this.seenReadWrite ? this.ticket : NO_SESSION;
    const { readOnly = false, sasl } = this.options;
    // Before a session is opened, which would be left behind if there is nothing to log in with.
    const login = sasl === undefined ? undefined : await whileOpen(connection, beginLogin(sasl, endpoint.host));
    const sentAt = performance.now();
    connection.send((w) => writeConnectRequest(w, ticket, this.lastZxid, this.wantedTimeout, readOnly));
    const response = readConnectResponse(await nextFrame(connection).catch((error) => this.unanswered(error)));
    if (response === undefined) throw new Error(`${connection.remote} opens no sessions now`);
    if (response.timeout <= 0) {
      this.hosts.prefer(endpoint);
      this.expire();
      return undefined;
    }
    this.heardSince = sentAt;
    if (login !== undefined) await this.authenticate(connection, login);
    return response;
  }

  /** Servers do not say why they refuse a session. Throws what can be said. */
  private unanswered(error: Error): never {
    if (error.message !== SERVER_CLOSED || this.lastZxid === 0) throw error;
    const seen = `zxid 0x${this.lastZxid.toString(16)}`;
    const message = `${SERVER_CLOSED} without an answer: it takes no clients now, or is behind what this one has seen (${seen})`;
    throw new Error(message, { cause: error });
  }

  // GetSASLRequest: buffer token; SetSASLResponse: buffer token
  private async authenticate(connection: Connection, login: SaslExchange): Promise<void> {
    const refuse = (message: string): KeeperError => {
      const error = new KeeperError(ErrorCode.AuthFailed, 'sasl', undefined, { message });
      this.end('authFailed', error);
      return error;
    };
    for (let token: Uint8Array | undefined = login.first(); token !== undefined; ) {
      const reply = await this.exchangeToken(connection, token);
      if (reply === undefined) {
        const message = 'the server refuses the login';
        throw login.refused?.() === true ? new Error(message) : refuse(message);
      }
      try {
        token = login.answer(reply);
      } catch (error) {
        throw refuse(error instanceof Error ? error.message : String(error));
      }
    }
  }

  /** Undefined if the server has refused. */
  private async exchangeToken(connection: Connection, token: Uint8Array): Promise<Buffer | null | undefined> {
    this.xid = this.xid === MAX_XID ? 1 : this.xid + 1;
    connection.send((w) => w.int(this.xid).int(OpCode.sasl).buffer(token));
    const frame = await nextFrame(connection);
    if (frame.readInt32BE(12) !== ErrorCode.Ok) return undefined;
    const length = frame.readInt32BE(16);
    return length < 0 ? null : frame.subarray(20, 20 + length);
  }

  private attach(connection: Connection, response: ConnectResponse): void {
    const isSame = this.ticket.id === response.id;
    this.ticket = response;
    this.timeout = response.timeout;
    this.seenReadWrite ||= !response.readOnly;
    this.takesWrites = !response.readOnly;
    this.connection = connection;
    this.authReplies = [];
    for (const one of this.identities) this.sendAuth(connection, one);
    for (const request of this.watches.rearm(this.answeredZxid)) this.sendRearm(connection, request);
    const readTimeout = (response.timeout * 2) / 3;
    connection.watchOver(Math.min(readTimeout / 2, MAX_PING_INTERVAL), readTimeout);
    this.enter(response.readOnly ? 'connectedReadOnly' : 'connected', isSame ? 'sameSession' : 'newSession');
    if (this.connection !== connection) return; // a listener has moved it on
    this.watches.resync(isSame ? 'reconnected' : 'newSession');
    connection.handle(this);
    this.onTurn();
  }

  /** Gives the connection up. Calls from now on wait for the next one. */
  private lose(reason: string): void {
    const { connection } = this;
    connection?.destroy(reason);
    if (connection !== undefined) this.detach(connection, new Error(reason));
  }

  private detach(connection: Connection, reason: Error): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    this.probe = 0;
    this.lastFailure = reason;
    // Those that waited for their turn go with those before them: the order of calls has no gaps.
    const calls = [...this.sent.drain(), ...this.waiting.drain()];
    if (this.isOver) {
      this.rejectAll(calls, this.overCode(), this.endReason);
      return;
    }
    this.enter('suspended', reason);
    this.rejectAll(calls, ErrorCode.ConnectionLoss, reason);
  }

  /** While a server serves reads only, looks for one that takes writes as well, as Apache's client does. */
  private async seekReadWrite(ended: AbortSignal): Promise<void> {
    for (let delay = PROBE_MIN; await hasPassed(delay, ended); delay = Math.min(PROBE_MAX, delay * 2)) {
      for (const endpoint of await this.hosts.all()) {
        if (!(await takesWrites(endpoint, this.opening, 1000, ended))) continue;
        this.hosts.prefer(endpoint);
        if (!ended.aborted) this.lose('moving to a server that takes writes');
        return;
      }
    }
  }

  /** If the servers are those of SRV records, looks at them now and then, and moves when the load is to be spread anew. */
  private followSrv(firstDelay: number): void {
    this.following.abort();
    if (!this.hosts.isSrv) return;
    this.following = new AbortController();
    void this.lookAtSrv(firstDelay, this.following.signal);
  }

  private async lookAtSrv(firstDelay: number, ended: AbortSignal): Promise<void> {
    for (let delay = firstDelay; await hasPassed(delay, ended); delay = this.srvRefresh) {
      if ((await this.hosts.refresh()) && !ended.aborted) this.lose('moving to another server');
    }
  }

  /** Calls that nobody could be asked for a whole session time-out are not kept longer; they were never sent. */
  private giveUpWaiting(): void {
    if (this.isOver) return;
    const now = performance.now();
    const calls: Call[] = [];
    for (let first = this.waiting.first(); first !== undefined; first = this.waiting.first()) {
      if (now - first.waitsSince < this.timeout) break;
      this.waiting.shift();
      calls.push(first);
    }
    this.rejectAll(calls, ErrorCode.ConnectionLoss, this.lastFailure);
  }

  /** Moves to other servers; see Hosts.update. @throws TypeError if the string cannot be used */
  updateServerList(text: string): void {
    const target = parseConnectString(text);
    if (target.chroot !== '' && target.chroot !== this.chroot) throw new TypeError('the chroot cannot be changed');
    if (this.hosts.update(target)) this.lose('moving to another server');
    else if (this.connection !== undefined) this.followSrv(0);
    if (this.attempt !== undefined && !this.hosts.isKnown(this.attempt.endpoint)) this.attempt.giveUp();
  }

  // ---- the end ----

  private expire(): void {
    this.ticket = NO_SESSION;
    this.seenReadWrite = false;
    this.lastZxid = 0;
    this.answeredZxid = 0;
    const renew = this.options.renewSession ?? true;
    if (!renew) {
      this.end('expired');
      return;
    }
    const calls = this.waiting.drain();
    this.enter('expired');
    this.rejectAll(calls, ErrorCode.SessionExpired);
    this.watches.endOneShots('expired');
  }

  /** Closes the session, so that its ephemerals go at once. Calls made before are answered first, within the limits. */
  close(limits: CallOptions): Promise<void> {
    this.closing ??= this.sayGoodbye(limits);
    return this.closing;
  }

  private async sayGoodbye(limits: CallOptions): Promise<void> {
    if (this.connection !== undefined) {
      // Not answered, or the connection lost: then the server ends the session when it times out.
      await this.call(closeSession(), limits).catch(() => {});
    }
    this.end('closed');
    await this.running;
  }

  private end(state: 'closed' | 'expired' | 'authFailed', reason?: Error): void {
    if (this.isOver) return;
    this.endReason = reason;
    this.over.abort();
    this.hosts.close();
    this.enter(state, reason);
    this.rejectAll(this.sent.drain(), this.overCode(), reason);
    this.rejectAll(this.waiting.drain(), this.overCode(), reason);
    for (const one of this.identities) for (const { reject } of [...one.waiters]) reject(this.endError('auth'));
    for (const resolve of [...this.drainWaiters]) resolve();
    const told = state === 'expired' ? 'expired' : 'closed';
    this.watches.endOneShots(told);
    this.watches.endPersistent(told);
    this.connection?.destroy('the client was closed');
  }

  /** Why the client is at its end. */
  endError(operation: string): KeeperError {
    const message = this.endReason?.message ?? `the client is ${this.state}`;
    return new KeeperError(this.overCode(), operation, undefined, { message, cause: this.endReason });
  }

  private overCode(): number {
    if (this.state === 'expired') return ErrorCode.SessionExpired;
    return this.state === 'authFailed' ? ErrorCode.AuthFailed : CLOSED;
  }

  private enter(state: SessionState, detail?: Error | 'sameSession' | 'newSession'): void {
    const previous = this.state;
    this.state = state;
    this.hooks.onState({
      state,
      previous,
      sessionId: this.ticket.id,
      server: this.server,
      isNewSession: detail === 'newSession',
      reason: detail instanceof Error ? detail : undefined,
    });
  }

  private rejectAll(calls: readonly Call[], code: number, reason?: Error): void {
    for (const call of calls) if (!call.settled) settle(call, this.errorFor(call, code, reason?.message, reason));
    this.tellDrained();
  }

  private errorFor(call: Call, code: number, message?: string, cause?: Error): KeeperError {
    const { op, path } = call.request;
    const isLocal = code === ErrorCode.ConnectionLoss || code === ErrorCode.OperationTimeout || code === CLOSED;
    const outcomeUnknown = isLocal && call.xid !== 0 && this.takesWrites && !isRead(op);
    return new KeeperError(code, opName(op), this.visible(path), { message, outcomeUnknown, cause });
  }

  private visible(path: string | undefined): string | undefined {
    if (path === undefined || this.chroot === '') return path;
    if (path === this.chroot) return '/';
    return path.startsWith(`${this.chroot}/`) ? path.slice(this.chroot.length) : path;
  }
}

/** Waits; false if the signal is aborted first. */
function hasPassed(delay: number, signal: AbortSignal): Promise<boolean> {
  return pause(delay, signal).then(
    () => true,
    () => false,
  );
}

function succeed(call: Call, result: unknown): void {
  call.settled = true;
  call.release?.();
  call.resolve(result);
}

function settle(call: Call, error: unknown): void {
  if (call.settled) return;
  call.settled = true;
  call.release?.();
  call.reject(error);
}

function identity({ scheme, auth }: Credential, accepted: boolean): Identity {
  return { scheme, auth: Buffer.from(auth as string), accepted, sent: false, waiters: new Set() };
}

/** Settles as `promise` does; rejects if the connection ends before. */
function whileOpen<T>(connection: Connection, promise: Promise<T>): Promise<T> {
  const ended = connection.closed.then((reason) => {
    throw reason;
  });
  return Promise.race([promise, ended]);
}

/** The next frame, as bytes of its own. Rejects if the connection ends before. */
function nextFrame(connection: Connection): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    void connection.closed.then(reject);
    connection.handle({
      onFrame(r) {
        connection.handle(undefined);
        resolve(Buffer.from(r.buf.subarray(r.pos, r.end)));
        return true;
      },
      onTurn() {},
    });
  });
}
