// One client's connection: frames in, replies and notifications out, within limits. Reads its share of requests per turn, stops
// reading while the client does not take its replies, and keeps nothing for it that has no bound.

import { ErrorCode, JuteReader, OpCode } from '@nodekeeper/protocol';
import { javaAddress } from '../quorum/java-address.js';
import { type Client, DEPARTED, type SessionOwner } from '../request/client.js';
import { Fifo } from '../request/fifo.js';
import { allows, type Identity, mayBeKept } from '../request/identity.js';
import { isWrite } from '../request/processor.js';
import type { ReplyBuffer } from '../request/reply-buffer.js';
import type { Session } from '../session/session-table.js';
import type { WatchEvent } from '../tree/watches.js';
import { authenticate } from './auth.js';
import { ChildStream } from './child-stream.js';
import type { ClientPort } from './client-port.js';
import type { Connection } from './network.js';
import { SaslError } from './sasl/digest-md5.js';
import type { SaslLogin } from './sasl/login.js';
import type { TurnTaker } from './turns.js';

/** What a connection may do in one turn: a request counts 1, and 1 more for each KB of it and of its reply. */
const SHARE = 64;
/** A share with more bytes in and out makes the next input wait for its turn. */
const HEAVY_BYTES = 64 * 1024;
/** Above this many unsent bytes no further request of the connection is read. */
const OUTPUT_PAUSE = 256 * 1024;
/** So many bytes are taken all the same from who has to wait: they show that it lives, pings mostly. */
const HEARD_WAITING = 16 * 1024;
/** Above this many unsent bytes of notifications the connection is given up. */
const OUTPUT_LIMIT = 64 * 1024 * 1024;
/** So much of its own a client may leave unread, however much others do: see {@link ClientPort.mostUnread}. */
const UNREAD_ALLOWED = 4 * 1024 * 1024;
/** Above this many unsent bytes of its own no list of children is written at once, as a later write of the client asks for. */
const LISTS_ALLOWED = 32 * 1024 * 1024;
const DEFERRED_EVENTS_LIMIT = 100_000;
const CLOSE_GRACE_MS = 2000;
const NOTHING = Buffer.alloc(0);

type State = 'handshake' | 'creating' | 'ready' | 'command' | 'leaving' | 'closed' | 'parked';

export class ClientConnection implements Client, TurnTaker {
  readonly socket: Connection;
  private readonly port: ClientPort;
  private state: State = 'handshake';
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Monotonic milliseconds. */
  readonly openedAt: number;
  /** Wall clock, milliseconds since 1970. */
  readonly established: number;
  identities: readonly Identity[];
  session: Session<SessionOwner> | undefined;
  readonly fifo = new Fifo();
  lastOp = 0;
  lastCxid = 0;
  lastZxid = -1;
  packetsReceived = 0;
  packetsSent = 0;
  lastResponseAt = 0;
  lastLatency = 0;
  minLatency = -1;
  maxLatency = 0;
  totalLatency = 0;
  answeredCount = 0;
  /** Whether it came over TLS. */
  secure = false;
  /** Requests that the throttler holds back. */
  waiting = 0;
  /** Whether the throttler dropped one, so that no later one may be done. */
  dropped = false;
  /** Whether the port counts it until its socket has closed, and not only until it has left. */
  readonly holdsSlot: boolean;
  /** Whether the client's ConnectRequest ended with the readOnly byte, so that the response does too. */
  private sendsReadOnly = false;

  private unread: Buffer = NOTHING; // bytes taken from the socket and not yet used
  private unreadStart = 0;
  private unreadEnd = 0;
  private ownsUnread = false;
  private out: ReplyBuffer | null = null;
  private outputFull = false;
  private overLimit = false;
  /** Nothing more comes from the client. */
  private saidAll = false;
  private queued = false;
  private paused = false;
  /** The last share of a turn was large. */
  private heavy = false;
  /** See {@link Client.charge}. */
  private charged = 0;
  private stream: ChildStream | null = null;
  private deferred: WatchEvent[] | null = null;
  private login: SaslLogin | null = null;

