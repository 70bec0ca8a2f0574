// The life of a request on the server that its client is connected to: reads are answered at once unless writes of the same
// connection are on their way; writes go their way (originating.ts, forwarding.ts), and once committed are applied and answered.

import { DecodeError, ErrorCode, JuteReader, OpCode } from '@nodekeeper/protocol';
import type { Session, SessionTable } from '../session/session-table.js';
import type { DataTree, MultiListener } from '../tree/data-tree.js';
import type { NodeId } from '../tree/node-store.js';
import type { ExtendedTypes } from '../tree/owner.js';
import { timeOf } from '../tree/txn-types.js';
import { type Client, DEPARTED, type SessionOwner } from './client.js';
import { makesEphemeral } from './decode.js';
import { PendingWrite, type Request, WaitingRead } from './fifo.js';
import type { AuthRules } from './identity.js';
import type { Reads } from './reads.js';
import { ReplyBuffer } from './reply-buffer.js';

const NOTHING = Buffer.alloc(0);
/** What a write may become larger on its way, in bytes, and still weigh what its request does. */
const USUALLY_MORE = 1024;

export interface ProcessorHooks {
  /** A session was closed: by its client, or because it expired. */
  onSessionGone(session: Session<SessionOwner>, owner: SessionOwner | undefined): void;
  /** A request was answered. Milliseconds. */
  onAnswered(isWrite: boolean, latency: number): void;
  /** A transaction that was made at a time is applied now. Milliseconds since 1970. */
  onApplied(madeAt: number, now: number): void;
  /** A write was decided; `buf[start, end)` is its log entry. For the audit log. */
  onWrite(write: PendingWrite, error: number, buf: Buffer, start: number, end: number): void;
  /** An answer came too late for its client: see {@link ProcessorOptions}. */
  onStaleReply(): void;
}

export interface ProcessorOptions {
  readonly extendedTypesEnabled: ExtendedTypes;
  /** The longest field that is believed, in bytes. */
  readonly maxLength: number;
  /** Whether sessions begin as this server's own (localSessionsEnabled), and become global ones when they must. */
  readonly localSessions: boolean;
  readonly upgradeLocalSessions: boolean;
  /** Whether writes keep their requests, for the audit log. */
  readonly keepsRequests: boolean;
  /** Requests longer than this, in bytes, count as large. */
  readonly largeThreshold: number;
  /** What a learner refuses writes by before it forwards them (enableEagerACLCheck); undefined for nothing. */
  readonly eagerAcl?: AuthRules | undefined;
  /** Whether answers to connections that have ended count as stale. */
  readonly staleConnectionCheck: boolean;
  /** Whether answers that took longer than the session's timeout do. */
  readonly staleLatencyCheck: boolean;
}

export abstract class RequestProcessor implements MultiListener {
  readonly tree: DataTree;
  readonly sessions: SessionTable<SessionOwner>;
  protected readonly reads: Reads;
  protected readonly hooks: ProcessorHooks;
  protected readonly localSessions: boolean;
  private readonly upgradeLocalSessions: boolean;
  protected readonly keepsRequests: boolean;
  private readonly options: ProcessorOptions;
  protected readonly reader: JuteReader;
  private readonly multiReply = new ReplyBuffer(4096);
  private readonly waitingReply = new ReplyBuffer(1024);
  private replyTypes: readonly number[] | null = null;
  private replyPart = 0;

  /** Writes on their way and reads behind them, over all connections. */
  outstanding = 0;
  /** Connections that have some. */
  busyClients = 0;
  /** Bytes of them, and of the large ones among them. */
  outstandingBytes = 0;
  largeBytes = 0;
  /** The time of this turn: monotonic milliseconds for sessions and latencies, wall clock for transactions. */
  now = 0;
  wallTime = 0;