  constructor(socket: Connection, port: ClientPort, holdsSlot = false) {
    this.socket = socket;
    this.holdsSlot = holdsSlot;
    this.port = port;
    this.remoteAddress = javaAddress(socket.remoteAddress ?? '');
    this.remotePort = socket.remotePort ?? 0;
    this.openedAt = port.now;
    this.established = port.wallTime;
    this.identities = port.addressIdentity(this.remoteAddress);
    socket.on('data', this.onData);
    socket.on('drain', this.onDrain);
    socket.on('error', this.onGone);
    socket.on('end', this.onEnd);
    socket.on('close', this.onGone);
  }

  get closed(): boolean {
    return this.state === 'closed';
  }

  get blocked(): boolean {
    return this.stream !== null || this.outputFull || this.outputHigh;
  }

  /** So much was written in this turn that it has to leave before more is. */
  private get outputHigh(): boolean {
    return this.out !== null && this.out.pos > OUTPUT_PAUSE;
  }

  get readOnlyByte(): boolean {
    return this.sendsReadOnly;
  }

  /** Begins the counts of `cons` anew. */
  resetStats(): void {
    this.packetsReceived = 0;
    this.packetsSent = 0;
    this.answeredCount = 0;
    this.totalLatency = 0;
    this.lastLatency = 0;
    this.minLatency = -1;
    this.maxLatency = 0;
  }

  /** Requests taken in and not answered. */
  get outstanding(): number {
    return this.fifo.length + this.waiting;
  }

  // ---- input ----

  private readonly onData = (chunk: Buffer): void => {
    if (this.state === 'closed') return;
    this.port.turn(() => {
      this.port.stats.bytesReceived += chunk.length;
      this.append(chunk);
      if (this.paused) {
        this.heard();
        this.listen();
      } else if (!this.queued) {
        if (this.heavy || this.port.turns.full) this.waitForTurn();
        else this.work();
      }
      // What could not be handled yet is copied: the bytes are lent.
      if (!this.ownsUnread && this.unreadStart < this.unreadEnd) this.ownUnread(0);
    });
  };

  private append(chunk: Buffer): void {
    if (this.unreadStart === this.unreadEnd) {
      this.unread = chunk;
      this.unreadStart = 0;
      this.unreadEnd = chunk.length;
      this.ownsUnread = false;
      return;
    }
    this.ownUnread(chunk.length);
    this.unreadEnd += chunk.copy(this.unread, this.unreadEnd);
  }

  /** Has what is unread stand in an own buffer, with room for more behind it. */
  private ownUnread(bytes: number): void {
    if (this.ownsUnread && this.unreadEnd + bytes <= this.unread.length) return;
    const left = this.unreadEnd - this.unreadStart;
    const need = left + bytes;
    const room = this.ownsUnread && need <= this.unread.length ? this.unread : Buffer.allocUnsafeSlow(need * 2);
    this.unread.copy(room, 0, this.unreadStart, this.unreadEnd);
    this.unread = room;
    this.unreadStart = 0;
    this.unreadEnd = left;
    this.ownsUnread = true;
  }

  /** Who asks for much comes after those who do not, and so does who comes behind very much. */
  private waitForTurn(): void {
    this.queued = true;
    this.setPaused(true);
    this.port.turns.enqueue(this);
  }

  /** Handles requests as far as allowed; queues itself if some are left. */
  private work(): void {
    if (this.takeTurn()) {
      this.queued = true;
      this.port.turns.enqueue(this);
    }
  }

  /** See {@link TurnTaker}. */
  takeTurn(): boolean {
    this.queued = false;
    if (this.stream !== null) return this.continueStream();
    if (this.fifo.headReady) this.port.processor.resume(this);
    let share = SHARE;
    let bytes = 0;
    while (share > 0 && this.mayWork() && !this.outputHigh) {
      const written = this.out?.pos ?? 0;
      const used = this.nextFrame();
      if (used < 0) break;
      const handled = used + Math.max(0, (this.out?.pos ?? 0) - written) + this.charged;
      this.charged = 0;
      bytes += handled;
      share -= 1 + (handled >>> 10);
    }
    this.heavy = bytes > HEAVY_BYTES;
    this.port.turns.count(bytes);
    if (this.unreadStart === this.unreadEnd) {
      this.unread = NOTHING;
      this.unreadStart = 0;
      this.unreadEnd = 0;
      this.ownsUnread = false;
    }
    if (this.saidAll && !this.hasFrame()) {
      this.vanish();
      return false;
    }
    const may = this.mayWork();
    const more = may && this.hasFrame();
    this.setPaused(more || !may);
    if (!may) this.listen();
    this.queued = more;
    return more;
  }

  /** Whether the next request may be taken in now. */
  private mayWork(): boolean {
    if (this.outputFull || this.stream !== null) return false;
    if (this.state !== 'ready') return this.state === 'handshake';
    if (this.port.holding) return false;
    // Beyond the limit a connection may still have one request in work.
    this.overLimit = this.outstanding > 0 && this.port.isOverLimit(this);
    return !this.overLimit;
  }

  private hasFrame(): boolean {
    const left = this.unreadEnd - this.unreadStart;
    if (left < 4) return false;
    const length = this.unread.readInt32BE(this.unreadStart);
    return length < 0 || length > this.port.limits.maxBuffer || left - 4 >= length;
  }

  /** Handles one frame; returns its size, or -1 if none is complete. */
  private nextFrame(): number {
    const left = this.unreadEnd - this.unreadStart;
    if (left < 4) return -1;
    const start = this.unreadStart;
    const buf = this.unread;
    const length = buf.readInt32BE(start);
    if (this.state === 'handshake' && this.port.isCommand(length)) {
      this.state = 'command';
      const rest = buf.subarray(start + 4, this.unreadEnd);
      this.unreadStart = this.unreadEnd;
      this.port.runCommand(this, length, rest);
      return -1;
    }
    if (length < 0 || length > this.port.limits.maxBuffer) {
      this.abort(`frame of ${length} bytes, allowed are 0 to ${this.port.limits.maxBuffer} (jute.maxbuffer)`);
      return -1;
    }
    if (length > this.port.limits.largeRequestThreshold && !this.port.admitsLarge(length)) {
      this.abort(`request of ${length} bytes beside other large ones (largeRequestMaxBytes)`);
      return -1;
    }
    if (left - 4 < length) return -1;
    this.unreadStart = start + 4 + length;
    if (this.state === 'handshake') this.port.handshake(this, buf.subarray(start + 4, start + 4 + length));
    else this.request(buf, start + 4, start + 4 + length);
    return length;
  }

  // RequestHeader: int xid, int type
  private request(buf: Buffer, start: number, end: number): void {
    if (end - start < 8) {
      this.abort('frame too short for a request header');
      return;
    }
    const xid = buf.readInt32BE(start);
    const op = buf.readInt32BE(start + 4);
    const { port } = this;
    this.packetsReceived++;
    port.stats.packetsReceived++;
    const session = this.session;
    if (session === undefined) throw new Error('request without a session');
    port.sessions.touch(session, port.now);
    if (op === OpCode.auth) {
      this.auth(xid, buf, start + 8, end);
      return;
    }
    if (op === OpCode.sasl) {
      this.sasl(xid, buf, start + 8, end);
      return;
    }
    this.lastOp = op;
    if (xid >= 0) this.lastCxid = xid; // pings and the like have none of their own
    if (port.lacksRequiredAuth(this.identities)) {
      this.output().header(xid, 0, ErrorCode.SessionClosedRequireSaslAuth);
      this.close('authentication is required');
      return;
    }
    const { throttler } = port;
    if (throttler === null) this.run(xid, op, buf, start + 8, end);
    else throttler.submit(this, xid, op, buf, start + 8, end, port.now);
  }