  constructor(
    tree: DataTree,
    sessions: SessionTable<SessionOwner>,
    reads: Reads,
    hooks: ProcessorHooks,
    options: ProcessorOptions,
  ) {
    this.tree = tree;
    this.sessions = sessions;
    this.reads = reads;
    this.hooks = hooks;
    this.options = options;
    this.localSessions = options.localSessions;
    this.upgradeLocalSessions = options.upgradeLocalSessions;
    this.keepsRequests = options.keepsRequests;
    this.reader = new JuteReader(Buffer.alloc(0), 0, 0, options.maxLength);
  }

  /**
   * Sends a client's write on its way. The session is not known to have moved. Returns how many bytes it is on that way: as a log
   * entry, or as a packet to the leader.
   */
  protected abstract submitWrite(
    client: Client,
    session: Session<SessionOwner>,
    xid: number,
    op: number,
    buf: Buffer,
    start: number,
    end: number,
  ): number;

  /** Starts a session that all servers know. */
  protected abstract createGlobalSession(client: Client, id: bigint, timeout: number): void;

  /** Has all servers know a session that only this one knew. */
  protected abstract makeGlobal(session: Session<SessionOwner>): void;

  protected abstract revalidateGlobal(client: Client, id: bigint, timeout: number, ifFree: boolean): void;

  /** Starts a session for a connection; {@link Client.sessionCreated} is called once it is there. */
  createSession(client: Client, id: bigint, timeout: number): void {
    if (!this.localSessions) {
      this.createGlobalSession(client, id, timeout);
      return;
    }
    const session = this.sessions.track(id, timeout, this.now);
    session.local = true;
    session.owner = client;
    client.session = session;
    this.beginSession(client, this.tree.lastProcessedZxid, 0, false);
  }

  /** The connect request is answered, which counts as a request like others. */
  private beginSession(client: Client, zxid: number, latency: number, isWrite: boolean): void {
    client.lastZxid = zxid;
    client.sessionCreated();
    this.onAnswered(client, isWrite, latency);
  }

  /** Lets the session go on at this connection: {@link Client.revalidated} is called with the outcome. */
  revalidate(client: Client, id: bigint, timeout: number, ifFree = false): void {
    const session = this.sessions.get(id);
    if (session?.local !== true) {
      this.revalidateGlobal(client, id, timeout, ifFree);
      return;
    }
    session.timeout = timeout;
    this.sessions.touch(session, this.now);
    session.owner = client;
    client.session = session;
    client.revalidated(true);
  }

  /**
   * Lets the session of a connection that was parked go on here, unless its client went on elsewhere meanwhile: what is still unread
   * of this connection would then come after its later requests. {@link Client.revalidated} is called with the outcome.
   */
  takeUp(client: Client, session: Session<SessionOwner>): void {
    if (session.local) {
      const again = this.sessions.track(session.id, session.timeout, this.now);
      again.local = true;
    }
    this.revalidate(client, session.id, session.timeout, true);
  }

  /** Ends a local session. */
  protected endLocal(session: Session<SessionOwner>): void {
    this.sessions.remove(session.id);
    this.hooks.onSessionGone(session, session.owner);
  }

  /** Sends a write that changes nothing on its way; `done` is called when it is committed, never if the server's role ends before. */
  abstract probe(done: () => void): void;

  /**
   * Asks that the reads behind a sync see everything committed by now. True if they do already; otherwise `request.ready` is set
   * and {@link resume} called later.
   */
  protected abstract sync(client: Client, request: WaitingRead | null): boolean;