  /** Does a request with the body `buf[start, end)`. */
  run(xid: number, op: number, buf: Buffer, start: number, end: number): void {
    if (!isKnown(op)) {
      this.output().header(xid, -1, ErrorCode.Unimplemented);
      this.close(`operation ${op} is not known`);
      return;
    }
    this.port.processor.submit(this, xid, op, buf, start, end);
  }

  /** A field may be as long as the request. */
  private reader(buf: Buffer, start: number, end: number): JuteReader {
    return new JuteReader(buf, start, end, this.port.limits.maxBuffer);
  }

  // AuthPacket: int type, ustring scheme, buffer auth
  private auth(xid: number, buf: Buffer, start: number, end: number): void {
    const r = this.reader(buf, start, end);
    let scheme: string | null;
    let token: Buffer | null;
    try {
      r.int();
      scheme = r.string();
      token = r.buffer();
    } catch {
      this.abort('undecodable auth packet');
      return;
    }
    if (scheme === 'ensemble' && this.port.authSettings.ensembleNames !== undefined) {
      this.checkEnsemble(xid, token, this.port.authSettings.ensembleNames);
      return;
    }
    const proved = authenticate(this.port.authSettings, scheme, token, this.remoteAddress, this.identities);
    const identities = proved === null ? null : this.identitiesWith(proved);
    if (identities === null || !mayBeKept(identities)) {
      this.output().header(xid, 0, ErrorCode.AuthFailed);
      this.close(`authentication with scheme ${scheme} failed`);
      return;
    }
    this.identities = identities;
    this.output().header(xid, 0, ErrorCode.Ok);
  }

  /**
   * A client says which ensemble it means to talk to. One that is wrong here is not told so, as it would give up: without an
   * answer it tries its next server. Source: EnsembleAuthenticationProvider of Apache ZooKeeper.
   */
  private checkEnsemble(xid: number, token: Buffer | null, names: ReadonlySet<string> | null): void {
    const { stats } = this.port;
    if (names === null || token === null || token.length === 0) {
      stats.ensembleNamesSkipped++;
    } else if (names.has(token.toString())) {
      stats.ensembleNamesRight++;
    } else {
      stats.ensembleNamesWrong++;
      this.abort('the client looks for another ensemble');
      return;
    }
    this.output().header(xid, 0, ErrorCode.Ok);
  }

  addIdentities(more: readonly Identity[]): void {
    this.identities = this.identitiesWith(more);
  }

  /** The same list if they are known already. */
  private identitiesWith(more: readonly Identity[]): readonly Identity[] {
    const fresh = more.filter((m) => !this.identities.some((i) => i.scheme === m.scheme && i.id === m.id));
    return fresh.length > 0 ? [...this.identities, ...fresh] : this.identities;
  }

  // GetSASLRequest: buffer token → SetSASLResponse: buffer token. Without a login configuration the answer is null.
  private sasl(xid: number, buf: Buffer, start: number, end: number): void {
    const { sasl: settings, newLogin } = this.port;
    let token: Buffer | null;
    try {
      token = this.reader(buf, start, end).buffer();
    } catch {
      this.abort('undecodable sasl packet');
      return;
    }
    if (settings === undefined || newLogin === undefined) {
      this.writeToken(xid, ErrorCode.Ok, null);
      return;
    }
    if (token === null) {
      this.abort('sasl packet without a token');
      return;
    }
    this.login ??= newLogin();
    try {
      const answer = this.login.answer(token);
      const { user } = this.login;
      if (user !== undefined) {
        const isSuper = settings.superUsers.has(user);
        this.addIdentities([{ scheme: 'sasl', id: user }, ...(isSuper ? [{ scheme: 'super', id: '' }] : [])]);
      }
      this.writeToken(xid, ErrorCode.Ok, answer);
    } catch (e) {
      if (!(e instanceof SaslError)) throw e;
      this.saslFailed(xid, e.message, settings.allowFailed);
    }
  }

  private saslFailed(xid: number, reason: string, mayGoOn: boolean): void {
    const { port } = this;
    port.onSaslFailed(this, reason);
    if (mayGoOn && !port.requiresSasl) {
      this.writeToken(xid, ErrorCode.Ok, null);
      return;
    }
    this.writeToken(xid, port.requiresSasl ? ErrorCode.SessionClosedRequireSaslAuth : ErrorCode.AuthFailed, null);
    this.close('SASL failed');
  }

  private writeToken(xid: number, error: number, token: Buffer | null): void {
    const out = this.output();
    const at = out.begin(xid, 0, error);
    out.int(token === null ? -1 : token.length);
    if (token !== null) out.raw(token, 0, token.length);
    out.end(at);
  }

  // ---- the session ----

  /** The handshake asked for a new session, which is being created. */
  awaitSession(readOnlyByte: boolean): void {
    this.sendsReadOnly = readOnlyByte;
    this.state = 'creating';
  }

  /** Asks for a new session of that timeout, in milliseconds. */
  beginSession(timeout: number): void {
    this.port.processor.createSession(this, this.port.nextSessionId(), timeout);
  }

  sessionCreated(): void {
    const session = this.session;
    if (session === undefined) throw new Error('created session is missing');
    this.establish(session);
    this.resumeWork();
  }

  /**
   * Waits, with its session, while the server has no part in an ensemble; {@link revalidated} lets it go on. False if it cannot,
   * because something that it asked for has no answer yet.
   */
  park(): boolean {
    const idle = this.outstanding === 0 && this.stream === null && this.deferred === null;
    if (this.state !== 'ready' || !idle || this.session === undefined || this.session.closing) return false;
    this.state = 'parked';
    this.setPaused(true);
    return true;
  }

  get parked(): boolean {
    return this.state === 'parked';
  }

  revalidated(valid: boolean): void {
    const { session } = this;
    if (this.state === 'parked') {
      if (!valid || session === undefined) {
        this.close('the session is gone');
        return;
      }
      this.state = 'ready';
      this.tellDeferred();
      this.resumeWork();
      return;
    }
    if (!valid || session === undefined) {
      this.port.writeRefusal(this);
      this.close('unknown session or wrong password');
      return;
    }
    this.establish(session);
    this.resumeWork();
  }

  /** Answers the handshake with the session; requests are taken from now on. */
  private establish(session: Session<SessionOwner>): void {
    this.state = 'ready';
    this.session = session;
    session.owner = this;
    this.port.writeConnectResponse(this, session);
  }

  // ---- output ----

  output(): ReplyBuffer {
    if (this.out === null) {
      this.out = this.port.turns.takeBuffer();
      this.port.turns.markDirty(this);
    }
    this.packetsSent++;
    this.port.stats.packetsSent++;
    return this.out;
  }

  charge(bytes: number): void {
    this.charged += bytes;
  }

  flush(): void {
    const out = this.out;
    if (out === null) return;
    this.out = null;
    if (out.pos === 0 || this.socket.destroyed) {
      this.port.turns.giveBack(out);
      return;
    }
    this.port.onResponse(out.pos);
    this.socket.write(out.buf.subarray(0, out.pos));
    const unsent = this.socket.writableLength;
    if (unsent === 0) {
      this.port.turns.giveBack(out);
    } else if (unsent > OUTPUT_PAUSE) {
      this.outputFull = true;
      this.port.slow.add(this);
      this.setPaused(true);
      this.listen();
      this.checkUnread();
      return;
    }
    // Reads may have waited for this output to leave.
    if (this.fifo.headReady && this.stream === null) this.resumeWork();
  }