  /** Takes in a request of an established session; its body is `buf[start, end)`. The opcode is a known one. */
  submit(client: Client, xid: number, op: number, buf: Buffer, start: number, end: number): void {
    const session = client.session;
    if (session === undefined) throw new Error('request without a session');
    const before = client.fifo.length;
    let size = end - start;
    if (isWrite(op) && !(op === OpCode.reconfig && !this.decodesReconfig(buf, start, end))) {
      // A closed connection owns nothing, but what it had asked for before is done (see the request throttler).
      if (session.owner !== client && !(client.closed && session.owner === DEPARTED)) {
        client.close('session moved');
        return;
      }
      if (session.local && !this.submitLocal(client, session, xid, op, buf, start, end)) return;
      const sent = this.submitWrite(client, session, xid, op, buf, start, end);
      // A small request can become much: by its identities, the ACL `auth` that stands for them, or a session's ephemerals.
      if (sent > size + USUALLY_MORE) {
        client.charge(sent - size);
        size = sent;
      }
    } else if (client.fifo.length > 0 || client.blocked || (op === OpCode.sync && !this.sync(client, null))) {
      const read = new WaitingRead(xid, op, Buffer.from(buf.subarray(start, end)), client.identities, this.now);
      if (op === OpCode.sync) read.ready = this.sync(client, read);
      this.enqueue(client, read);
    } else {
      client.lastZxid = this.tree.lastProcessedZxid;
      this.reads.answer(client, client.identities, xid, op, buf, start, end);
      this.onAnswered(client, false, 0);
    }
    if (client.fifo.length === before) return;
    client.fifo.weigh(size);
    this.outstandingBytes += size;
    if (size > this.options.largeThreshold) this.largeBytes += size;
  }

  /** Has a request wait for its answer. */
  protected enqueue({ fifo }: Client, request: Request): void {
    fifo.push(request);
    if (fifo.length === 1) this.busyClients++;
    this.outstanding++;
  }

  /** Refuses a request that waited too long, behind the requests before it. */
  refuseLate(client: Client, xid: number): void {
    const read = new WaitingRead(xid, OpCode.notification, NOTHING, client.identities, this.now);
    read.error = ErrorCode.ThrottledOp;
    this.enqueue(client, read);
    this.answerReady(client);
  }

  /** The oldest request of a connection is answered. */
  private finish(client: Client): void {
    this.outstanding--;
    const { size } = client.fifo.shift();
    if (client.fifo.length === 0) this.busyClients--;
    this.outstandingBytes -= size;
    if (size > this.options.largeThreshold) this.largeBytes -= size;
  }

  /** What a local session asks for; true if it may go the way of all writes. */
  private submitLocal(
    client: Client,
    session: Session<SessionOwner>,
    xid: number,
    op: number,
    buf: Buffer,
    start: number,
    end: number,
  ): boolean {
    if (op === OpCode.closeSession) {
      const write = new PendingWrite(client, xid, op, 0, ErrorCode.Ok, this.now);
      write.session = session;
      this.sessions.startClosing(session);
      if (this.answerHere(client, write, ErrorCode.Ok)) this.endLocal(session);
      else client.closeWhenAnswered();
      return false;
    }
    if (!makesEphemeral(op, this.reader.reset(buf, start, end))) return true;
    if (this.upgradeLocalSessions) {
      this.makeGlobal(session);
      return true;
    }
    const write = new PendingWrite(client, xid, op, 0, ErrorCode.EphemeralOnLocalSession, this.now);
    this.answerHere(client, write, ErrorCode.EphemeralOnLocalSession);
    return false;
  }

  /** Answers a write without a transaction, in its place among the replies. True if the answer is out already. */
  protected answerHere(client: Client, write: PendingWrite, error: number): boolean {
    if (client.fifo.length === 0 && !client.blocked) {
      client.output().header(write.xid, this.tree.lastProcessedZxid, error);
      this.onAnswered(client, false, 0);
      return true;
    }
    write.refusal = error;
    this.enqueue(client, write);
    return false;
  }

  /** Forgets the waiting requests of a closed connection; its writes still take effect. */
  abandon(client: Client): void {
    while (client.fifo.head !== null) this.finish(client);
    // Its end waited for the answers before it, and nothing else would end it.
    const { session } = client;
    if (session?.local === true && session.closing) this.endLocal(session);
  }