  private readonly onDrain = (): void => {
    if (!this.outputFull) return;
    this.outputFull = false;
    this.port.slow.delete(this);
    if (this.state === 'parked') return; // goes on when it is taken up
    this.port.turn(() => {
      this.heard(); // what it sends may have to wait unread, behind much that it asked for
      if (this.stream === null) this.port.processor.resume(this);
      this.resumeWork();
    });
  };

  answered(latency: number): void {
    this.answeredCount++;
    this.totalLatency += latency;
    this.lastLatency = latency;
    this.lastResponseAt = this.port.wallTime;
    if (latency > this.maxLatency) this.maxLatency = latency;
    if (this.minLatency < 0 || latency < this.minLatency) this.minLatency = latency;
    if (this.paused && !this.queued) this.resumeWork();
  }

  private resumeWork(): void {
    if (this.state === 'closed' || this.queued) return;
    if (!this.mayWork() && this.stream === null && !this.fifo.headReady) return;
    this.queued = true;
    this.port.turns.enqueue(this);
  }

  private setPaused(paused: boolean): void {
    if (this.paused === paused || this.state === 'closed') return;
    this.paused = paused;
    if (paused) {
      this.socket.pause();
      if (this.overLimit) this.port.overLimit.add(this);
    } else {
      this.socket.resume();
    }
  }

  private heard(): void {
    const { session, port } = this;
    if (this.state === 'ready' && session !== undefined) port.sessions.touch(session, port.now);
  }

  /**
   * Hears on a client whose requests have to wait, until it takes its replies or others are done: it is not to lose its session
   * for pings that nobody reads.
   */
  private listen(): void {
    if (this.state !== 'ready') return;
    if (this.unreadEnd - this.unreadStart < HEARD_WAITING) this.socket.resume();
    else this.socket.pause();
  }

  /** Called when the number of outstanding requests of all connections has fallen below the limit. */
  limitLifted(): void {
    this.resumeWork();
  }

  // ---- watches ----

  mayRead(aclId: number): boolean {
    return aclId === -1 || allows(this.port.auth, aclId, this.port.tree.acls.get(aclId), 1, this.identities);
  }

  onEvent(event: WatchEvent): void {
    if (this.state === 'closed') return;
    // What the next leader brings is not committed before that is established: until then nobody is told.
    if (this.stream !== null || this.state === 'parked') {
      this.deferred ??= [];
      this.deferred.push(event);
      if (this.deferred.length > DEFERRED_EVENTS_LIMIT)
        this.abort('too many notifications wait, behind a list of children or for a leader');
      return;
    }
    const frame = event.frame;
    this.port.stats.watchBytes += frame.length - 4;
    this.output().raw(frame, 0, frame.length);
    if (this.unsent > OUTPUT_LIMIT) {
      this.abort(`the client does not read its notifications: more than ${OUTPUT_LIMIT} bytes wait`);
    }
  }

  private tellDeferred(): void {
    const { deferred } = this;
    this.deferred = null;
    for (const event of deferred ?? []) this.onEvent(event);
  }

  // ---- long lists ----

  streamChildren(xid: number, node: number, withStat: boolean): void {
    const { tree, extendedTypes } = this.port;
    const out = this.output();
    const giveUp = (): void =>
      this.abort('the client does not read a list of children, of which very many were removed');
    this.stream = new ChildStream(out, tree.store, node, xid, tree.lastProcessedZxid, withStat, extendedTypes, giveUp);
    this.resumeWork();
  }

  makeRoom(): void {
    const { stream } = this;
    if (stream !== null) {
      if (this.unsent > LISTS_ALLOWED) {
        this.abort(`a list of children would be written behind ${this.unsent} bytes that the client does not read`);
        return;
      }
      while (stream.write(this.out ?? this.output()));
      this.endStream(stream);
    }
    this.checkUnread();
  }

  /** Lets a client go that leaves much unread, if all together leave too much. */
  private checkUnread(): void {
    if (this.unsent <= UNREAD_ALLOWED) return;
    this.port.slow.add(this);
    const unread = this.port.unsentOfSlow();
    if (unread > this.port.mostUnread)
      this.abort(`clients do not read what they are sent: ${unread} bytes wait, ${this.unsent} of them here`);
  }

  /** Bytes that the client has not taken. */
  get unsent(): number {
    return this.socket.writableLength + (this.out?.pos ?? 0);
  }

  private endStream(stream: ChildStream): void {
    stream.end();
    this.stream = null;
    this.tellDeferred();
  }

  private continueStream(): boolean {
    const stream = this.stream;
    if (stream === null || this.state === 'closed') return false;
    if (this.outputFull) return false;
    const out = this.out ?? this.output();
    if (stream.write(out)) {
      this.flush();
      this.queued = !this.outputFull;
      return this.queued;
    }
    this.endStream(stream);
    this.port.processor.resume(this);
    return this.stream === null ? this.takeTurn() : true;
  }

  // ---- the end ----

  closeWhenAnswered(): void {
    this.state = 'leaving';
    const timer = this.port.runtime.after(this.session?.timeout ?? 0, () => {
      this.close('replies were not taken in the time of the session');
      this.socket.destroy();
    });
    this.socket.on('close', () => timer.cancel());
  }

  close(_reason: string): void {
    if (this.closed) return;
    this.flush();
    if (this.closed) return;
    this.leave();
    if (this.socket.writableLength === 0) {
      this.socket.destroySoon();
      return;
    }
    this.socket.resume(); // a paused one would not see the client leave
    this.socket.end();
    const timer = this.port.runtime.after(CLOSE_GRACE_MS, () => this.socket.destroy());
    this.socket.on('close', () => timer.cancel());
  }

  /** Ends the connection for a fault of the client's. */
  abort(reason: string): void {
    if (this.state === 'closed') return;
    this.port.onAbort(this, reason);
    this.leave();
    this.socket.destroy();
  }

  /** The client has said all it will say: what of it has arrived is still done. A four-letter word is answered, too. */
  private readonly onEnd = (): void => {
    if (this.state === 'command') return;
    this.saidAll = true;
    if (this.state === 'leaving' || !this.hasFrame()) this.onGone();
  };

  private readonly onGone = (): void => {
    if (this.state !== 'closed') this.port.turn(() => this.vanish());
  };

  private vanish(): void {
    if (this.state === 'closed') return;
    if (this.session !== undefined) this.port.stats.dropped++;
    this.leave();
    this.socket.destroy();
  }

  private leave(): void {
    this.state = 'closed';
    this.port.slow.delete(this);
    this.stream?.end();
    this.stream = null;
    this.deferred = null;
    this.unread = NOTHING;
    this.unreadStart = 0;
    this.unreadEnd = 0;
    // Not nobody: requests that are still on their way from where the client was before would be taken for newer ones.
    if (this.session?.owner === this) this.session.owner = DEPARTED;
    this.port.left(this);
  }
}

/** Operations that a client may send after the handshake, auth and sasl aside. */
function isKnown(op: number): boolean {
  if (isWrite(op)) return true;
  switch (op) {
    case OpCode.exists:
    case OpCode.getData:
    case OpCode.getACL:
    case OpCode.getChildren:
    case OpCode.sync:
    case OpCode.ping:
    case OpCode.getChildren2:
    case OpCode.checkWatches:
    case OpCode.removeWatches:
    case OpCode.multiRead:
    case OpCode.setWatches:
    case OpCode.getEphemerals:
    case OpCode.getAllChildrenNumber:
    case OpCode.setWatches2:
    case OpCode.addWatch:
    case OpCode.whoAmI:
      return true;
    default:
      return false;
  }
}