  /**
   * Applies a committed entry, `buf[start, end)`, and answers the write that waits for it here, if one does.
   * Returns the error it carries.
   */
  protected applyAndAnswer(write: PendingWrite | null, buf: Buffer, start: number, end: number): number {
    const { tree } = this;
    this.hooks.onApplied(timeOf(buf, start), this.wallTime);
    if (write === null) return tree.apply(buf, start, end);
    this.answerReadsBefore(write);
    if (write.multiTypes !== null) {
      this.replyTypes = write.multiTypes;
      this.replyPart = 0;
      this.multiReply.pos = 0;
    }
    const error = tree.apply(buf, start, end, write.multiTypes === null ? undefined : this);
    this.hooks.onWrite(write, error, buf, start, end);
    if (write.op === OpCode.closeSession) this.finishClose(write);
    else this.answerWrite(write, error);
    return error;
  }

  /** What a client asked for before a write must not show it: such reads are answered now, though the client takes no more yet. */
  private answerReadsBefore(write: PendingWrite): void {
    const { client } = write;
    if (client === null || !client.blocked) return;
    for (let next = client.fifo.head; next !== null && next !== write; next = client.fifo.head) {
      client.makeRoom();
      if (client.closed || !client.fifo.headReady) return;
      this.answerHead(client, next);
    }
  }

  private answerWrite(write: PendingWrite, error: number): void {
    const { client } = write;
    if (write.op === OpCode.createSession) {
      if (client !== null && !client.closed) this.beginSession(client, write.zxid, this.now - write.arrived, true);
      return;
    }
    if (client === null) return;
    if (client.closed) {
      if (this.options.staleConnectionCheck) this.hooks.onStaleReply();
      return;
    }
    if (error === ErrorCode.SessionMoved) {
      client.close('session moved');
      return;
    }
    if (client.fifo.head !== write || client.blocked) {
      // Replies before it, or the rest of one, wait until the client takes them; what this one shows is what is now.
      const out = this.waitingReply;
      out.pos = 0;
      this.reply(out, write, error, this.tree.touched);
      write.reply = Buffer.from(out.buf.subarray(0, out.pos));
      return;
    }
    this.finish(client);
    client.lastZxid = write.zxid;
    this.reply(client.output(), write, error, this.tree.touched);
    this.answerReady(client);
    this.onAnswered(client, true, this.now - write.arrived);
  }

  protected onAnswered(client: Client, isWrite: boolean, latency: number): void {
    this.hooks.onAnswered(isWrite, latency);
    if (this.options.staleLatencyCheck && latency > (client.session?.timeout ?? latency)) this.hooks.onStaleReply();
    client.answered(latency);
  }

  private finishClose(write: PendingWrite): void {
    const { client } = write;
    const session = client?.session ?? write.session;
    const owner = client ?? session?.owner;
    write.session = session;
    if (client !== null && !client.closed) {
      if (client.fifo.head !== write || client.blocked) {
        // The connection closes behind the replies before this one.
        const out = this.waitingReply;
        out.pos = 0;
        out.header(write.xid, write.zxid, ErrorCode.Ok);
        write.reply = Buffer.from(out.buf.subarray(0, out.pos));
        client.closeWhenAnswered();
        return;
      }
      this.finish(client);
      client.output().header(write.xid, write.zxid, ErrorCode.Ok);
      this.onAnswered(client, true, this.now - write.arrived);
    }
    if (session !== undefined) this.hooks.onSessionGone(session, owner ?? undefined);
  }

  /** Answers what is no longer behind a write on its way, as far as the connection takes replies. */
  private answerReady(client: Client): void {
    for (let next = client.fifo.head; next !== null; next = client.fifo.head) {
      if (client.closed || client.blocked || !client.fifo.headReady) return;
      this.answerHead(client, next);
    }
  }

  /** Answers the oldest request, which is ready. */
  private answerHead(client: Client, head: Request): void {
    this.finish(client);
    if (head.kind === 'write') {
      if (head.reply === null) {
        // Of now: the replies before it may have told later zxids than there were when it was refused.
        client.lastZxid = this.tree.lastProcessedZxid;
        client.output().header(head.xid, client.lastZxid, head.refusal ?? ErrorCode.Ok);
      } else {
        client.lastZxid = head.zxid;
        client.output().raw(head.reply, 0, head.reply.length);
      }
      this.onAnswered(client, head.session?.local !== true, this.now - head.arrived);
      if (head.op === OpCode.closeSession && head.session !== undefined) {
        if (head.session.local) this.sessions.remove(head.session.id);
        this.hooks.onSessionGone(head.session, client);
      }
      return;
    }
    client.lastZxid = this.tree.lastProcessedZxid;
    if (head.error !== ErrorCode.Ok) client.output().header(head.xid, client.lastZxid, head.error);
    else this.reads.answer(client, head.identities, head.xid, head.op, head.body, 0, head.body.length);
    this.onAnswered(client, false, this.now - head.arrived);
  }

  /** Goes on with what waits: behind a list that was sent in pieces, for output to leave, or for a sync's answer. */
  resume(client: Client): void {
    this.answerReady(client);
  }

  private reply(out: ReplyBuffer, write: PendingWrite, error: number, node: NodeId): void {
    if (error !== ErrorCode.Ok) {
      out.header(write.xid, write.zxid, error);
      return;
    }
    const start = out.begin(write.xid, write.zxid, ErrorCode.Ok);
    switch (write.op) {
      case OpCode.create:
        out.string(write.path ?? this.tree.store.path(node));
        break;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        out.string(write.path ?? this.tree.store.path(node));
        out.stat(this.tree.store, node, this.options.extendedTypesEnabled);
        break;
      case OpCode.setData:
      case OpCode.setACL:
        out.stat(this.tree.store, node, this.options.extendedTypesEnabled);
        break;
      case OpCode.reconfig:
        out.data(this.tree.store, node);
        out.stat(this.tree.store, node, this.options.extendedTypesEnabled);
        break;
      case OpCode.multi:
        out.raw(this.multiReply.buf, 0, this.multiReply.pos);
        out.multiHeader(-1, true, -1);
        break;
    }
    out.end(start);
  }

  /** Writes the result of a part of the multi that is being applied. */
  onSubOp(logged: number, error: number, node: NodeId): void {
    const out = this.multiReply;
    const type = this.replyTypes?.[this.replyPart++] ?? 0;
    if (logged === OpCode.error) {
      out.multiHeader(OpCode.error, false, error);
      out.int(error);
      return;
    }
    switch (type) {
      case OpCode.create:
        out.multiHeader(OpCode.create, false, 0);
        out.string(this.tree.store.path(node));
        break;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        out.multiHeader(OpCode.create2, false, 0);
        out.string(this.tree.store.path(node));
        out.stat(this.tree.store, node, this.options.extendedTypesEnabled);
        break;
      case OpCode.setData:
        out.multiHeader(OpCode.setData, false, 0);
        out.stat(this.tree.store, node, this.options.extendedTypesEnabled);
        break;
      default:
        out.multiHeader(type, false, 0);
    }
  }

  // ReconfigRequest: ustring joiningServers, ustring leavingServers, ustring newMembers, long curConfigId. One that cannot be
  // decoded takes no zxid.
  private decodesReconfig(buf: Buffer, start: number, end: number): boolean {
    const r = this.reader.reset(buf, start, end);
    try {
      r.string();
      r.string();
      r.string();
      r.long();
      return true;
    } catch (e) {
      if (e instanceof DecodeError) return false;
      throw e;
    }
  }
}

/** Operations that become transactions. */
export function isWrite(op: number): boolean {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.deleteContainer:
    case OpCode.setData:
    case OpCode.setACL:
    case OpCode.multi:
    case OpCode.reconfig:
    case OpCode.closeSession:
      return true;
    default:
      return false;
  }
}
